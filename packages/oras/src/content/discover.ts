import { OrasError } from "../errors.ts";
import { type CopyOptions, copyGraph, leaseFor } from "./copy.ts";
import type { Descriptor } from "./descriptor.ts";
import type { Digest } from "./digest.ts";
import type { CopyDestination, GraphTarget, OperationOptions, ReadonlyTarget } from "./target.ts";

/** Entries of lists repeat their manifests' annotations: so much of them, as JSON, is kept in memory and no more. */
const maxEntryBytes = 32 * 1024 * 1024;

/** Something attached to content, and what is attached to that. */
export interface Referrer {
  /** The artifact's manifest. */
  readonly descriptor: Descriptor;
  /** What is attached to it. */
  readonly referrers: readonly Referrer[];
}

/** Options of {@link discover}. */
export interface DiscoverOptions extends OperationOptions {
  /** How far from the content it looks; 8 unless given. What is farther away is left out. */
  readonly maxDepth?: number;
  /** The most entries that lists of what is attached may have in all; 10,000 unless given. */
  readonly maxReferrers?: number;
}

/**
 * Finds what is attached to content, and to that, and so on; each manifest once.
 *
 * @throws {@link OrasError} `OCI_TOO_LARGE` when more is attached, or says more about itself than 32 MiB: whoever may attach
 * something could go on for ever.
 */
export async function discover(
  target: GraphTarget,
  subject: Descriptor,
  options: DiscoverOptions = {},
): Promise<readonly Referrer[]> {
  const search = { visited: new Set([subject.digest]), listed: 0, entryBytes: 0, subject };
  return discoverBelow(target, subject, options, search, 0);
}

/**
 * Copies what a reference names, with all it refers to and all that is attached to it, and tags it there.
 *
 * @returns The descriptor of what the reference names.
 */
export async function extendedCopy(
  source: ReadonlyTarget & GraphTarget,
  sourceReference: string,
  destination: CopyDestination,
  destinationReference: string = sourceReference,
  options: CopyOptions & DiscoverOptions = {},
): Promise<Descriptor> {
  const root = await source.resolve(sourceReference, options);
  await using own = await leaseFor(destination, options);
  const leased = { lease: own, ...options };
  await copyGraph(source, root, destination, leased);
  const attached = await discover(source, root, options);
  await copyAttached(source, attached, destination, leased);
  await destination.tag(root, destinationReference, options);
  return root;
}

interface Search {
  /** Where it began. */
  readonly subject: Descriptor;
  readonly visited: Set<Digest>;
  /** Entries of lists so far. */
  listed: number;
  /** What those that are kept say, in bytes. */
  entryBytes: number;
}

async function discoverBelow(
  target: GraphTarget,
  subject: Descriptor,
  options: DiscoverOptions,
  search: Search,
  depth: number,
): Promise<Referrer[]> {
  const found: Referrer[] = [];
  const { maxDepth = 8, maxReferrers = 10_000 } = options;
  if (depth >= maxDepth) return found;
  for await (const descriptor of target.predecessors(subject, options)) {
    if (++search.listed > maxReferrers) throw tooMuch(search.subject, maxReferrers, "artifacts");
    if (search.visited.has(descriptor.digest)) continue;
    search.visited.add(descriptor.digest);
    search.entryBytes += JSON.stringify(descriptor).length;
    if (search.entryBytes > maxEntryBytes) {
      throw tooMuch(search.subject, maxEntryBytes, "bytes about artifacts");
    }
    const referrers = await discoverBelow(target, descriptor, options, search, depth + 1);
    found.push({ descriptor, referrers });
  }
  return found;
}

async function copyAttached(
  source: ReadonlyTarget,
  attached: readonly Referrer[],
  destination: CopyDestination,
  options: CopyOptions,
): Promise<void> {
  for (const { descriptor, referrers } of attached) {
    await copyGraph(source, descriptor, destination, options);
    await copyAttached(source, referrers, destination, options);
  }
}

function tooMuch({ digest }: Descriptor, limit: number, what: string): OrasError {
  return new OrasError({
    code: "OCI_TOO_LARGE",
    message: `cannot discover what is attached to ${digest}: it is more than ${limit} ${what}`,
    details: { digest, limit },
  });
}
