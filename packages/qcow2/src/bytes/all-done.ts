/**
 * Waits until all that was begun is done, and only then fails as the first that failed: after that nothing writes into the
 * memory it was given any more.
 */
export async function allDone<Value>(begun: readonly Promise<Value>[]): Promise<Value[]> {
  const outcomes = await Promise.allSettled(begun);
  return outcomes.map((outcome) => {
    if (outcome.status === "rejected") throw outcome.reason;
    return outcome.value;
  });
}
