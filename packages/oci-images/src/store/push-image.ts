import {
  type CopyEvent,
  copyGraph,
  type Descriptor,
  type Digest,
  hasSuccessors,
  type OciLayout,
  type OperationOptions,
  successorsOf,
  type Target,
} from "@box/oras";
import {
  bareDescriptor,
  defaultImageLimits,
  type Image,
  type ImageLimits,
} from "../image/image.ts";
import { readNode } from "../platform/select.ts";

/** Options of {@link pushImage}. */
export interface PushImageOptions extends OperationOptions {
  /** How large manifests may be. */
  readonly limits?: Partial<ImageLimits>;
  /** How many layers are sent at once; 4 unless given. */
  readonly concurrency?: number;
  /** Told how much of the index is not here when only one platform is sent. */
  readonly onPartial?: (absent: number) => void;
  /** Told about each piece of content. */
  readonly onEvent?: (event: CopyEvent) => void;
}

/**
 * Copies an image of a layout to another target and names it there: with its whole index when all of that is here,
 * else the manifest of the one platform.
 *
 * @returns What the name leads to there.
 */
export async function pushImage(
  layout: OciLayout,
  image: Image,
  target: Target,
  name: string,
  options: PushImageOptions = {},
): Promise<Descriptor> {
  const absent = new Set<Digest>();
  await findAbsent(layout, image.root, absent, new Set(), options);
  const isAll = absent.size === 0;
  if (!isAll) options.onPartial?.(absent.size);
  const pushed = bareDescriptor(isAll ? image.root : image.descriptor);
  await using lease = await target.keep?.([pushed], options);
  await copyGraph(layout, pushed, target, {
    ...options,
    lease,
    maxManifestBytes: { ...defaultImageLimits, ...options.limits }.maxManifestBytes,
    // What an image is about may be elsewhere; its parts are here.
    selectSuccessors: (_parent, successors) =>
      successors.filter(({ digest }) => !absent.has(digest)),
  });
  await target.tag(pushed, name, options);
  return pushed;
}

/** Collects what content refers to and is not here. */
async function findAbsent(
  layout: OciLayout,
  descriptor: Descriptor,
  absent: Set<Digest>,
  visited: Set<Digest>,
  options: PushImageOptions,
): Promise<void> {
  const { digest, mediaType } = descriptor;
  if (visited.has(digest)) return;
  visited.add(digest);
  if (!(await layout.exists(descriptor))) absent.add(digest);
  else if (hasSuccessors(mediaType)) {
    const { document } = await readNode(layout, descriptor, options);
    for (const successor of successorsOf(document)) {
      await findAbsent(layout, successor, absent, visited, options);
    }
  }
}
