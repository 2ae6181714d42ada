import { Qcow2Error } from "../errors.ts";

/** Whether a snapshot that is open still exists: once it is deleted, its clusters hold something else. */
export class SnapshotLife {
  readonly #id: string;
  #isOver = false;

  constructor(id: string) {
    this.#id = id;
  }

  /** Told that the snapshot was deleted. */
  end(): void {
    this.#isOver = true;
  }

  /** Refuses to go on with a snapshot that was deleted: `QCOW2_SNAPSHOT_NOT_FOUND`. */
  requireAlive(): void {
    if (!this.#isOver) return;
    throw new Qcow2Error({
      code: "QCOW2_SNAPSHOT_NOT_FOUND",
      message: `the snapshot ${JSON.stringify(this.#id)} was deleted while it was open`,
      details: { snapshot: this.#id },
    });
  }
}
