import { fstatSync, writeSync } from "node:fs";
import { CliError } from "../errors.ts";
import type { OutputStream } from "./host.ts";

/** stdout or stderr of this process. */
export interface ProcessOutput extends OutputStream {
  /** The stream itself: from now on everything goes through it. */
  stream(): NodeJS.WriteStream;
}

const descriptors = { stdout: 1, stderr: 2 } as const;

// What a pipe takes without its reader, with room to spare: half of what one holds.
const atOnceBytes = 32 * 1024;

/** How long output that nobody takes is waited for once the process is told to stop. */
const graceMs = 250;

/**
 * Connects to an output of the process.
 *
 * Most commands say little. What a pipe or a file takes at once is written to it without the stream, which takes longer to make than many a
 * command to run.
 *
 * @param signal - Aborts when the process is told to stop: then nobody waits for long for a reader that stands still.
 */
export function openOutput(name: keyof typeof descriptors, signal: AbortSignal): ProcessOutput {
  const fd = descriptors[name];
  const limit = atOnceLimit(fd);
  let left = limit;
  let opened: NodeJS.WriteStream | undefined;
  let isOpen = true;
  let failure: NodeJS.ErrnoException | undefined;
  let lastWrite = Promise.resolve();
  const stop = (error: NodeJS.ErrnoException) => {
    // The reader has left, as `head` does: the work goes on, its output goes nowhere.
    if (isOpen && error.code !== "EPIPE") failure = error;
    isOpen = false;
  };
  const stream = () => (opened ??= process[name].on("error", stop));
  /** Writes what is taken without waiting; the bytes that are not. */
  const writeAtOnce = (bytes: Uint8Array): Uint8Array => {
    if (opened !== undefined || bytes.byteLength > left) return bytes;
    left -= bytes.byteLength;
    try {
      let done = 0;
      while (done < bytes.byteLength) {
        try {
          done += writeSync(fd, bytes, done);
        } catch (error) {
          if ((error as NodeJS.ErrnoException).code === "EAGAIN") return bytes.subarray(done);
          throw error;
        }
      }
    } catch (error) {
      stop(error as NodeJS.ErrnoException);
    }
    return bytes.subarray(bytes.byteLength);
  };
  return {
    write: (text) => {
      if (!isOpen) return;
      const rest = writeAtOnce(Buffer.from(text));
      if (rest.byteLength === 0) return;
      lastWrite = new Promise((resolve) => {
        stream().write(rest, (error) => {
          if (error) stop(error);
          resolve();
        });
      });
    },
    flush: async () => {
      if (!(await isTaken(lastWrite, signal))) throw signal.reason;
      if (failure !== undefined) throw outputError(name, failure);
    },
    get isTerminal() {
      return limit === 0 && stream().isTTY === true;
    },
    get columns() {
      return this.isTerminal ? (stream().columns ?? 80) : 80;
    },
    stream,
  };
}

/** Waits for a write; false when the process is told to stop and nobody takes it for a while. */
async function isTaken(write: Promise<void>, signal: AbortSignal): Promise<boolean> {
  const { promise, resolve } = Promise.withResolvers<boolean>();
  let timer: NodeJS.Timeout | undefined;
  const begin = () => {
    timer = setTimeout(resolve, graceMs, false);
  };
  if (signal.aborted) begin();
  else signal.addEventListener("abort", begin, { once: true });
  void write.then(() => resolve(true));
  const taken = await promise;
  clearTimeout(timer);
  signal.removeEventListener("abort", begin);
  return taken;
}

/** How many bytes may be written without the stream: none to a terminal, or what else does not say. */
function atOnceLimit(fd: number): number {
  try {
    const stats = fstatSync(fd);
    if (stats.isFile()) return Number.POSITIVE_INFINITY;
    return stats.isFIFO() || stats.isSocket() ? atOnceBytes : 0;
  } catch {
    return 0;
  }
}

/** What to say of an output that the system refused. */
export function outputError(stream: string, cause: NodeJS.ErrnoException): CliError {
  return new CliError({
    code: "CLI_OUTPUT_FAILED",
    message: `cannot write to ${stream}: ${cause.message}`,
    details: { stream, ...(cause.code === undefined ? {} : { errno: cause.code }) },
    hint: "free some space or send the output elsewhere; what the command did stays done",
    cause,
  });
}
