import { toNameBytes } from "../bytes/text.ts";
import { extensionTypes } from "../extensions/layout.ts";
import type { ExtensionContent } from "../extensions/serialize.ts";
import { autoclearBits, bitsOf, compatibleBits, incompatibleBits } from "../header/features.ts";
import { headerFields, v2HeaderLength, writtenHeaderLength } from "../header/layout.ts";
import type { Header } from "../header/parse.ts";
import type { CreateRequest } from "./create-options.ts";
import { buildHeaderCluster } from "./header-cluster.ts";
import { type ImageLayout, planLayout } from "./plan-layout.ts";
import { type ImagePiece, l1Pieces, l2Pieces, refcountPieces } from "./write-metadata.ts";

/** Everything that a fresh image consists of; what is in no piece is zeros. */
export interface ImagePlan {
  /** Where the parts are. */
  readonly layout: ImageLayout;
  /** Length of the image file in bytes. */
  readonly lengthBytes: number;
  /** Makes the pieces, in the order in which they are to be written. */
  pieces(): Iterable<ImagePiece>;
}

/**
 * Plans a fresh image: header, refcounts and tables. Pure; large tables are made as they are asked for.
 *
 * @throws {@link Qcow2Error} `QCOW2_INVALID_ARGUMENT`, `QCOW2_IMAGE_TOO_LARGE`.
 */
export function planImage(request: CreateRequest): ImagePlan {
  const isPreallocated = request.preallocation !== "off";
  const layout = planLayout({
    virtualSizeBytes: request.virtualSizeBytes,
    clusterBits: request.clusterBits,
    refcountOrder: request.refcountOrder,
    hasExtendedL2: request.hasExtendedL2,
    preallocatesL2: isPreallocated,
    preallocatesData: isPreallocated && request.dataFile === undefined,
  });
  const header = buildHeaderCluster({
    header: planHeader(request, layout),
    backing: request.backing,
    extensions: planExtensions(request),
  });
  return {
    layout,
    lengthBytes: layout.usedClusters * layout.clusterSizeBytes,
    *pieces() {
      yield* refcountPieces(layout, request.clusterBits, request.refcountOrder);
      if (isPreallocated) {
        yield* l1Pieces(layout);
        yield* l2Pieces(layout, request.hasExtendedL2, request.dataFile !== undefined);
      }
      // The header goes last: a file that was cut while being made has no magic and is known to be unfinished.
      yield { offset: 0, bytes: header };
    },
  };
}

/** The header of a fresh image; where its backing name is, is filled in later. */
export function planHeader(
  request: CreateRequest,
  layout: Pick<
    ImageLayout,
    "l1Entries" | "l1Offset" | "refcountTableOffset" | "refcountTableClusters"
  >,
): Header {
  const { version, dataFile, compressionType } = request;
  const headerLength = version === 2 ? v2HeaderLength : writtenHeaderLength;
  const incompatible = [
    ...(dataFile ? [incompatibleBits.externalDataFile] : []),
    ...(compressionType === "zstd" ? [incompatibleBits.compressionType] : []),
    ...(request.hasExtendedL2 ? [incompatibleBits.extendedL2] : []),
  ];
  return {
    version,
    backingFileOffset: 0,
    backingFileSize: 0,
    clusterBits: request.clusterBits,
    size: BigInt(request.virtualSizeBytes),
    cryptMethod: 0,
    l1Size: layout.l1Entries,
    l1TableOffset: layout.l1Offset,
    refcountTableOffset: layout.refcountTableOffset,
    refcountTableClusters: layout.refcountTableClusters,
    snapshotCount: 0,
    snapshotsOffset: 0,
    incompatibleFeatures: bitsOf(...incompatible),
    compatibleFeatures: bitsOf(...(request.hasLazyRefcounts ? [compatibleBits.lazyRefcounts] : [])),
    autoclearFeatures: bitsOf(...(dataFile?.isRaw ? [autoclearBits.rawDataFile] : [])),
    refcountOrder: request.refcountOrder,
    headerLength,
    compressionType: compressionType === "zstd" ? 1 : 0,
    unknownFields: new Uint8Array(Math.max(0, headerLength - headerFields.compressionType - 1)),
  };
}

function planExtensions({ dataFile }: CreateRequest): ExtensionContent[] {
  if (dataFile === undefined) return [];
  return [{ type: extensionTypes.dataFile, data: toNameBytes(dataFile.name) }];
}
