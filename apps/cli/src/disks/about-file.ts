import { BoxError, type BoxErrorOptions, isBoxError } from "@box/errors";

/** What to do about errors of `@box/qcow2`, in words of the command line. */
const hints: Readonly<Record<string, string>> = {
  QCOW2_BAD_MAGIC: "if it is a raw disk, say so with -f raw; formats are never guessed",
  QCOW2_BACKING_FORMAT_UNSPECIFIED:
    "state it once: box disk rebase --unsafe --backing FILE --backing-format raw|qcow2 IMAGE",
  QCOW2_ENCRYPTED:
    "give the passphrase in a file, --passphrase-file FILE, to read it; what changes it cannot do so: convert it first",
  QCOW2_PASSPHRASE_WRONG: "every byte of the passphrase file counts, a line break at its end too",
  QCOW2_NO_SPACE: "free space on that file system, or choose another one, and try again",
  QCOW2_DIRTY: "repair it first: box disk check --repair all FILE",
  QCOW2_MARKED_CORRUPT: "see what is wrong with: box disk check FILE",
  QCOW2_BITMAP_NOT_FOUND: "see which it has with: box disk bitmap list FILE",
  QCOW2_BITMAP_EXISTS: "take another name, or start it anew: box disk bitmap clear FILE NAME",
  QCOW2_BITMAP_IN_USE:
    "remove it: box disk bitmap remove FILE NAME; the next backup is then a full one",
};

/** Errors of a backing file whose hint would point at the image instead. */
const hintsInChain: Readonly<Record<string, string>> = {
  QCOW2_BAD_MAGIC: "the image says that this file is qcow2, and it is not",
};

/** Does something with a disk file and names the file in errors, for readers do not know what they read from. */
export async function aboutFile<T>(file: string, work: () => Promise<T>): Promise<T> {
  try {
    return await work();
  } catch (error) {
    throw isBoxError(error) ? naming(file, error) : error;
  }
}

function naming(file: string, error: BoxError): BoxError {
  const { message, details } = error;
  // Failures of the system name their own file, which need not be this one.
  const hasOwnFile = typeof details["path"] === "string";
  const isNamed = hasOwnFile || message.includes(file);
  const hint = hintOf(error);
  return remade(error, {
    message: isNamed ? message : `${file}: ${message}`,
    details: hasOwnFile ? details : { file, ...details },
    ...(hint === undefined ? {} : { hint }),
  });
}

function hintOf({ code, details, hint }: BoxError): string | undefined {
  if (details["errno"] === "EISDIR") {
    // What an image names is opened for the image, not for the command line.
    return code === "QCOW2_IO"
      ? "the image names a folder; give it another file: box disk rebase --unsafe"
      : "this is a folder; give the file of a disk image";
  }
  const isInChain = typeof details["depth"] === "number";
  // A hint that says more than the table, such as the folder to allow, was put there on purpose.
  if (code.endsWith("_DENIED")) return hint;
  return (isInChain ? hintsInChain[code] : undefined) ?? hints[code] ?? hint;
}

/** The same error with another message, hint or details. */
export function remade(error: BoxError, changes: Partial<BoxErrorOptions>): BoxError {
  const { code, kind, message, details, hint, retryable, cause } = error;
  return new BoxError({
    code,
    kind,
    message,
    details,
    retryable,
    ...(hint === undefined ? {} : { hint }),
    ...(cause === undefined ? {} : { cause }),
    ...changes,
  });
}
