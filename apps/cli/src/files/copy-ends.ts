import { posix } from "node:path";
import { CliError } from "../errors.ts";

/** One side of a copy. */
export type CopyEnd =
  | { readonly type: "box"; readonly box: string; readonly path: string; readonly shape: PathShape }
  | { readonly type: "host"; readonly path: string; readonly shape: PathShape }
  /** A tar archive on the standard input or output. */
  | { readonly type: "stream" };

/** What the end of a written path says. */
export interface PathShape {
  /** It ends with a slash: it is to be a folder. */
  readonly isFolder: boolean;
  /** It ends with `/.`: not the folder itself, but what is in it. */
  readonly isContent: boolean;
}

/** Both sides: exactly one is in a box. @throws CliError `CLI_USAGE`. */
export function parseCopyEnds(
  from: string,
  to: string,
): { readonly source: CopyEnd; readonly target: CopyEnd } {
  const [source, target] = [parseEnd(from), parseEnd(to)];
  if ((source.type === "box") !== (target.type === "box")) return { source, target };
  throw new CliError({
    code: "CLI_USAGE",
    message: "exactly one of both must be in a box, written as BOX:PATH",
    hint: "put ./ before the path of a file of this host that has a colon in its name",
  });
}

function parseEnd(text: string): CopyEnd {
  if (text === "-") return { type: "stream" };
  const [, box, written] = /^([A-Za-z0-9][A-Za-z0-9_.-]*):(.*)$/s.exec(text) ?? [];
  if (box === undefined || written === undefined) {
    return { type: "host", path: text, shape: shapeOf(text) };
  }
  if (written === "") {
    throw new CliError({ code: "CLI_USAGE", message: `${text} names no path in the box` });
  }
  return { type: "box", box, path: posix.resolve("/", written), shape: shapeOf(written) };
}

function shapeOf(path: string): PathShape {
  return { isFolder: path.endsWith("/"), isContent: path === "." || path.endsWith("/.") };
}

/** What is at the place that something is copied to. */
export type FoundAtTarget = "folder" | "file" | "missing";

/** Where a copy goes: into a folder, under a name; without one only what is in the copied folder goes there. */
export interface CopyPlace {
  readonly folder: string;
  readonly name?: string;
}

/**
 * Where something goes, as users of `cp` and docker expect: into a folder that is there, else in its place.
 *
 * @throws CliError `CLI_NO_SUCH_PATH`, `CLI_INVALID_ARGUMENT`.
 */
export function placeOf(
  source: { readonly name: string; readonly isFolder: boolean; readonly shape: PathShape },
  target: { readonly path: string; readonly shape: PathShape; readonly found: FoundAtTarget },
): CopyPlace {
  const { path, shape, found } = target;
  if (found === "folder") {
    return source.isFolder && source.shape.isContent
      ? { folder: path }
      : { folder: path, name: source.name };
  }
  if (found === "file" && (source.isFolder || shape.isFolder)) {
    throw new CliError({
      code: "CLI_INVALID_ARGUMENT",
      message: `${path} is a file, and what is copied needs a folder there`,
      details: { path },
      hint: "name another place, or remove the file",
    });
  }
  if (!source.isFolder && (shape.isFolder || shape.isContent)) {
    throw new CliError({
      code: "CLI_NO_SUCH_PATH",
      message: `there is no folder ${path} to copy a file into`,
      details: { path },
      hint: "make the folder first",
    });
  }
  return { folder: posix.dirname(path), name: posix.basename(path) };
}
