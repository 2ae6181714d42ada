import type { CodePages } from "./page.ts";

/** Codes of `@box/ext4`. */
export const ext4Pages: CodePages = {
  EXT4_BAD_NAME: {
    meaning: "A file name is empty, is a dot or two, or has a slash or a zero byte in it.",
    advice: "The image cannot be used as it is: tell its publisher, or use another tag or digest.",
  },
  EXT4_NAME_TOO_LONG: {
    meaning: "A file name is longer than the 255 bytes that ext4 stores.",
    advice: "The image cannot be used as it is: tell its publisher, or use another tag or digest.",
  },
  EXT4_BAD_SYMLINK: {
    meaning: "A symbolic link has no target, or one that is too long or has a zero byte in it.",
    advice: "The image cannot be used as it is: tell its publisher, or use another tag or digest.",
  },
  EXT4_BAD_ATTRIBUTE: {
    meaning: "A mode, an owner, a time or a device number is outside what ext4 stores.",
    advice: "The image cannot be used as it is: tell its publisher, or use another tag or digest.",
  },
  EXT4_LINK_TO_DIRECTORY: {
    meaning: "A hard link points to a directory, which no Linux file system has.",
    advice: "The image cannot be used as it is: tell its publisher, or use another tag or digest.",
  },
  EXT4_TOO_MANY_LINKS: {
    meaning: "A file has more names than the 65,000 that ext4 counts.",
    advice: "The image cannot be used as it is: tell its publisher, or use another tag or digest.",
  },
  EXT4_TOO_MANY_NODES: {
    meaning:
      "There are more files than one file system here can hold, or their names, links' targets and extended attributes take more memory than is allowed.",
    advice: "The image cannot be used as it is: tell its publisher, or use another tag or digest.",
  },
  EXT4_XATTR_UNSUPPORTED: {
    meaning: "An extended attribute has a name that ext4 has no place for.",
    advice: "The image cannot be used as it is: tell its publisher, or use another tag or digest.",
  },
  EXT4_XATTR_TOO_LARGE: {
    meaning: "The extended attributes of a file do not fit into one block.",
    advice: "The image cannot be used as it is: tell its publisher, or use another tag or digest.",
  },
  EXT4_BAD_ACL: {
    meaning: "An access control list is not in the form that Linux uses.",
    advice: "The image cannot be used as it is: tell its publisher, or use another tag or digest.",
  },
  EXT4_FILE_TOO_LARGE: {
    meaning: "A file is larger than ext4 can store.",
    advice: "The image cannot be used as it is: tell its publisher, or use another tag or digest.",
  },
  EXT4_DIRECTORY_TOO_LARGE: {
    meaning: "A directory has more names than ext4 can index.",
    advice: "The image cannot be used as it is: tell its publisher, or use another tag or digest.",
  },
  EXT4_BAD_LOST_AND_FOUND: {
    meaning: "The image has something at /lost+found that is no directory.",
    advice: "The image cannot be used as it is: tell its publisher, or use another tag or digest.",
  },
  EXT4_BAD_OPTION: {
    meaning: "An option of the file system is outside what ext4 allows.",
    advice: "The message names the option and what is allowed.",
  },
  EXT4_SIZE_TOO_SMALL: {
    meaning: "The asked size is too small for the files; the message names the least size.",
    advice: "Ask for more, or leave the size out: it is then as large as needed.",
  },
  EXT4_TOO_LARGE: {
    meaning: "The file system would be larger than this version writes.",
    advice: "Ask for less free space, or use a smaller image.",
  },
  EXT4_BAD_MAGIC: {
    meaning: "The file has no ext4 file system where one was expected.",
    advice: "Check that the file is an ext4 disk: a qcow2 has to be converted first.",
  },
  EXT4_BAD_SUPERBLOCK: {
    meaning: "The superblock says something that no ext4 file system has.",
    advice:
      "Restore the file system from a backup, or check it with e2fsck on a copy. A base of box's own is built again once it is removed.",
  },
  EXT4_BAD_CHECKSUM: {
    meaning: "A structure of the file system does not have the checksum that is stored with it.",
    advice:
      "Restore the file system from a backup, or check it with e2fsck on a copy. A base of box's own is built again once it is removed.",
  },
  EXT4_TRUNCATED: {
    meaning: "The file ends before the file system does.",
    advice:
      "Restore the file system from a backup, or check it with e2fsck on a copy. A base of box's own is built again once it is removed.",
  },
  EXT4_BAD_BLOCK: {
    meaning: "A structure points to a block outside the file system.",
    advice:
      "Restore the file system from a backup, or check it with e2fsck on a copy. A base of box's own is built again once it is removed.",
  },
  EXT4_BAD_INODE: {
    meaning: "An inode has fields that contradict each other.",
    advice:
      "Restore the file system from a backup, or check it with e2fsck on a copy. A base of box's own is built again once it is removed.",
  },
  EXT4_BAD_EXTENTS: {
    meaning: "The map of a file's blocks is damaged.",
    advice:
      "Restore the file system from a backup, or check it with e2fsck on a copy. A base of box's own is built again once it is removed.",
  },
  EXT4_BAD_DIRECTORY: {
    meaning: "A directory's list of names is damaged.",
    advice:
      "Restore the file system from a backup, or check it with e2fsck on a copy. A base of box's own is built again once it is removed.",
  },
  EXT4_BAD_XATTR: {
    meaning: "The extended attributes of a file are damaged.",
    advice:
      "Restore the file system from a backup, or check it with e2fsck on a copy. A base of box's own is built again once it is removed.",
  },
  EXT4_UNSUPPORTED_FEATURE: {
    meaning: "The file system uses a feature that this reader does not know.",
    advice: "Read it with Linux, or copy its files to a file system without that feature.",
  },
  EXT4_NEEDS_RECOVERY: {
    meaning:
      "The file system was not unmounted: its journal holds changes that are not in place yet.",
    advice: "Mount it once with Linux, or run e2fsck on a copy.",
  },
  EXT4_OVER_LIMIT: {
    meaning:
      "Reading would take more memory or steps than the limit, which protects whoever opens the file system.",
    advice: "If you trust the file system, read it with Linux.",
  },
  EXT4_SYMLINK_LOOP: {
    meaning: "A path leads through symbolic links that lead back to themselves.",
    advice: "Name the file by a path without these links.",
  },
  EXT4_WRONG_TYPE: {
    meaning: "A file was asked for where there is a directory, or the other way round.",
    advice: "Check the path in the message.",
  },
};
