import type { CodePages } from "./page.ts";

/** The command line's own codes. */
export const cliPages: CodePages = {
  CLI_USAGE: {
    meaning: "The command line has an unknown command or flag, or a word is missing or too many.",
    advice: "Look at the command's own help: box COMMAND --help.",
  },
  CLI_INVALID_ARGUMENT: {
    meaning: "A word or a flag has a value that the command cannot take. Nothing was changed.",
    advice: "The message names the flag and the hint the values; box schema COMMAND has the rules.",
  },
  CLI_UNSUPPORTED: {
    meaning:
      "The command makes no sense for a file of this format, such as checking a raw disk, which has no structure to check; or Box does not do it, such as sharing a folder of the host with a box (--volume).",
    advice:
      "If the file is a qcow2 image, leave -f raw out; a raw disk can be converted with box disk convert -f raw -O qcow2. Files are copied into boxes and out of them by box cp.",
  },
  CLI_FILE_IN_USE: {
    meaning:
      "Another process uses the disk file: a running QEMU has it open, or another command changes it in place. Writing to it now would damage it, so nothing was changed.",
    advice:
      "Stop the machine that uses the disk, or wait for the command that changes it; the message names its process where that is known. The locks of a process end with it; none is ever left behind.",
  },
  CLI_UNKNOWN_CODE: {
    meaning: "No package has an error with this code.",
    advice: "Run box explain without a code for the list of all codes.",
  },
  CLI_NO_SUCH_PATH: {
    meaning:
      "There is no file or folder with this path, on a disk, on this host or in a running machine.",
    advice:
      "List what is there; for a disk with box rootfs ls FILE, where bytes that are no text are written \\xNN.",
  },
  CLI_TIMEOUT: {
    meaning: "The command was stopped because --timeout had passed. What was half made is removed.",
    advice:
      "Give it more time. Finished steps are kept, so the next run starts where this one was.",
  },
  CLI_INTERRUPTED: {
    meaning: "A signal such as Ctrl-C stopped the command. What was half made is removed.",
    advice: "Run the command again; finished steps are kept and not done again.",
  },
  CLI_OUTPUT_FAILED: {
    meaning:
      "The result could not be written to stdout, such as to a file on a full disk. The command's own work is done and stays done; only its output is incomplete.",
    advice:
      "Free some space or send the output elsewhere; box ls and box inspect show what was made.",
  },
  CLI_COPY_REFUSED: {
    meaning:
      "A running machine sent a file that cannot be written below the folder it is copied to: it leads through a link, takes the place of a folder, or was sent twice. Nothing outside of the folder was written.",
    advice:
      "Copy into an empty folder. When that is refused as well, what runs in the box is not the agent of box.",
  },
  CLI_COPY_LIMIT: {
    meaning:
      "A running machine sends more files, or more bytes, than may come out of one. What was written stays.",
    advice:
      "Raise the limit with --limit copy-entries=N or --limit copy-size=SIZE if it is to be so much.",
  },
};
