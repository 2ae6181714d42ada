import { parseExtensionContents } from "../extensions/contents.ts";
import type { Header } from "../header/parse.ts";
import type { ImageInfo } from "./image-info.ts";
import { toImageInfo } from "./inspect-image.ts";
import type { HeaderArea } from "./read-header.ts";

/** The header area of an open image as it stands in the file now. Whoever writes the header tells it. */
export class LiveHeader {
  readonly #fileSize: () => number;
  #area: HeaderArea;
  #info: ImageInfo | undefined;

  /** @param fileSize - Says how long the image file is. */
  constructor(area: HeaderArea, fileSize: () => number) {
    this.#area = area;
    this.#fileSize = fileSize;
  }

  /** Fields, extensions and backing name. */
  get area(): HeaderArea {
    return this.#area;
  }

  /** The fields. */
  get header(): Header {
    return this.#area.header;
  }

  /** What the header says. */
  get info(): ImageInfo {
    this.#info ??= toImageInfo(this.#area, this.#fileSize());
    return this.#info;
  }

  /** Told that fields have changed in the file. */
  update(changes: Partial<Header>): void {
    const header = { ...this.#area.header, ...changes };
    const contents = parseExtensionContents(this.#area.extensions, header);
    this.replace({ ...this.#area, header, contents });
  }

  /** Told that the header area has changed in the file. */
  replace(area: HeaderArea): void {
    this.#area = area;
    this.#info = undefined;
  }
}
