import type { Descriptor } from "../content/descriptor.ts";
import { Digester, digestAlgorithm } from "../content/digest.ts";
import type { BlobSource } from "../content/target.ts";
import { wrongDigest, wrongSize } from "../content/verify.ts";
import type { OrasError } from "../errors.ts";

/** The digest of the first bytes of a blob. */
interface Prefix {
  readonly digester: Digester;
  readonly bytes: number;
}

/**
 * Hashes what an upload sends, in as many parts as it goes. The last bytes of a blob leave only when all of it is right. Where
 * a part is sent again from other bytes than at first, the registry may have wrong content, which its own digest tells it.
 */
export class SentContent {
  /** What was found to be wrong with the source's content. */
  mismatch: OrasError | undefined;
  readonly #source: BlobSource;
  readonly #descriptor: Descriptor;
  readonly #signal: AbortSignal | undefined;
  /** Where the latest part began, and how far it came. */
  #marks: readonly Prefix[] = [];

  constructor(source: BlobSource, descriptor: Descriptor, signal: AbortSignal | undefined) {
    this.#source = source;
    this.#descriptor = descriptor;
    this.#signal = signal;
  }

  /**
   * The content from an offset on.
   *
   * @param end - Ends before this byte, for one part.
   * @throws {@link OrasError} `OCI_SIZE_MISMATCH`, `OCI_DIGEST_MISMATCH`, from the iteration.
   */
  async open(start: number, end: number): Promise<AsyncIterable<Uint8Array>> {
    const digester = await this.#digesterAt(start);
    this.#marks = [{ digester: digester.fork(), bytes: start }];
    return this.#pass(await this.#source.open(start), digester, start, end);
  }

  async *#pass(
    chunks: AsyncIterable<Uint8Array>,
    digester: Digester,
    start: number,
    end: number,
  ): AsyncGenerator<Uint8Array, void, undefined> {
    const { size } = this.#descriptor;
    let position = start;
    let last: Uint8Array | undefined;
    for await (const chunk of chunks) {
      if (position + chunk.byteLength > size) throw this.#wrongSize(`more than ${size}`);
      const part = chunk.subarray(0, end - position);
      position += part.byteLength;
      digester.update(part);
      if (position === size) last ??= part;
      else if (position < end) yield part;
      else {
        this.#marks = [...this.#marks, { digester, bytes: end }];
        yield part;
        return;
      }
    }
    if (position !== size) throw this.#wrongSize(String(position));
    this.#checkDigest(digester.fork());
    this.#marks = [...this.#marks, { digester, bytes: end }];
    if (last !== undefined) yield last;
  }

  /** Goes on from what was sent before, where that is so far; else what came before is read again. */
  async #digesterAt(offset: number): Promise<Digester> {
    const mark = this.#marks.findLast(({ bytes }) => bytes <= offset);
    const digester =
      mark?.digester.fork() ?? new Digester(digestAlgorithm(this.#descriptor.digest));
    let position = mark?.bytes ?? 0;
    if (position === offset) return digester;
    for await (const chunk of await this.#source.open(position)) {
      this.#signal?.throwIfAborted();
      const part = chunk.subarray(0, offset - position);
      digester.update(part);
      position += part.byteLength;
      if (position === offset) return digester;
    }
    throw this.#wrongSize(String(position));
  }

  #checkDigest(digester: Digester): void {
    const { digest } = this.#descriptor;
    const found = digester.digest();
    if (found === digest) return;
    this.mismatch = wrongDigest(digest, found, this.#source.place);
    throw this.mismatch;
  }

  #wrongSize(found: string): OrasError {
    this.mismatch = wrongSize(this.#descriptor, found, this.#source.place);
    return this.mismatch;
  }
}
