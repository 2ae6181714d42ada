import { errnoOf, nodeFileSystem } from "@box/io/node";
import { type Once, once } from "@box/pipeline";
import {
  type BaseCache,
  type BaseEvent,
  type GuestImage,
  type GuestRootfs,
  type IsBaseSound,
  initialiseGuestRootfs,
} from "@box/rootfs";
import {
  type ImageSource,
  type Reporter,
  type SourceImage,
  withWholeLayers,
} from "./image-source.ts";
import { reportBase } from "./report-base.ts";

/** A guest root file system with a disk: what overlays are made on. */
export type DiskBootstrap = Extract<GuestRootfs, { readonly type: "disk" }>;

/** Which guest root file system is wanted. */
export interface BootstrapRequest {
  /** The image's reference; box's own bootstrap image when absent. */
  readonly reference?: string;
  /** Digest of the image's manifest, when the box knows it. */
  readonly digest?: string;
}

/** What {@link Bootstraps} works with. */
export interface BootstrapsOptions {
  /** Where images come from. */
  readonly source: ImageSource;
  /** Where bases are kept. */
  readonly bases: BaseCache;
}

interface Shared {
  readonly attempt: Once<GuestRootfs>;
  readonly reporters: Set<Reporter>;
}

/**
 * Initialises each bootstrap guest root file system once per runtime.
 *
 * Concurrent callers share one attempt and all hear its progress; a failed attempt is not remembered. A base that
 * has vanished or was damaged since is made again.
 */
export class Bootstraps {
  readonly #options: BootstrapsOptions;
  readonly #shared = new Map<string, Shared>();

  constructor(options: BootstrapsOptions) {
    this.#options = options;
  }

  /** Gives the base and what its image says, made by this call or an earlier one. */
  async get(request: BootstrapRequest, reporter: Reporter): Promise<DiskBootstrap> {
    const shared = this.#sharedOf(request);
    const bootstrap = await join(shared, reporter);
    if (await isBaseThere(bootstrap.base, soundness(this.#options.bases, reporter)))
      return bootstrap;
    // Only the first who notices forgets it; the others share the new attempt.
    if (this.#shared.get(keyOf(request)) === shared) this.#shared.delete(keyOf(request));
    return join(this.#sharedOf(request), reporter);
  }

  #sharedOf(request: BootstrapRequest): Shared {
    const known = this.#shared.get(keyOf(request));
    if (known !== undefined) return known;
    const reporters = new Set<Reporter>();
    const shared = { reporters, attempt: this.#initialise(request, reporters) };
    this.#shared.set(keyOf(request), shared);
    return shared;
  }

  #initialise(request: BootstrapRequest, reporters: ReadonlySet<Reporter>): Once<GuestRootfs> {
    const { source, bases } = this.#options;
    const { reference } = request;
    const onEvent = (event: BaseEvent): void => {
      for (const reporter of reporters) reportBase(reporter)(event);
    };
    return once(async (signal) => {
      const reporter = tellAll(reporters, signal);
      const name = reference ?? "of box itself";
      reporter.info(`initializing the bootstrap guest rootfs ${name}, once in this process`);
      const found =
        reference === undefined
          ? await source.ensureBootstrapImage(reporter)
          : await source.ensureImage({ ...request, reference }, reporter);
      return withWholeLayers(found, reporter, (image) =>
        initialiseGuestRootfs({
          type: "disk",
          cache: bases,
          onEvent,
          image: async () => guestImageOf(image),
        })({ signal }),
      );
    });
  }
}

function guestImageOf({ digest, reference, config, layers }: SourceImage): GuestImage {
  const env = config.environment.map(([key, value]) => `${key}=${value}`);
  return { digest, source: reference, env, layers };
}

/** Whether a base is there as it was. One that cannot be looked at counts: its use tells why. */
export async function isBaseThere(
  base: { readonly path: string; readonly sizeBytes: number },
  isSound?: IsBaseSound,
): Promise<boolean> {
  try {
    const facts = await nodeFileSystem.stat(base.path);
    if (!facts.isFile() || Number(facts.size) !== base.sizeBytes) return false;
  } catch (error) {
    return errnoOf(error) !== "ENOENT";
  }
  return (await isSound?.(base.path)) !== false;
}

/** Looks at the content of bases of a home, and tells where that takes long. */
export function soundness(bases: BaseCache, reporter: Reporter): IsBaseSound {
  const { signal } = reporter;
  return (path) => bases.isSound(path, { signal, onEvent: reportBase(reporter) });
}

async function join({ attempt, reporters }: Shared, reporter: Reporter): Promise<DiskBootstrap> {
  reporters.add(reporter);
  try {
    const bootstrap = await attempt({ signal: reporter.signal });
    if (bootstrap.type !== "disk") throw new Error("a disk was asked for");
    return bootstrap;
  } finally {
    reporters.delete(reporter);
  }
}

function keyOf({ reference, digest }: BootstrapRequest): string {
  return JSON.stringify([reference ?? null, digest ?? null]);
}

function tellAll(reporters: ReadonlySet<Reporter>, signal: AbortSignal): Reporter {
  return {
    signal,
    progress: (event) => {
      for (const reporter of reporters) reporter.progress(event);
    },
    info: (message, details) => {
      for (const reporter of reporters) reporter.info(message, details);
    },
    warn: (event) => {
      for (const reporter of reporters) reporter.warn(event);
    },
    cached: (message, details) => {
      for (const reporter of reporters) reporter.cached(message, details);
    },
  };
}
