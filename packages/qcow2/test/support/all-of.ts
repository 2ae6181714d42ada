/** Everything that a walk yields. */
export async function allOf<Value>(walk: AsyncIterable<Value>): Promise<Value[]> {
  const found: Value[] = [];
  for await (const value of walk) found.push(value);
  return found;
}
