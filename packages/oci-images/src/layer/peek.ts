/** The first bytes of a stream, and the stream with them. */
export interface PeekedChunks {
  /** At least as many bytes as were asked for, unless the stream is shorter. */
  readonly start: Uint8Array;
  /** Everything, from the first byte on. */
  readonly chunks: AsyncGenerator<Uint8Array, void, undefined>;
}

/** Looks at the first bytes of a stream. */
export async function peek(input: AsyncIterator<Uint8Array>, bytes: number): Promise<PeekedChunks> {
  let start: Uint8Array = new Uint8Array(0);
  while (start.byteLength < bytes) {
    const next = await input.next();
    if (next.done) break;
    start =
      start.byteLength === 0 ? next.value : new Uint8Array(Buffer.concat([start, next.value]));
  }
  return { start, chunks: rejoin(start, input) };
}

/** Unlike `for await`, leaves the rest to others when its reader stops early. */
async function* rejoin(
  start: Uint8Array,
  input: AsyncIterator<Uint8Array>,
): AsyncGenerator<Uint8Array, void, undefined> {
  if (start.byteLength > 0) yield start;
  for (let next = await input.next(); !next.done; next = await input.next()) yield next.value;
}
