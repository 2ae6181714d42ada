import { RegistryFailure } from "./reply.ts";
import type { RegistryStorage, Upload } from "./storage.ts";

/** How many uploads may have begun, and how long they may stand still. */
export interface UploadSessionsOptions {
  /** The most that have begun and not ended. */
  readonly maxUploads: number;
  /** One that no request writes to for so long is thrown away. */
  readonly idleMs: number;
  /** The clock, in milliseconds since the epoch. */
  readonly now: () => number;
}

interface Session {
  readonly upload: Upload;
  isBusy: boolean;
  usedMs: number;
}

/** The uploads that have begun at a server: each takes memory or a file until it ends. */
export class UploadSessions {
  readonly #storage: RegistryStorage;
  readonly #options: UploadSessionsOptions;
  readonly #sessions: Map<string, Session> = new Map();
  #starting = 0;

  constructor(storage: RegistryStorage, options: UploadSessionsOptions) {
    this.#storage = storage;
    this.#options = options;
  }

  /** Begins an upload. @throws {@link RegistryFailure} 429 when there are too many. */
  async begin(repository: string): Promise<Upload> {
    await this.expire();
    const { maxUploads, now } = this.#options;
    if (this.#sessions.size + this.#starting >= maxUploads) {
      throw new RegistryFailure(429, "TOOMANYREQUESTS", `${maxUploads} uploads have begun`, {
        "retry-after": "60",
      });
    }
    this.#starting++;
    try {
      const upload = await this.#storage.startUpload(repository);
      this.#sessions.set(upload.id, { upload, isBusy: false, usedMs: now() });
      return upload;
    } finally {
      this.#starting--;
    }
  }

  /** Does work that no other request disturbs. @throws {@link RegistryFailure} 409 when one is at it. */
  async use(upload: Upload, work: () => Promise<void>): Promise<void> {
    const { now } = this.#options;
    const session = this.#sessions.get(upload.id) ?? { upload, isBusy: false, usedMs: now() };
    if (session.isBusy) {
      throw new RegistryFailure(409, "BLOB_UPLOAD_INVALID", "another request uses this upload");
    }
    session.isBusy = true;
    this.#sessions.set(upload.id, session);
    try {
      await work();
      await upload.pause();
    } catch (error) {
      await upload.pause().catch(() => {});
      throw error;
    } finally {
      session.isBusy = false;
      session.usedMs = now();
    }
  }

  /** Throws an upload away. */
  async cancel(upload: Upload): Promise<void> {
    this.#sessions.delete(upload.id);
    await this.#storage.cancelUpload(upload);
  }

  /** What has ended is counted no more. */
  forget(upload: Upload): void {
    this.#sessions.delete(upload.id);
  }

  /** Throws away what nobody goes on with. */
  async expire(): Promise<void> {
    const { idleMs, now } = this.#options;
    const oldestMs = now() - idleMs;
    for (const { upload, isBusy, usedMs } of this.#sessions.values()) {
      if (!isBusy && usedMs < oldestMs) await this.cancel(upload);
    }
  }
}
