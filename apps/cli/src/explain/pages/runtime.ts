import type { CodePages } from "./page.ts";

/** Codes of `@box/runtime`. */
export const runtimePages: CodePages = {
  HOME_NOT_A_FOLDER: {
    meaning: "The home, or a part of its path, is a file.",
    advice: "Choose another home with --home DIR.",
  },
  HOME_NOT_EMPTY: {
    meaning: "The folder has content that no home of box has, so box does not settle there.",
    advice: "Choose another home with --home DIR.",
  },
  HOME_FOREIGN_OWNER: {
    meaning: "The home belongs to another user, who could change its disks under you.",
    advice: "Choose another home with --home DIR.",
  },
  HOME_WRITABLE_BY_OTHERS: {
    meaning: "Others may write to the home, so they could change its disks under you.",
    advice: "Run: chmod go-w DIR, after checking what is in it.",
  },
  HOME_UNREADABLE: {
    meaning: "The home cannot be read or changed.",
    advice: "Check its owner and mode. Choose another home with --home DIR.",
  },
  HOME_TOO_NEW: {
    meaning: "The home was made by a newer version of box.",
    advice: "Use that version, or another home with --home DIR.",
  },
  HOME_VERSION_INVALID: {
    meaning: "The file that tells the format of the home is damaged.",
    advice: "Restore it from a backup; a new home has the single line 1 in it.",
  },
  HOME_ON_NETWORK: {
    meaning: "The home is on a network file system, where the state's locks do not hold.",
    advice: "Use a home on a local disk: --home DIR.",
  },
  HOME_PATH_TOO_LONG: {
    meaning: "The path of the home leaves no room for the names of the files below it.",
    advice: "Use a home with a shorter path: --home DIR.",
  },
  STATE_FAILED: {
    meaning: "The state database could not be read or written.",
    advice: "Check the disk and the permissions of state.db; the details have the reason.",
  },
  STATE_NO_SPACE: {
    meaning: "There is no space to write the state.",
    advice: "Free some space; what was done is not lost.",
  },
  STATE_READ_ONLY: {
    meaning:
      "The state database cannot be written to. Where that is so, boxes can be looked at, unless a process was killed there before.",
    advice: "Use a home on a writable file system: --home DIR.",
  },
  STATE_BUSY: {
    meaning: "Another process held the state for too long.",
    advice: "Wait a moment and run it again.",
  },
  STATE_CORRUPT: {
    meaning: "The state database is damaged. The disks are not.",
    advice:
      "Put a backup of state.db in its place, or use another home; the disks below boxes/ stay.",
  },
  STATE_TOO_NEW: {
    meaning: "The state was written by a newer version of box.",
    advice: "Use that version.",
  },
  BOX_NAME_INVALID: {
    meaning: "The name of a box has characters that are not allowed, or is too long.",
    advice: "Use 1 to 63 of a-z, 0-9, dot, underscore and hyphen, a letter or a digit first.",
  },
  BOX_NAME_TAKEN: {
    meaning: "There is a box of this name already.",
    advice: "Choose another name, or remove the other: box rm NAME.",
  },
  BOX_NOT_FOUND: {
    meaning: "There is no box of this name in this home.",
    advice: "List them with box ls; check --home.",
  },
  BOX_IN_USE: {
    meaning: "The box runs, or another process works on it.",
    advice: "Stop it, or wait for the other process; the details name it.",
  },
  BOX_STATE_ILLEGAL: {
    meaning: "The box is in a state in which this cannot be done.",
    advice: "Look at it with box inspect NAME.",
  },
  BOX_BASE_CHANGED: {
    meaning:
      "The base of a disk is lost, and its image gives another base with this version of box. The overlay on it would be damaged, so nothing was made.",
    advice: "Restore it with the version of box that made it, or put the file back from a backup.",
  },
  BOX_BASE_FOREIGN: {
    meaning:
      "The base of a disk was not made by this home, or lay elsewhere when it was. Box does not know how to make it again, here or where a packed box is unpacked.",
    advice:
      "Put a lost file back at the path that the message names. Pack a box that stands on such a file with its bases, as box pack does without --without-bases.",
  },
  OPERATION_EXISTS: {
    meaning: "There is an operation with this id already.",
    advice: "Use another id, or follow that operation.",
  },
  OPERATION_NOT_FOUND: {
    meaning: "There is no operation with this id; old ones are forgotten.",
    advice: "List the newest with box inspect NAME, or GET /v1/operations.",
  },
  OPERATION_INTERRUPTED: {
    meaning:
      "The process that carried the operation out died. The next command has put right what was half done.",
    advice: "Run it again.",
  },
  BOX_LABEL_INVALID: {
    meaning: "A label has a name or a value that labels cannot have, or there are more than 64.",
    advice:
      "Write --label NAME=VALUE, with letters, digits, dot, underscore, slash and hyphen in the name.",
  },
  BOX_DISK_NOT_MADE: {
    meaning: "The disk that the command works on was never made.",
    advice: "Run: box prepare NAME.",
  },
  BOX_DISK_SHRINKS: {
    meaning: "A disk only grows: what lies at its end would be lost.",
    advice: "Ask for the size it has, or more.",
  },
  BOX_SNAPSHOT_NAME_INVALID: {
    meaning:
      "Snapshots have names of 1 to 63 lower-case letters, digits, dots, underscores and hyphens.",
    advice: "Choose a name that starts with a letter or digit.",
  },
  BOX_SNAPSHOT_NAME_TAKEN: {
    meaning: "The box has a snapshot of this name already.",
    advice: "Choose another name, or remove the old one with box snapshot rm NAME SNAPSHOT.",
  },
  BOX_SNAPSHOT_NOT_FOUND: {
    meaning: "The box has no snapshot of this name.",
    advice: "List its snapshots with box snapshot ls NAME.",
  },
  BOX_EXPORT_DAMAGED: {
    meaning:
      "A base is not as it was recorded, or a disk changed while it was read, so no archive was written.",
    advice: "Run: box rootfs restore NAME, then pack it again.",
  },
  BOX_ARCHIVE_CORRUPT: {
    meaning:
      "The file is no archive of a box, or not one byte for byte as it was written. Nothing was made.",
    advice: "Copy the archive again from where it was made.",
  },
  BOX_ARCHIVE_TOO_NEW: {
    meaning: "The archive was written by a newer version of box.",
    advice: "Unpack it with that version.",
  },
  BOX_IMAGE_CHANGED: {
    meaning:
      "The box's base is needed again, and its image's reference names another image by now. Another base would not fit the box's disk.",
    advice: "Bring the old image back under that reference, or create a new box.",
  },
  BOX_SETTING_INVALID: {
    meaning:
      "Memory, processors, program, restart policy or size of the disk cannot be as they were asked for.",
    advice: "The message names the setting and what it may be.",
  },
  BOX_ENGINE_MISSING: {
    meaning: "What runs virtual machines is not there, so nothing can be started or run.",
    advice: "Do it where there is an engine. Disks can be made and looked at without one.",
  },
  BOX_NOT_RUNNING: {
    meaning: "This wants a box that runs, and it does not.",
    advice: "Start it first.",
  },
  BOX_MACHINE_ORPHANED: {
    meaning:
      "A virtual machine of this box runs, but nothing on record says so; the state may come from a backup. Starting another one would damage its disks.",
    advice: "End the process that the message names when nobody needs it, then start it again.",
  },
};
