import type { CodePages } from "./page.ts";

/** Codes of `@box/rootfs`. */
export const rootfsPages: CodePages = {
  OVERLAY_IO: {
    meaning:
      "The overlay could not be read: an I/O error, a permission, or a folder in its place. Nothing is known about its content, so box refuses to discard a possibly-intact overlay.",
    advice:
      "Find out why the path cannot be read; the detail errno has the system's reason. Then run box prepare NAME again.",
  },
  OVERLAY_MISSING: {
    meaning:
      "The box's own disk existed and is gone. A new one would be empty, so box does not make it silently.",
    advice: "Restore the file; or give the data up: box prepare NAME --recreate-disk.",
  },
  OVERLAY_BACKING_IO: {
    meaning: "The base of the overlay could not be read. The overlay is left alone.",
    advice: "Find out why the base cannot be read, then run box prepare NAME again.",
  },
  OVERLAY_BACKING_MISSING: {
    meaning:
      "The overlay has a missing backing file: its base is gone, or is not the file it was. An overlay alone holds only what changed, so the box cannot start until the base is restored. The overlay is left alone.",
    advice: "Restore the base at the same path: box rootfs restore NAME.",
  },
  OVERLAY_BACKING_MISMATCH: {
    meaning:
      "The overlay is sound, but names another base than the one that was recorded. Somebody changed it, so box does not start it.",
    advice:
      "Check which of both is right; put the overlay on the recorded base, or remove the box.",
  },
  OVERLAY_CORRUPT: {
    meaning:
      "The overlay is damaged. On the guest disk box makes a new overlay by itself. On the box's own disk its data would be lost, so box refuses.",
    advice:
      "Look at it first (box disk info FILE). To go on without the data: box prepare NAME --recreate-disk; the old file is kept in quarantine.",
  },
  OVERLAY_QUARANTINE_FAILED: {
    meaning: "The overlay is damaged, and moving it aside failed. Nothing was removed.",
    advice: "Make the box's folder writable, or free some space; then run box prepare NAME again.",
  },
  OVERLAY_UNSUPPORTED: {
    meaning:
      "The overlay uses a feature that this version does not know, so it may well be sound. It is left alone.",
    advice: "Use the version of box, or the program, that wrote it.",
  },
  OVERLAY_LIMIT: {
    meaning:
      "Checking the overlay would take more memory or time than the limit, so nothing is known about it. It is left alone.",
    advice: "Try again when the machine is less busy, or check it with qemu-img check.",
  },
  OVERLAY_IN_USE: {
    meaning: "A living process, such as a virtual machine, uses the overlay. It is left alone.",
    advice: "Stop that process; the details name it.",
  },
  OVERLAY_UNKNOWN: {
    meaning:
      "The overlay is in a state that the rules do not know: a fault in box. It is left alone.",
    advice: "Report it with the output of the same command and --log-level debug.",
  },
  OVERLAY_TOO_SMALL: {
    meaning: "The asked size of the disk is smaller than its base.",
    advice: "Ask for more, or leave --disk-size out.",
  },
  ROOTFS_WHITEOUT_INVALID: {
    meaning: "A layer has a whiteout without a name.",
    advice: "The image cannot be used as it is: tell its publisher, or use another tag or digest.",
  },
  ROOTFS_SYMLINK_LOOP: {
    meaning: "A path of a layer leads through symbolic links that lead back to themselves.",
    advice: "The image cannot be used as it is: tell its publisher, or use another tag or digest.",
  },
  ROOTFS_PARENT_NOT_DIRECTORY: {
    meaning: "A path of a layer leads through a file that is no directory.",
    advice: "The image cannot be used as it is: tell its publisher, or use another tag or digest.",
  },
  ROOTFS_ROOT_NOT_DIRECTORY: {
    meaning: "A layer replaces the root by something that is no directory.",
    advice: "The image cannot be used as it is: tell its publisher, or use another tag or digest.",
  },
  ROOTFS_LINK_TARGET_MISSING: {
    meaning: "A hard link of a layer points to a file that does not exist.",
    advice: "The image cannot be used as it is: tell its publisher, or use another tag or digest.",
  },
  ROOTFS_LINK_TO_DIRECTORY: {
    meaning: "A hard link of a layer points to a directory.",
    advice: "The image cannot be used as it is: tell its publisher, or use another tag or digest.",
  },
  ROOTFS_ENTRY_INVALID: {
    meaning:
      "An entry of a layer is something that no Linux file system can hold: a symbolic link without a target or with one that is too long, a device number that is too large, an access control list that is none.",
    advice: "The image cannot be used as it is: tell its publisher, or use another tag or digest.",
  },
  ROOTFS_INJECTED_ON_FOLDER: {
    meaning:
      "A file that is put on top of the image has the path of a folder there. It would replace the folder and all that it holds.",
    advice: "Give a path in that folder, as in --inject ./agent:/etc/agent:0644.",
  },
  ROOTFS_LAYER_CHANGED: {
    meaning: "A layer gave other content when it was read the second time.",
    advice: "Check the disk that the image store is on; then pull the image again.",
  },
  ROOTFS_BASE_DIGEST_MISMATCH: {
    meaning:
      "A base disk of the cache does not have the content that was recorded for it. It is not used.",
    advice: "Remove it from the bases folder if no box uses it; it is built again when needed.",
  },
  ROOTFS_LIMIT: {
    meaning: "The layers have more files, bytes or links than the limit.",
    advice: "If you trust the image, raise the limit in the library.",
  },
};
