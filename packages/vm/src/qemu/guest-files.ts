import { isBoxError } from "@box/errors";
import { Caller, CallFailure, readTree, TreeWriter } from "@box/guest/calls";
import type { ExecExit } from "../exec.ts";
import type { GuestStream, StreamRequest } from "../streams.ts";
import type { RemoteProcess } from "./link/remote-process.ts";
import { agentFailure, protocolFailure } from "./supervisor/guest-errors.ts";
import { untilAborted } from "./until-aborted.ts";

type FilesRequest = Extract<StreamRequest, { readonly type: "put" | "get" }>;

/**
 * Carries files into or out of a guest by system calls that a process there carries out.
 *
 * @param remote - The stream to that process; its own from now on.
 * @throws VmError `VM_FILE_*`; nothing was changed then.
 */
export async function openFiles(
  remote: RemoteProcess,
  request: FilesRequest,
): Promise<GuestStream> {
  const stream = new FilesStream(remote, request);
  try {
    if (request.type === "put") await stream.openWriter(request);
    else await stream.openReader(request);
  } catch (error) {
    remote.cancel();
    throw stream.failed(error);
  }
  return stream;
}

class FilesStream implements GuestStream {
  readonly stdin: GuestStream["stdin"] = {
    write: (bytes) => this.#inOrder((writer) => writer.write(Uint8Array.from(bytes))),
    end: () => this.#end(),
  };
  stdout: AsyncIterable<Uint8Array> = nothing();
  readonly #remote: RemoteProcess;
  readonly #caller: Caller;
  readonly #what: string;
  #writer: TreeWriter | undefined;
  #last: Promise<void> = Promise.resolve();
  #isEnded = false;
  #failure: { readonly error: unknown } | undefined;

  constructor(remote: RemoteProcess, { type, path }: FilesRequest) {
    this.#remote = remote;
    this.#what = `cannot ${type === "put" ? "write into" : "read"} ${JSON.stringify(path)}`;
    this.#caller = new Caller({
      write: (bytes) => remote.stdin.write(bytes),
      output: remote.stdout,
    });
  }

  async openWriter({
    path,
    keepsOwners = false,
  }: Extract<FilesRequest, { readonly type: "put" }>): Promise<void> {
    const owners = keepsOwners ? "recorded" : "root";
    this.#writer = await TreeWriter.open(this.#caller, { path, owners });
  }

  async openReader(request: Extract<FilesRequest, { readonly type: "get" }>): Promise<void> {
    this.stdout = this.#read(await readTree(this.#caller, request));
  }

  async wait({ signal }: { readonly signal?: AbortSignal } = {}): Promise<ExecExit> {
    const exit = await this.#remote.wait(signal === undefined ? {} : { signal });
    await untilAborted(
      this.#last.catch(() => {}),
      signal,
    );
    if (this.#failure !== undefined) throw this.#failure.error;
    return exit;
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.#remote[Symbol.asyncDispose]();
  }

  /** Notes why it failed, as its user is to hear it. */
  failed(error: unknown): unknown {
    this.#failure ??= { error: this.#explained(error) };
    return this.#failure.error;
  }

  #explained(error: unknown): unknown {
    if (error instanceof CallFailure) return agentFailure(this.#what, error, "file");
    if (!isBoxError(error) || error.code !== "GUEST_PROTOCOL") return error;
    return protocolFailure(error.message, error);
  }

  /** Writes come one after another, however many are waited for at once. */
  #inOrder(work: (writer: TreeWriter) => Promise<void>): Promise<void> {
    const done = this.#last.then(async () => {
      if (this.#failure !== undefined) throw this.#failure.error;
      try {
        if (this.#writer !== undefined) await work(this.#writer);
      } catch (error) {
        this.#remote.cancel();
        throw this.failed(error);
      }
    });
    this.#last = done.catch(() => {});
    return done;
  }

  /** That something went wrong is told to who waits. */
  async #end(): Promise<void> {
    if (this.#isEnded || this.#writer === undefined) return;
    this.#isEnded = true;
    await this.#inOrder((writer) => writer.end()).catch(() => {});
    await this.#remote.stdin.end();
  }

  async *#read(chunks: AsyncIterable<Uint8Array>): AsyncGenerator<Uint8Array, void> {
    try {
      yield* chunks;
      await this.#remote.stdin.end();
    } catch (error) {
      throw this.failed(error);
    } finally {
      if (this.#failure !== undefined) this.#remote.cancel();
    }
  }
}

async function* nothing(): AsyncGenerator<Uint8Array, void> {}
