import { type Once, once } from "@box/pipeline";
import type { BaseCache, BaseDisk, EnsureBaseOptions } from "../base/base-cache.ts";
import type { BaseEvent } from "../base/base-events.ts";
import type { InjectedFile } from "../build/injected-layer.ts";
import type { RootfsOptions } from "../build/recipe.ts";
import type { LayerSource } from "../merge/layer-source.ts";
import { type EnvironmentEntry, splitEnvironment } from "./environment.ts";

/** Kernel and initial RAM disk that a system boots with, when they are known. */
export interface BootFiles {
  /** Path of the kernel. */
  readonly kernelPath?: string;
  /** Path of the initial RAM disk. */
  readonly initrdPath?: string;
}

/**
 * The system that boots a box. `disk` has a base that each box lays its own overlay on; `initramfs` has everything in
 * the initial RAM disk, and no disk.
 */
export type GuestRootfs =
  | ({
      readonly type: "disk";
      /** The base of every box's `guest-rootfs.qcow2`. */
      readonly base: BaseDisk;
      /** Digest of the image's manifest. */
      readonly imageDigest: string;
      /** The environment that the image's config names. */
      readonly environment: readonly EnvironmentEntry[];
    } & BootFiles)
  | ({ readonly type: "initramfs" } & BootFiles);

/** An image that a guest rootfs is made from. */
export interface GuestImage {
  /** Digest of its manifest. */
  readonly digest: string;
  /** Where it came from, for people. */
  readonly source: string;
  /** `config.Env` of its config. */
  readonly env?: readonly string[] | null;
  /** Its layers, lowest first. */
  readonly layers: readonly LayerSource[];
}

/** How a guest rootfs is made. A tagged union: the choice is recorded with a box and never changes silently. */
export type GuestRootfsStrategy =
  | ({
      readonly type: "disk";
      /** Finds the image; it may fetch it. */
      readonly image: (signal: AbortSignal) => Promise<GuestImage>;
      /** Where its base is kept. */
      readonly cache: BaseCache;
      /** Files put on top of it, such as the agent; none unless given. */
      readonly inject?: readonly InjectedFile[];
      /** Choices of the file system. */
      readonly options?: RootfsOptions;
      /** Told what happens to the base. */
      readonly onEvent?: (event: BaseEvent) => void;
    } & BootFiles)
  | ({ readonly type: "initramfs" } & BootFiles);

/**
 * Prepares the one guest rootfs of a runtime: call this once, and what it gives for every box.
 *
 * Concurrent callers share one attempt, later ones get its result at once. A failed attempt is forgotten: the next
 * caller tries again.
 */
export function initialiseGuestRootfs(strategy: GuestRootfsStrategy): Once<GuestRootfs> {
  return once((signal) => makeGuestRootfs(strategy, signal));
}

async function makeGuestRootfs(
  strategy: GuestRootfsStrategy,
  signal: AbortSignal,
): Promise<GuestRootfs> {
  const boot: BootFiles = {
    ...(strategy.kernelPath === undefined ? {} : { kernelPath: strategy.kernelPath }),
    ...(strategy.initrdPath === undefined ? {} : { initrdPath: strategy.initrdPath }),
  };
  if (strategy.type === "initramfs") return { type: "initramfs", ...boot };
  const { cache, inject, options, onEvent } = strategy;
  const image = await strategy.image(signal);
  const ensure: EnsureBaseOptions = {
    source: image.source,
    signal,
    ...(onEvent === undefined ? {} : { onEvent }),
  };
  const base = await cache.ensure(
    {
      layers: image.layers,
      ...(inject === undefined ? {} : { inject }),
      ...(options === undefined ? {} : { options }),
    },
    ensure,
  );
  const environment = splitEnvironment(image.env);
  return { type: "disk", base, imageDigest: image.digest, environment, ...boot };
}
