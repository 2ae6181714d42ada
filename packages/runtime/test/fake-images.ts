import { createHash } from "node:crypto";
import { BoxError } from "@box/errors";
import type { ImageRequest, ImageSource, Reporter, SourceImage } from "@box/runtime";
import { buildTar } from "@box/tar";

/** Images by reference, each with one small layer; counts what is asked of it. */
export class FakeImages implements ImageSource {
  /** Every request so far: a reference, `REFERENCE@DIGEST`, or `bootstrap`. */
  readonly asked: string[] = [];
  /** Whether everything fails as it does without a network. */
  isOffline = false;
  /** Environment of the bootstrap image. */
  environment: readonly (readonly [string, string])[] = [["PATH", "/bin"]];
  /** The entry point of its images. */
  entrypoint: readonly string[] = [];
  /** The command of its images. */
  command: readonly string[] = ["/hello"];
  /** By what signal programs of its images want to be stopped. */
  stopSignal: string | undefined;
  /** What the next request for an image fails with, by reference. */
  readonly #failures = new Map<string, Error>();
  /** Waited for before an image is given. */
  gate: Promise<void> = Promise.resolve();

  /** Lets the next request for an image fail. */
  failOnce(reference: string): void {
    this.#failures.set(reference, networkError());
  }

  async nameOf(reference: string): Promise<string> {
    return reference;
  }

  async ensureImage(request: ImageRequest, reporter: Reporter): Promise<SourceImage> {
    const { reference, digest } = request;
    this.asked.push(digest === undefined ? reference : `${reference}@${digest}`);
    return this.#give(reference, reporter);
  }

  async ensureBootstrapImage(reporter: Reporter): Promise<SourceImage> {
    this.asked.push("bootstrap");
    return this.#give("bootstrap", reporter);
  }

  async #give(reference: string, reporter: Reporter): Promise<SourceImage> {
    await this.gate;
    reporter.signal.throwIfAborted();
    if (this.isOffline) throw networkError();
    const failure = this.#failures.get(reference);
    this.#failures.delete(reference);
    if (failure !== undefined) throw failure;
    reporter.progress({ done: 1, total: 1, unit: "bytes", item: reference });
    const archive = layerOf(reference);
    return {
      reference,
      digest: sha256(new TextEncoder().encode(reference)),
      config: {
        environment: this.environment,
        entrypoint: this.entrypoint,
        command: this.command,
        workingDirectory: "/",
        user: "",
        ...(this.stopSignal === undefined ? {} : { stopSignal: this.stopSignal }),
      },
      layers: [
        {
          diffId: sha256(archive),
          async *open() {
            yield archive;
          },
        },
      ],
    };
  }
}

function networkError(): BoxError {
  return new BoxError({ code: "OCI_NETWORK", kind: "network", message: "connection refused" });
}

function layerOf(reference: string): Uint8Array {
  const content = new TextEncoder().encode(`hello from ${reference}\n`);
  const none = new Uint8Array(0);
  return buildTar([
    {
      entry: {
        path: new TextEncoder().encode("hello"),
        type: "file",
        mode: 0o755,
        uid: 0,
        gid: 0,
        sizeBytes: content.byteLength,
        mtime: { seconds: 0, nanoseconds: 0 },
        linkPath: none,
        deviceMajor: 0,
        deviceMinor: 0,
        xattrs: [],
      },
      content,
    },
  ]);
}

function sha256(bytes: Uint8Array): string {
  return `sha256:${createHash("sha256").update(bytes).digest("hex")}`;
}
