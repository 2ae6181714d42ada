import type { RandomAccess } from "@box/io";
import { SourceReader } from "../bytes/source-reader.ts";
import { toDisplayText } from "../bytes/text.ts";
import { portableCodec } from "../codec/portable-codec.ts";
import { Qcow2Error } from "../errors.ts";
import { headerFields } from "../header/layout.ts";
import { validateTables } from "../header/validate.ts";
import { Qcow2Image } from "../image.ts";
import type { ImageInfo } from "../inspect/image-info.ts";
import { LiveHeader } from "../inspect/live-header.ts";
import { type HeaderArea, readHeaderArea, requireKnownFeatures } from "../inspect/read-header.ts";
import { CompressedReader } from "../read/compressed-reader.ts";
import type { DiskLayer } from "../read/disk-layer.ts";
import { Qcow2Layer } from "../read/qcow2-layer.ts";
import { RawLayer } from "../read/raw-layer.ts";
import { requireOneOf, requireSource } from "../require-arguments.ts";
import { l2FormatOf } from "../tables/l2-format.ts";
import { TableCache } from "../tables/table-cache.ts";
import { requireWritable } from "../write/host-file.ts";
import { ImageWriter } from "../write/image-writer.ts";
import { requireWritableImage } from "../write/writable-image.ts";
import { ChainGuard } from "./chain-guard.ts";
import { closeAll, closeUnused } from "./closing.ts";
import { openData, requireKey } from "./encrypted-data.ts";
import type { OpenImageOptions } from "./open-options.ts";
import { backingFormatOf, resolveFile } from "./resolve-file.ts";
import { denyAll, type FileRequest, lateError, type ResolvedFile, requestFor } from "./resolver.ts";

const defaultCacheBytes = 32 * 2 ** 20;
const defaultChainDepth = 32;
const defaultMetadataBytes = 64 * 2 ** 20;

/** A qcow2 image that was opened, with everything below it. */
interface OpenedLayer {
  /** Its disk. */
  readonly layer: Qcow2Layer;
  /** What the header said then. */
  readonly info: ImageInfo;
  /** The header. */
  readonly header: LiveHeader;
  /** The image file. */
  readonly reader: SourceReader;
}

/** A qcow2 image that was opened by itself or as a part of an operation. */
export interface OpenedImage extends OpenedLayer {
  /** Changes the disk; absent when the image is open for reading. */
  readonly writer: ImageWriter | undefined;
}

/** How {@link openParts} opens an image that an operation works on. */
export interface OpenPartsOptions extends OpenImageOptions {
  /** Knows the files of the chain that are above the image. */
  readonly guard?: ChainGuard;
  /** How deep the image is in its chain: 0 for the top. */
  readonly depth?: number;
  /** Whether the image is opened as if it had no backing file: what it does not store itself reads as unallocated. */
  readonly standsAlone?: boolean;
}

/**
 * Opens an image, for reading unless `mode` is `rw`.
 *
 * Opens nothing but `source` unless a resolver allows it; never guesses a format; writes nothing. The source stays the
 * caller's to close; what resolvers open is closed with the image. Backing files are only ever read.
 *
 * @throws {@link Qcow2Error} of kind corrupt, unsupported, limit, encrypted, denied, backing-missing, io, or another
 * kind of the source's own; for `rw` also `QCOW2_DIRTY`, `QCOW2_MARKED_CORRUPT` and `QCOW2_READ_ONLY`. Errors of a backing file carry `details.depth` and `details.name`.
 */
export async function openImage(
  source: RandomAccess,
  options: OpenImageOptions = {},
): Promise<Qcow2Image> {
  return openTop(source, [], options);
}

/** {@link openImage} of a file that is closed with the image, and also when opening fails. */
export async function openOwnedImage(
  source: ResolvedFile["source"],
  options: OpenImageOptions,
): Promise<Qcow2Image> {
  return openTop(source, [{ source }], options);
}

async function openTop(
  source: RandomAccess,
  owned: readonly ResolvedFile[],
  options: OpenImageOptions,
): Promise<Qcow2Image> {
  const { layer, header, reader, writer } = await openParts(source, owned, options);
  return new Qcow2Image(layer, header, reader, options, writer);
}

/**
 * Opens an image for an operation that needs more than {@link Qcow2Image} shows. Errors as {@link openImage}.
 *
 * @param owned - Files that are closed with the layer, and when opening fails.
 */
export async function openParts(
  source: RandomAccess,
  owned: readonly ResolvedFile[],
  options: OpenPartsOptions,
): Promise<OpenedImage> {
  const { location, depth = 0, guard = guardOf(options), mode = "r", compat = "strict" } = options;
  const file = { source, ...(location !== undefined && { location }) };
  try {
    requireOneOf("mode", mode, ["r", "rw"]);
    requireOneOf("option compat", compat, ["strict", "qemu"]);
    requireSource(source);
    guard.enter(source, "image", depth === 0 ? "the image" : (location ?? "the backing file"));
  } catch (error) {
    await closeUnused(owned);
    throw error;
  }
  const opened = await openLayer(file, owned, depth, guard, { ...options, depth });
  try {
    return { ...opened, writer: writerOf(opened, options) };
  } catch (error) {
    await opened.layer.close().catch(() => {});
    throw error;
  }
}

/** A guard of the chain that the options allow. */
export function guardOf({ limits }: OpenImageOptions): ChainGuard {
  return new ChainGuard(limits?.maxChainDepth ?? defaultChainDepth);
}

function writerOf(
  { layer, header, reader }: OpenedLayer,
  { mode, limits, signal }: OpenImageOptions,
): ImageWriter | undefined {
  if (mode !== "rw") return undefined;
  requireWritableImage(header.info);
  requireWritable(reader.source);
  requireWritable(layer.parts.dataReader.source);
  const maxMetadataBytes = limits?.maxMetadataBytes ?? defaultMetadataBytes;
  const { cache } = layer.parts;
  return new ImageWriter({ layer, header, reader, cache, maxMetadataBytes, signal });
}

/** @param owned - Files that are closed with the layer, and when opening it fails. */
async function openLayer(
  file: ResolvedFile,
  owned: readonly ResolvedFile[],
  depth: number,
  guard: ChainGuard,
  options: OpenPartsOptions,
): Promise<OpenedLayer> {
  const opened: ResolvedFile[] = [...owned];
  try {
    const isStrict = options.compat !== "qemu";
    const reader = await SourceReader.open(file.source, options.signal);
    const area = await readHeaderArea(reader, options.compat ?? "strict");
    requireKnownFeatures(area);
    validateTables(area.header, isStrict ? { fileSizeBytes: reader.sizeBytes } : {});
    const header = new LiveHeader(area, () => reader.sizeBytes);
    const { info } = header;
    requireKey(info, options, depth === (options.depth ?? 0));
    const sizeBytes = requireReadable(info, options);
    const dataFile = await openDataFile(area, info, file, depth, guard, options);
    if (dataFile) opened.push(dataFile);
    const dataReader = await openData(reader, dataFile?.source ?? file.source, info, options);
    const backing = options.standsAlone
      ? undefined
      : await openBacking(info, file, depth + 1, guard, options);
    const format = l2FormatOf(info);
    const { codec = portableCodec, cacheBytes = defaultCacheBytes } = options;
    const clusterSize = info.clusterSizeBytes;
    const parts = {
      reader,
      dataReader,
      isEncrypted: info.encryption !== "none",
      cache: new TableCache(reader, clusterSize, cacheBytes, !isStrict),
      format,
      compressed: new CompressedReader(reader, codec, info.compressionType, clusterSize, !isStrict),
      backing,
      isStrict,
      close: () => closeAll(opened),
    };
    const { l1TableOffset: l1Offset, l1Size: l1Entries } = area.header;
    const layer = new Qcow2Layer(parts, { l1Offset, l1Entries, sizeBytes });
    return { layer, info, header, reader };
  } catch (error) {
    await closeUnused(opened);
    throw error;
  }
}

/** Opens the disk below an image, with everything below that. */
export async function openBacking(
  { backing }: Pick<ImageInfo, "backing">,
  from: Pick<ResolvedFile, "location">,
  depth: number,
  guard: ChainGuard,
  options: OpenPartsOptions,
): Promise<DiskLayer | undefined> {
  if (backing === undefined) return undefined;
  guard.requireDepth(depth);
  const request = requestFor("backing", backing.nameBytes, backing.displayName, {
    depth,
    format: backing.format,
    fromLocation: from.location,
  });
  const file = await resolveFile(options.backing ?? denyAll, request);
  try {
    return await openBackingFile(file, request, guard, options);
  } catch (error) {
    throw placed(lateError(error, request), depth, backing.displayName);
  }
}

async function openBackingFile(
  file: ResolvedFile,
  request: FileRequest,
  guard: ChainGuard,
  options: OpenPartsOptions,
): Promise<DiskLayer> {
  const close = () => closeAll([file]);
  try {
    const isRaw = backingFormatOf(request, file) === "raw";
    guard.enter(file.source, isRaw ? "raw" : "image", request.displayName);
    if (isRaw) return new RawLayer(await SourceReader.open(file.source, options.signal), close);
  } catch (error) {
    await closeUnused([file]);
    throw error;
  }
  return (await openLayer(file, [file], request.depth, guard, options)).layer;
}

async function openDataFile(
  area: HeaderArea,
  info: ImageInfo,
  from: ResolvedFile,
  depth: number,
  guard: ChainGuard,
  options: OpenPartsOptions,
): Promise<ResolvedFile | undefined> {
  if (info.dataFile === undefined) return undefined;
  const nameBytes = area.contents.dataFileName ?? new Uint8Array(0);
  const displayName = nameBytes.byteLength === 0 ? "(without a name)" : toDisplayText(nameBytes);
  const request = requestFor("data-file", nameBytes, displayName, {
    depth,
    format: "raw",
    fromLocation: from.location,
    mode: depth === (options.depth ?? 0) ? options.mode : "r",
  });
  const file = await resolveFile(options.dataFile ?? denyAll, request);
  try {
    guard.enter(file.source, "data", displayName);
    await SourceReader.open(file.source, options.signal);
  } catch (error) {
    await closeUnused([file]);
    throw lateError(error, request);
  }
  return file;
}

/** The virtual size as a number, when the image can be read at all. */
function requireReadable(info: ImageInfo, options: OpenImageOptions): number {
  const { maxVirtualSizeBytes = Number.MAX_SAFE_INTEGER, maxSnapshots } = options.limits ?? {};
  if (info.virtualSizeBytes > BigInt(maxVirtualSizeBytes)) {
    throw new Qcow2Error({
      code: "QCOW2_IMAGE_TOO_LARGE",
      message: `the virtual disk has ${info.virtualSizeBytes} bytes, more than ${maxVirtualSizeBytes}`,
      offset: headerFields.size,
      structure: "header",
      details: { virtualSizeBytes: String(info.virtualSizeBytes), maxVirtualSizeBytes },
    });
  }
  if (maxSnapshots !== undefined && info.snapshots.entries > maxSnapshots) {
    throw new Qcow2Error({
      code: "QCOW2_TABLE_TOO_LARGE",
      message: `the image has ${info.snapshots.entries} snapshots, more than ${maxSnapshots}`,
      offset: headerFields.snapshotCount,
      structure: "snapshot table",
    });
  }
  return Number(info.virtualSizeBytes);
}

/** Says which file of the chain an error is about. */
export function placed(error: unknown, depth: number, name: string): unknown {
  if (!(error instanceof Qcow2Error) || "depth" in error.details) return error;
  return new Qcow2Error({
    code: error.code,
    message: `backing file ${name}: ${error.message}`,
    ...(error.offset === undefined ? {} : { offset: error.offset }),
    ...(error.structure === undefined ? {} : { structure: error.structure }),
    details: { ...error.details, depth, name },
    ...(error.hint === undefined ? {} : { hint: error.hint }),
    cause: error,
  });
}
