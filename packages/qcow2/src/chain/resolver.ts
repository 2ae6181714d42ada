import type { RandomAccess } from "@box/io";
import { decodeUtf8, isProtocolLike, toNameBytes } from "../bytes/text.ts";
import { Qcow2Error } from "../errors.ts";

/** A file that an image names and that must be opened to read it. */
export interface FileRequest {
  /** What the image wants it for. */
  readonly role: "backing" | "data-file";
  /** The name as it stands in the image. */
  readonly nameBytes: Uint8Array;
  /** The name as text, when the bytes are valid UTF-8. */
  readonly name?: string;
  /** The name for people. */
  readonly displayName: string;
  /** The format that the image states for it. */
  readonly format?: string;
  /** How deep in the chain the file is: 1 for the backing file of the top image. */
  readonly depth: number;
  /** Whether it will be written: only the data file of a top image that is open for writing. */
  readonly mode: "r" | "rw";
  /** Where the image that names it is, as its own resolver said. */
  readonly fromLocation?: string;
}

/** A file that a resolver opened. */
export interface ResolvedFile {
  /** The file. It is closed with the image when it has a `close` method. */
  readonly source: RandomAccess & {
    /** Gives the file back. */
    close?(): Promise<void>;
  };
  /** Its format, when the resolver knows better than the image. */
  readonly format?: "raw" | "qcow2";
  /** Where it is, for names that are relative to it; told to the resolver again. */
  readonly location?: string;
}

/**
 * Decides whether a file that an image names may be opened, and opens it.
 *
 * Returns `undefined` to refuse (`denied`). Throws an error of kind `not-found` when there is no such file; every other
 * error is the storage's.
 */
export type FileResolver = (request: FileRequest) => Promise<ResolvedFile | undefined>;

/** Refuses every file: the default. */
export const denyAll: FileResolver = async () => undefined;

/** A name and how to open the file behind it. */
export interface AllowedFile {
  /** The exact name, byte for byte, as it stands in the image. */
  readonly name: Uint8Array | string;
  /** Opens it. */
  open(): Promise<ResolvedFile> | ResolvedFile;
}

/** Allows exactly the given names and refuses every other. */
export function allowList(files: readonly AllowedFile[]): FileResolver {
  const allowed = files.map((file) => ({ file, bytes: toNameBytes(file.name) }));
  return async ({ nameBytes }) => {
    const match = allowed.find(({ bytes }) => isSame(bytes, nameBytes));
    return match?.file.open();
  };
}

/** The refusal of a file that a resolver does not allow. */
export function deniedError(request: FileRequest): Qcow2Error {
  const isBacking = request.role === "backing";
  return new Qcow2Error({
    code: isBacking ? "QCOW2_BACKING_DENIED" : "QCOW2_DATA_FILE_DENIED",
    message: `the image names the ${isBacking ? "backing" : "data"} file ${request.displayName}, which may not be opened`,
    details: { name: request.displayName, depth: request.depth },
    hint: `pass a resolver that allows it as the option ${isBacking ? "backing" : "dataFile"}`,
  });
}

/** The refusal of a file that is not there. */
export function missingError(request: FileRequest, cause: unknown): Qcow2Error {
  const isBacking = request.role === "backing";
  return new Qcow2Error({
    code: isBacking ? "QCOW2_BACKING_MISSING" : "QCOW2_DATA_FILE_MISSING",
    message: `the image names the ${isBacking ? "backing" : "data"} file ${request.displayName}, which does not exist`,
    details: { name: request.displayName, depth: request.depth },
    ...(isProtocolLike(request.displayName) && { hint: protocolHint }),
    cause,
  });
}

const protocolHint =
  "the name is taken for a path: what stands before its colon, and QEMU takes for a protocol, means nothing here; rebase the image on a path";

/** What opening a file threw, as {@link missingError} when it is not there after all: sources may open late. */
export function lateError(error: unknown, request: FileRequest): unknown {
  const isMissing = error instanceof Qcow2Error && error.code === "QCOW2_FILE_NOT_FOUND";
  return isMissing ? missingError(request, error) : error;
}

/** The request for a name that stands in an image. */
export function requestFor(
  role: FileRequest["role"],
  nameBytes: Uint8Array,
  displayName: string,
  rest: Pick<FileRequest, "depth"> & {
    format?: string | undefined;
    fromLocation?: string | undefined;
    mode?: "r" | "rw" | undefined;
  },
): FileRequest {
  const name = decodeUtf8(nameBytes);
  return {
    role,
    nameBytes,
    displayName,
    depth: rest.depth,
    mode: rest.mode ?? "r",
    ...(name !== undefined && { name }),
    ...(rest.format !== undefined && { format: rest.format }),
    ...(rest.fromLocation !== undefined && { fromLocation: rest.fromLocation }),
  };
}

function isSame(a: Uint8Array, b: Uint8Array): boolean {
  return a.byteLength === b.byteLength && a.every((byte, index) => byte === b[index]);
}
