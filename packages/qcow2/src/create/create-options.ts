import type { RandomAccess } from "@box/io";
import { Qcow2Error } from "../errors.ts";
import { formatLimits } from "../header/layout.ts";
import { requireOneOf } from "../require-arguments.ts";
import type { BackingReference } from "./header-cluster.ts";

/** The external data file of a fresh image. */
export interface DataFileReference {
  /** The name to store. */
  readonly name: Uint8Array | string;
  /** Whether the data file is to stay a raw image by itself; all L2 tables are then made at once. */
  readonly isRaw?: boolean;
  /** The data file, to be made as long as the disk; the caller does that when it is not given. */
  readonly target?: RandomAccess;
}

/** What {@link createImage} makes. */
export interface CreateImageOptions {
  /** Size of the virtual disk in bytes. QEMU reads whole sectors of 512 bytes only and leaves out the rest. */
  readonly virtualSizeBytes: number;
  /** Format version; 3 unless given. */
  readonly version?: 2 | 3;
  /** A power of two from 512 to 2 MiB; 64 KiB unless given. */
  readonly clusterSizeBytes?: number;
  /** 1, 2, 4, 8, 16, 32 or 64; 16 unless given, and always in version 2. */
  readonly refcountBits?: number;
  /** Whether clusters have subclusters; needs version 3 and clusters of at least 16 KiB. */
  readonly hasExtendedL2?: boolean;
  /** How writers compress; `zlib` unless given, and always in version 2. */
  readonly compressionType?: "zlib" | "zstd";
  /** Whether writers may leave refcounts behind while the image is open; needs version 3. */
  readonly hasLazyRefcounts?: boolean;
  /** The backing file; none unless given. */
  readonly backing?: BackingReference;
  /** Keeps data in another file; needs version 3. */
  readonly dataFile?: DataFileReference;
  /** `off` unless given; `metadata` makes every L2 table and gives every cluster its place, `full` also writes zeros. */
  readonly preallocation?: "off" | "metadata" | "full";
  /** Aborts between writes. */
  readonly signal?: AbortSignal;
}

/** {@link CreateImageOptions} with every default filled in and every rule checked. */
export interface CreateRequest {
  /** Size of the virtual disk in bytes. */
  readonly virtualSizeBytes: number;
  /** Format version. */
  readonly version: 2 | 3;
  /** Cluster size is 2 to this power. */
  readonly clusterBits: number;
  /** A refcount is 2 to this power bits wide. */
  readonly refcountOrder: number;
  /** Whether clusters have subclusters. */
  readonly hasExtendedL2: boolean;
  /** How writers compress. */
  readonly compressionType: "zlib" | "zstd";
  /** Whether refcounts are lazy. */
  readonly hasLazyRefcounts: boolean;
  /** The backing file. */
  readonly backing: BackingReference | undefined;
  /** The external data file. */
  readonly dataFile: DataFileReference | undefined;
  /** How much is made at once. */
  readonly preallocation: "off" | "metadata" | "full";
}

/**
 * Fills in defaults and checks that the options agree.
 *
 * @throws {@link Qcow2Error} `QCOW2_INVALID_ARGUMENT`.
 */
export function toCreateRequest(options: CreateImageOptions): CreateRequest {
  const isRawDataFile = options.dataFile?.isRaw === true;
  const request: CreateRequest = {
    virtualSizeBytes: options.virtualSizeBytes,
    version: options.version ?? 3,
    clusterBits: Math.log2(options.clusterSizeBytes ?? 65536),
    refcountOrder: Math.log2(options.refcountBits ?? 16),
    hasExtendedL2: options.hasExtendedL2 ?? false,
    compressionType: options.compressionType ?? "zlib",
    hasLazyRefcounts: options.hasLazyRefcounts ?? false,
    backing: options.backing,
    dataFile: options.dataFile,
    // The tables of a raw data file must not say less than the file itself, so they are all made.
    preallocation: options.preallocation ?? (isRawDataFile ? "metadata" : "off"),
  };
  requireSizes(request);
  requireOneOf("version", request.version, [2, 3]);
  requireOneOf("compression type", request.compressionType, ["zlib", "zstd"]);
  requirePreallocation(request.preallocation);
  requireVersion3Features(request);
  requireAgreement(request, isRawDataFile);
  return request;
}

/**
 * Refuses an amount of preallocation that is none of those of the type, as callers without types may pass it.
 *
 * @throws {@link Qcow2Error} `QCOW2_INVALID_ARGUMENT`.
 */
export function requirePreallocation(preallocation: string): void {
  requireOneOf("preallocation", preallocation, ["off", "metadata", "full"]);
}

function requireSizes({ virtualSizeBytes, clusterBits, refcountOrder }: CreateRequest): void {
  const { minClusterBits, maxClusterBits, maxRefcountOrder } = formatLimits;
  if (!Number.isSafeInteger(virtualSizeBytes) || virtualSizeBytes < 0) {
    throw invalid(
      `the virtual size must be a whole number of bytes below 2^53, not ${virtualSizeBytes}`,
    );
  }
  const isClusterSize =
    Number.isInteger(clusterBits) && clusterBits >= minClusterBits && clusterBits <= maxClusterBits;
  if (!isClusterSize) throw invalid("the cluster size must be a power of two from 512 to 2097152");
  if (!Number.isInteger(refcountOrder) || refcountOrder < 0 || refcountOrder > maxRefcountOrder) {
    throw invalid("the refcount width must be 1, 2, 4, 8, 16, 32 or 64 bits");
  }
}

function requireVersion3Features(request: CreateRequest): void {
  if (request.version === 3) return;
  const used = [
    request.refcountOrder !== 4 && "a refcount width other than 16 bits",
    request.hasExtendedL2 && "extended L2 entries",
    request.compressionType !== "zlib" && "a compression type other than zlib",
    request.hasLazyRefcounts && "lazy refcounts",
    request.dataFile !== undefined && "an external data file",
  ].filter((feature) => feature !== false);
  if (used.length > 0) throw invalid(`version 2 cannot have ${used.join(" or ")}`);
}

function requireAgreement(request: CreateRequest, isRawDataFile: boolean): void {
  const { backing, hasExtendedL2, clusterBits, preallocation } = request;
  if (hasExtendedL2 && clusterBits < formatLimits.minExtendedL2ClusterBits) {
    throw invalid("extended L2 entries need clusters of at least 16384 bytes");
  }
  if (backing !== undefined && isRawDataFile) {
    throw invalid("an image with a raw external data file cannot have a backing file");
  }
  if (isRawDataFile && preallocation === "off") {
    throw invalid("an image with a raw external data file needs its metadata preallocated");
  }
  if (backing !== undefined && preallocation !== "off" && !hasExtendedL2) {
    throw invalid(
      "preallocated clusters would hide the backing file; only extended L2 entries avoid that",
    );
  }
}

function invalid(message: string): Qcow2Error {
  return new Qcow2Error({ code: "QCOW2_INVALID_ARGUMENT", message });
}
