import type { FlagSpec } from "../command/define-command.ts";

/** The format of the file; never guessed from its content. */
export const inputFormatFlag: FlagSpec = {
  name: "input-format",
  short: "f",
  value: "FORMAT",
  summary: "format of FILE (default: qcow2); a file of another format is an error",
  choices: ["qcow2", "raw"],
};

/** Where backing and data files may be. */
export const allowFlag: FlagSpec = {
  name: "allow",
  value: "DIR",
  summary:
    "open backing and data files only below this folder (repeatable; default: the image's own folder)",
  many: true,
  complete: "directories",
};

/** Opens encrypted images. */
export const passphraseFileFlag: FlagSpec = {
  name: "passphrase-file",
  value: "FILE",
  summary: "every byte of this file is the passphrase of an encrypted image",
  complete: "files",
};

/** Replaces what is there. */
export const forceFlag: FlagSpec = {
  name: "force",
  summary: "replace an existing file, once the new one is whole",
};

/** What a fresh qcow2 image is like. */
export const imageFlags: readonly FlagSpec[] = [
  {
    name: "cluster-size",
    value: "SIZE",
    summary: "size of a cluster, a power of two from 512 to 2MiB (default: 64KiB)",
  },
  {
    name: "refcount-bits",
    value: "BITS",
    summary: "width of a reference count (default: 16)",
    choices: ["1", "2", "4", "8", "16", "32", "64"],
  },
  {
    name: "compat",
    value: "VERSION",
    summary: "1.1 is version 3 of the format (default), 0.10 version 2",
    choices: ["0.10", "1.1"],
  },
  { name: "extended-l2", summary: "clusters have 32 subclusters; needs clusters of 16KiB or more" },
  { name: "lazy-refcounts", summary: "writers may bring reference counts up to date later" },
];

/** Which backing file an image has. */
export const backingFlags: readonly FlagSpec[] = [
  {
    name: "backing",
    value: "NAME",
    summary: "the backing file, which holds what FILE itself does not",
    complete: "files",
  },
  {
    name: "backing-format",
    value: "FORMAT",
    summary: "format of the backing file; must be given with it",
    choices: ["qcow2", "raw"],
  },
];
