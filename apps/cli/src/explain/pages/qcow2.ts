import type { CodePages } from "./page.ts";

/** Codes of `@box/qcow2`. */
export const qcow2Pages: CodePages = {
  QCOW2_BAD_MAGIC: {
    meaning:
      "The file does not begin with the four bytes of a qcow2 image: it is of another format, overwritten, or all zeros.",
    advice:
      "If it is a raw disk, say so with -f raw. If it is an overlay of a box, run box prepare NAME: the rules say whether it is made again. Otherwise restore it from a backup.",
  },
  QCOW2_TRUNCATED: {
    meaning: "The file ends inside its header. Nothing can be read from it.",
    advice:
      "If it is an overlay of a box, run box prepare NAME: the rules say whether it is made again. Otherwise restore it from a backup.",
  },
  QCOW2_BAD_VERSION: {
    meaning: "The header names a version that no qcow2 image has.",
    advice:
      "If it is an overlay of a box, run box prepare NAME: the rules say whether it is made again. Otherwise restore it from a backup.",
  },
  QCOW2_HEADER_LENGTH_INVALID: {
    meaning: "The header says that it is shorter than its own fields, or longer than a cluster.",
    advice:
      "If it is an overlay of a box, run box prepare NAME: the rules say whether it is made again. Otherwise restore it from a backup.",
  },
  QCOW2_CLUSTER_BITS_INVALID: {
    meaning: "The cluster size is outside what the format allows: 512 bytes to 2 MiB.",
    advice:
      "If it is an overlay of a box, run box prepare NAME: the rules say whether it is made again. Otherwise restore it from a backup.",
  },
  QCOW2_REFCOUNT_ORDER_INVALID: {
    meaning: "The width of the reference counts is more than 64 bits.",
    advice:
      "If it is an overlay of a box, run box prepare NAME: the rules say whether it is made again. Otherwise restore it from a backup.",
  },
  QCOW2_FEATURE_CONFLICT: {
    meaning: "Feature bits of the header contradict each other or a header field.",
    advice:
      "If it is an overlay of a box, run box prepare NAME: the rules say whether it is made again. Otherwise restore it from a backup.",
  },
  QCOW2_EXTENSION_INVALID: {
    meaning:
      "A header extension ends outside the header area, or its content breaks the format's rules.",
    advice:
      "If it is an overlay of a box, run box prepare NAME: the rules say whether it is made again. Otherwise restore it from a backup.",
  },
  QCOW2_BACKING_NAME_INVALID: {
    meaning:
      "The name of the backing file lies outside the header area, is too long, or is not what was recorded for this overlay, such as bytes that are no text.",
    advice:
      "If it is an overlay of a box, run box prepare NAME: the rules say whether it is made again. Otherwise restore it from a backup.",
  },
  QCOW2_L1_TOO_SMALL: {
    meaning: "The first-level table has too few entries for the size of the virtual disk.",
    advice:
      "If it is an overlay of a box, run box prepare NAME: the rules say whether it is made again. Otherwise restore it from a backup.",
  },
  QCOW2_REFCOUNT_TABLE_MISSING: {
    meaning: "The header names no reference count table, so nobody could ever write to the image.",
    advice:
      "If it is an overlay of a box, run box prepare NAME: the rules say whether it is made again. Otherwise restore it from a backup.",
  },
  QCOW2_MISALIGNED: {
    meaning: "A table or a cluster does not begin at a cluster boundary.",
    advice:
      "If it is an overlay of a box, run box prepare NAME: the rules say whether it is made again. Otherwise restore it from a backup.",
  },
  QCOW2_OUT_OF_FILE: {
    meaning:
      "The image points to a place past the end of the file: it was cut off, or a pointer is damaged.",
    advice:
      "If it is an overlay of a box, run box prepare NAME: the rules say whether it is made again. Otherwise restore it from a backup.",
  },
  QCOW2_RESERVED_BITS: {
    meaning: "Bits that the format reserves are set in a table entry.",
    advice:
      "If it is an overlay of a box, run box prepare NAME: the rules say whether it is made again. Otherwise restore it from a backup.",
  },
  QCOW2_OVERLAP: {
    meaning:
      "Two structures of the image claim the same cluster, so writing one would destroy the other.",
    advice:
      "If it is an overlay of a box, run box prepare NAME: the rules say whether it is made again. Otherwise restore it from a backup.",
  },
  QCOW2_REFCOUNT_TOO_LOW: {
    meaning: "A cluster that is in use is counted as free, so a writer could overwrite it.",
    advice:
      "If it is an overlay of a box, run box prepare NAME: the rules say whether it is made again. Otherwise restore it from a backup.",
  },
  QCOW2_COPIED_BIT_WRONG: {
    meaning:
      "A table entry says that its cluster belongs to it alone, and the reference count says otherwise.",
    advice:
      "If it is an overlay of a box, run box prepare NAME: the rules say whether it is made again. Otherwise restore it from a backup.",
  },
  QCOW2_SUBCLUSTERS_INVALID: {
    meaning: "A subcluster is marked as data and as zeros at once, or as data without a cluster.",
    advice:
      "If it is an overlay of a box, run box prepare NAME: the rules say whether it is made again. Otherwise restore it from a backup.",
  },
  QCOW2_COMPRESSED_ENTRY_INVALID: {
    meaning: "An entry of a compressed cluster points outside the file or cannot be decompressed.",
    advice:
      "If it is an overlay of a box, run box prepare NAME: the rules say whether it is made again. Otherwise restore it from a backup.",
  },
  QCOW2_SNAPSHOT_INVALID: {
    meaning: "The snapshot table is damaged.",
    advice:
      "If it is an overlay of a box, run box prepare NAME: the rules say whether it is made again. Otherwise restore it from a backup.",
  },
  QCOW2_BITMAP_INVALID: {
    meaning: "The directory of persistent bitmaps is damaged.",
    advice:
      "If it is an overlay of a box, run box prepare NAME: the rules say whether it is made again. Otherwise restore it from a backup.",
  },
  QCOW2_MARKED_CORRUPT: {
    meaning:
      "A program that wrote to the image found it damaged and marked it, so that nobody writes to it by accident.",
    advice:
      "If it is an overlay of a box, run box prepare NAME: the rules say whether it is made again. Otherwise restore it from a backup.",
  },
  QCOW2_UNSUPPORTED_VERSION: {
    meaning: "The image is of the old version 1 of the format.",
    advice: "Convert it: qemu-img convert -O qcow2 OLD NEW.",
  },
  QCOW2_UNSUPPORTED_FEATURE: {
    meaning:
      "The image uses a feature that every reader must know and this one does not. Reading on could give wrong data.",
    advice: "Open it with the program that wrote it, or convert it to a plain qcow2 there.",
  },
  QCOW2_UNSUPPORTED_COMPRESSION: {
    meaning: "The image's compression is neither zlib nor zstd.",
    advice: "Open it with the program that wrote it, or convert it to a plain qcow2 there.",
  },
  QCOW2_UNSUPPORTED_ENCRYPTION: {
    meaning: "The image is encrypted in a way that this version cannot open.",
    advice: "Open it with the program that wrote it, or convert it to a plain qcow2 there.",
  },
  QCOW2_TABLE_TOO_LARGE: {
    meaning:
      "A table of the image is larger than the limit, which protects the memory of whoever opens it.",
    advice:
      "If you trust the image, convert it with its own program; a larger cluster size makes tables smaller.",
  },
  QCOW2_IMAGE_TOO_LARGE: {
    meaning:
      "The virtual disk or an offset in it is larger than this program can address (2^53 bytes).",
    advice: "Use a smaller virtual disk.",
  },
  QCOW2_METADATA_LIMIT: {
    meaning:
      "Checking the image would read more metadata than the limit allows, so nothing is known about it. It is left as it is.",
    advice: "Raise the limit, or check the image with box disk info and qemu-img check.",
  },
  QCOW2_REFCOUNT_OVERFLOW: {
    meaning:
      "A snapshot would use a cluster more often than the image's reference counts can say: they are too narrow. Nothing was changed.",
    advice:
      "Delete a snapshot that is not needed any more, or convert the image: new images have 16-bit reference counts.",
  },
  QCOW2_DEADLINE: {
    meaning:
      "Checking the image took longer than the limit allows, so nothing is known about it. It is left as it is.",
    advice: "Try again when the disk is less busy, or raise the limit.",
  },
  QCOW2_INVALID_ARGUMENT: {
    meaning: "An option for a new image is outside what the format allows.",
    advice: "The message names the option and what is allowed.",
  },
  QCOW2_FILE_IN_USE: {
    meaning:
      "The file is open for writing already. Two writers of one image destroy it, so it is not opened again.",
    advice: "Wait until what writes it is done, or end it, and try again.",
  },
  QCOW2_TARGET_NOT_EMPTY: {
    meaning:
      "The file that a new image should be written to has content already; it is left alone.",
    advice: "Choose another file, or remove it yourself.",
  },
  QCOW2_IO: {
    meaning:
      "Reading or writing the image failed below the format. Nothing is known about its content, and nothing of it was thrown away.",
    advice: "Check the disk, the path's permissions and the kernel's log, then try again.",
  },
  QCOW2_SHORT_READ: {
    meaning: "The storage gave fewer bytes than the file has. Nothing is known about the content.",
    advice: "Check the storage, then try again.",
  },
  QCOW2_NO_SPACE: {
    meaning: "The file system of the image is full.",
    advice: "Free some space and try again; the image is as it was before the write.",
  },
  QCOW2_READ_ONLY: {
    meaning: "The image, or the file system that it is on, cannot be written to.",
    advice: "Open it for reading, or move it to a writable place.",
  },
  QCOW2_NETWORK: {
    meaning: "The storage of the image is on a network that failed.",
    advice: "Check the connection, then try again.",
  },
  QCOW2_AUTH: {
    meaning: "The storage of the image wants other credentials.",
    advice: "Check the credentials of the storage.",
  },
  QCOW2_TIMEOUT: {
    meaning: "The storage of the image did not answer in time.",
    advice: "Try again; raise the time-out if it is known to be slow.",
  },
  QCOW2_ABORTED: {
    meaning: "Work on the image was stopped. The image is as it was before.",
    advice: "Run it again.",
  },
  QCOW2_BACKING_CYCLE: {
    meaning: "The chain of backing files leads back to a file that is in it already.",
    advice:
      "Name another backing file: box disk rebase --unsafe --backing FILE --backing-format raw|qcow2 IMAGE.",
  },
  QCOW2_BACKING_DENIED: {
    meaning:
      "The image names a backing file that may not be opened: by default only files below the image's own folder are, so that an image from elsewhere cannot read yours.",
    advice: "If you trust the image, allow the folder of its backing file.",
  },
  QCOW2_BACKING_FORMAT_UNSPECIFIED: {
    meaning:
      "The image names a backing file without saying its format. Guessing it from the content is a known attack.",
    advice:
      "Write the format down: box disk rebase --unsafe --backing FILE --backing-format raw|qcow2 IMAGE.",
  },
  QCOW2_BACKING_MISSING: {
    meaning:
      "The backing file of the image is not there. An overlay alone holds only what changed, so its data cannot be read.",
    advice: "Restore the backing file at the place that the message names.",
  },
  QCOW2_CHAIN_TOO_DEEP: {
    meaning: "The image has more backing files, one below the other, than the limit.",
    advice: "Put some of them together: box disk commit IMAGE.",
  },
  QCOW2_COMPRESSED_DATA_INVALID: {
    meaning: "A compressed cluster cannot be decompressed.",
    advice:
      "Restore the image from a backup; what can be read can be copied with qemu-img convert.",
  },
  QCOW2_DATA_FILE_DENIED: {
    meaning:
      "The image keeps its data in another file, which may not be opened: by default only files below the image's own folder are.",
    advice: "If you trust the image, allow the folder of its data file.",
  },
  QCOW2_DATA_FILE_MISSING: {
    meaning: "The file that holds the image's data is not there.",
    advice: "Restore it at the place that the message names.",
  },
  QCOW2_DATA_FILE_OFFSET_WRONG: {
    meaning:
      "The image's data file is said to be a raw disk, and a cluster is not at the place that a raw disk has it.",
    advice: "Restore the image and its data file from the same backup.",
  },
  QCOW2_DATA_FILE_SHARED: {
    meaning:
      "The file that the image names for its data is the image itself, a file below it, or the data file of one: writing to it would destroy that one. Nothing was written.",
    advice:
      "Give the image a data file of its own. An image from elsewhere that does this is hostile.",
  },
  QCOW2_ENCRYPTED: {
    meaning: "The image is encrypted, and no key was given.",
    advice: "Give the passphrase in a file: --passphrase-file FILE.",
  },
  QCOW2_FILE_NOT_FOUND: {
    meaning: "The file of the image is not there.",
    advice: "Check the path in the message.",
  },
  QCOW2_SNAPSHOT_NOT_FOUND: {
    meaning: "The image has no snapshot with this name or id.",
    advice: "List its snapshots: box disk info IMAGE.",
  },
  QCOW2_UNSUPPORTED_BACKING_FORMAT: {
    meaning: "The backing file is of a format that is neither qcow2 nor raw.",
    advice: "Convert the backing file, then rebase the image on it.",
  },
  QCOW2_DIRTY: {
    meaning:
      "The image was not closed: its reference counts may be too low, so what needs them right is refused. Reading is not.",
    advice: "Repair it: box disk check --repair all IMAGE.",
  },
  QCOW2_LUKS_INVALID: {
    meaning: "The header of the image's encryption is damaged, so that no passphrase can open it.",
    advice: "Restore the image, or the header of its encryption, from a backup.",
  },
  QCOW2_LUKS_LIMIT: {
    meaning:
      "Trying a passphrase would take more rounds of key derivation than the limit allows: minutes of work that somebody else asked for.",
    advice: "If you trust the image, open it with the program that wrote it.",
  },
  QCOW2_PASSPHRASE_WRONG: {
    meaning: "The passphrase opens none of the key slots of the encrypted image.",
    advice: "Give the passphrase that the image was made with, without a line break at its end.",
  },
  QCOW2_HAS_BITMAPS: {
    meaning:
      "The disk has dirty bitmaps, which would not say what applying a snapshot changes. Nothing was changed; QEMU refuses it too.",
    advice: "Remove the bitmaps first; the next backup is then a full one.",
  },
  QCOW2_BITMAP_NOT_FOUND: {
    meaning: "The image has no dirty bitmap with this name.",
    advice: "List its bitmaps: box disk info IMAGE.",
  },
  QCOW2_BITMAP_EXISTS: {
    meaning: "The image has a dirty bitmap with this name already.",
    advice: "Take another name, or remove that bitmap first.",
  },
  QCOW2_BITMAP_IN_USE: {
    meaning:
      "The dirty bitmap does not say everything that was written: its last writer did not close the image, or it has extra data that is not known here.",
    advice: "Remove the bitmap and add it anew; the next backup is then a full one.",
  },
};
