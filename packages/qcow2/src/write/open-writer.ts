import type { Qcow2Layer } from "../read/qcow2-layer.ts";
import { ClusterWriter } from "./cluster-writer.ts";
import { ClusterZeroer } from "./cluster-zeroer.ts";
import { HostFile } from "./host-file.ts";
import { ImageStore, type ImageStoreParts } from "./image-store.ts";
import { L2Finder } from "./l2-cursor.ts";

/** What {@link startWriting} needs. */
export interface StartParts extends Omit<ImageStoreParts, "data"> {
  /** The disk that is written. */
  readonly layer: Qcow2Layer;
}

/** What an image is changed with, once where all its metadata is has been read. */
export interface OpenWriter {
  /** Clusters and tables. */
  readonly store: ImageStore;
  /** Where data is: the image file or the external data file. */
  readonly data: HostFile;
  /** Writes to clusters. */
  readonly writer: ClusterWriter;
  /** Zeroes clusters. */
  readonly zeroer: ClusterZeroer;
  /** Finds L2 entries. */
  readonly finder: L2Finder;
  /** {@link ImageStore.commit} */
  readonly commit: () => Promise<void>;
}

/** Reads where all metadata of an image is. Changes nothing. */
export async function startWriting(parts: StartParts): Promise<OpenWriter> {
  const { layer, header, cache } = parts;
  const { format, dataReader, backing } = layer.parts;
  const place = () => ({ offset: layer.view.l1Offset, entries: layer.view.l1Entries });
  const dataHost = format.hasDataFile ? new HostFile(dataReader, undefined) : undefined;
  const store = await ImageStore.open({ ...parts, data: dataHost }, place());
  const data = dataHost ?? store.host;
  const finder = new L2Finder(cache, format, place);
  const clusters = { store, data, finder, format, backing, layer: () => layer };
  const writer = new ClusterWriter(clusters);
  return {
    store,
    data,
    writer,
    finder,
    commit: () => store.commit(),
    zeroer: new ClusterZeroer(clusters, writer, header.info.dataFile?.isRaw ?? false),
  };
}
