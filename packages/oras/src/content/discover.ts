import { type CopyOptions, copyGraph } from "./copy.ts";
import type { Descriptor } from "./descriptor.ts";
import type { Digest } from "./digest.ts";
import type { CopyDestination, GraphTarget, OperationOptions, ReadonlyTarget } from "./target.ts";

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
}

/** Finds what is attached to content, and to that, and so on; each manifest once. */
export async function discover(
  target: GraphTarget,
  subject: Descriptor,
  options: DiscoverOptions = {},
): Promise<readonly Referrer[]> {
  return discoverBelow(target, subject, options, new Set([subject.digest]), 0);
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
  options: CopyOptions = {},
): Promise<Descriptor> {
  const root = await source.resolve(sourceReference, options);
  await copyGraph(source, root, destination, options);
  const attached = await discover(source, root, options);
  await copyAttached(source, attached, destination, options);
  await destination.tag(root, destinationReference, options);
  return root;
}

async function discoverBelow(
  target: GraphTarget,
  subject: Descriptor,
  options: DiscoverOptions,
  visited: Set<Digest>,
  depth: number,
): Promise<Referrer[]> {
  const found: Referrer[] = [];
  if (depth >= (options.maxDepth ?? 8)) return found;
  for await (const descriptor of target.predecessors(subject, options)) {
    if (visited.has(descriptor.digest)) continue;
    visited.add(descriptor.digest);
    const referrers = await discoverBelow(target, descriptor, options, visited, depth + 1);
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
