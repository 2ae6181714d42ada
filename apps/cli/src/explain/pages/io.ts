import type { CodePages } from "./page.ts";

/** Codes of `@box/io`. */
export const ioPages: CodePages = {
  IO_FAILED: {
    meaning:
      "The system refused or failed to read or write a file; the detail errno has its name for it. Nothing is known about the content, so box never treats it as corrupt and never throws it away.",
    advice:
      "EACCES: check the owner and the mode of the path. EIO: check the disk and the kernel's log.",
  },
  IO_SYNC_FAILED: {
    meaning:
      "The system could not bring written data to stable storage. The new file is not used; the old one, if any, is still there.",
    advice: "Check the disk and the kernel's log before trying again.",
  },
  IO_NOT_FOUND: {
    meaning: "A file or a folder that is needed is not there.",
    advice: "Check the path in the message.",
  },
  IO_EXISTS: {
    meaning: "A new file was asked for where one exists already; it is left alone.",
    advice: "Choose another name, or remove the file yourself.",
  },
  IO_NO_SPACE: {
    meaning: "The file system, or a quota on it, is full. What was half written is removed.",
    advice: "Free some space, or use another home with --home, and run the command again.",
  },
  IO_READ_ONLY: {
    meaning: "The file system is mounted read-only, or the file was opened for reading.",
    advice: "Use a home on a writable file system: --home DIR.",
  },
  IO_LOCK_HELD: {
    meaning:
      "Another process works on the same thing and did not finish in time. It is named in the details.",
    advice: "Wait for it, or end it, and run the command again.",
  },
};
