/** Reads a stream to its end. */
export async function drain(
  chunks: AsyncIterable<Uint8Array> | Promise<AsyncIterable<Uint8Array>>,
): Promise<Uint8Array> {
  const parts: Uint8Array[] = [];
  for await (const chunk of await chunks) parts.push(chunk.slice());
  return new Uint8Array(Buffer.concat(parts));
}
