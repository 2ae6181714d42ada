import { setFlagsFromString } from "node:v8";

/** V8's own value. */
const usualFactor = 2;

/**
 * Keeps the young generation of the heap small while bytes stream through. Buffers of sockets and files live outside
 * of the heap and are freed with it: once it has grown, tens of megabytes of them wait for the next collection. For a pull
 * of 288 MiB this is a peak of 110 MiB in place of 165 to 180 MiB, and less CPU time.
 */
export function flatMemory(): Disposable {
  setFlagsFromString("--semi-space-growth-factor=1");
  return {
    [Symbol.dispose]: () => setFlagsFromString(`--semi-space-growth-factor=${usualFactor}`),
  };
}
