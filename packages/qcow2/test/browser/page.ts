// The script of the test page: bundled from the sources, without anything of Node's.
import { blobSource, type OpenImageOptions } from "@box/qcow2";
import { reportOnImage } from "./image-report.ts";

/** What the test calls in the page. */
export interface PageFunctions {
  /** Reports on a file that was chosen. */
  reportOnFile(file: Blob, options: OpenImageOptions): Promise<string>;
  /** Reports on a copy of it in memory. */
  reportOnCopy(file: Blob, options: OpenImageOptions): Promise<string>;
}

const functions: PageFunctions = {
  reportOnFile: (file, options) => reportOnImage(blobSource(file), options),
  reportOnCopy: async (file, options) =>
    reportOnImage(blobSource(new Blob([await file.arrayBuffer()])), options),
};
Object.assign(globalThis, functions);
