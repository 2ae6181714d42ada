import type { Descriptor } from "../content/descriptor.ts";
import { pinnedDigest } from "../content/digest.ts";
import { OrasError } from "../errors.ts";

/** An entry that has names. */
export interface NamedEntry {
  /** What it is. */
  readonly descriptor: Descriptor;
  /** What it is called, as it is written there. */
  readonly names: readonly string[];
}

/** Where entries are chosen from, for messages. */
export interface EntryPlace {
  /** In words: `image layout /a`. */
  readonly what: string;
  /** Its path. */
  readonly path: string;
}

/**
 * Finds the entry that a name or a digest means. Never the first of several that differ, and never one that only calls
 * itself by a digest.
 *
 * @throws OrasError `OCI_AMBIGUOUS_REFERENCE`.
 */
export function findEntry(
  entries: readonly NamedEntry[],
  reference: string,
  place: EntryPlace,
): Descriptor | undefined {
  const pinned = pinnedDigest(reference);
  const named = entries
    .filter(({ descriptor, names }) => descriptor.digest === reference || names.includes(reference))
    .filter(({ descriptor }) => pinned === undefined || descriptor.digest === pinned)
    .map(({ descriptor }) => descriptor);
  const [first] = named;
  if (first !== undefined && named.some(({ digest }) => digest !== first.digest)) {
    throw ambiguous(place, `${named.length} entries are named ${reference}`, entries);
  }
  return first;
}

/**
 * The only entry, for what holds no names.
 *
 * @throws OrasError `OCI_NOT_FOUND`, `OCI_AMBIGUOUS_REFERENCE`.
 */
export function onlyEntry(entries: readonly NamedEntry[], place: EntryPlace): Descriptor {
  const first = entries[0]?.descriptor;
  if (first === undefined) throw noEntry(place, "any image");
  if (entries.some(({ descriptor }) => descriptor.digest !== first.digest)) {
    throw ambiguous(place, `it holds ${entries.length} images`, entries);
  }
  return first;
}

/** The error of a name that means nothing. */
export function noEntry(
  { what, path }: EntryPlace,
  reference: string,
  entries: readonly NamedEntry[] = [],
): OrasError {
  return new OrasError({
    code: "OCI_NOT_FOUND",
    message: `cannot find ${reference} in ${what}`,
    details: { path, reference },
    ...(entries.length === 0 ? {} : { hint: `it holds ${listNames(entries)}` }),
  });
}

function ambiguous(
  { what, path }: EntryPlace,
  why: string,
  entries: readonly NamedEntry[],
): OrasError {
  return new OrasError({
    code: "OCI_AMBIGUOUS_REFERENCE",
    message: `cannot choose an image of ${what}: ${why}`,
    details: { path },
    hint: `name one of ${listNames(entries)}`,
  });
}

function listNames(entries: readonly NamedEntry[]): string {
  const names = entries.flatMap((entry) =>
    entry.names.length > 0 ? entry.names : [entry.descriptor.digest],
  );
  return names.length > 10 ? `${names.slice(0, 10).join(", ")} and more` : names.join(", ");
}
