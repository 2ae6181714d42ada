import type { Engine, Machine, MachineRecord } from "@box/vm";

/** Handles on machines that a runtime has reached, one for each, shared by all that it does with them. */
export class MachineHandles {
  readonly #handles = new Map<string, Promise<Machine>>();

  /** The handle on a machine; attaches to it the first time. A failure is not remembered. */
  get(engine: Engine, record: MachineRecord): Promise<Machine> {
    const known = this.#handles.get(record.id);
    if (known !== undefined) return known;
    const handle = engine.attach(record);
    this.#handles.set(record.id, handle);
    handle.catch(() => {
      if (this.#handles.get(record.id) === handle) this.#handles.delete(record.id);
    });
    return handle;
  }

  /** Gives back the handle on a machine that has ended. */
  async drop(id: string): Promise<void> {
    const handle = this.#handles.get(id);
    this.#handles.delete(id);
    await handle?.then(
      (machine) => machine.close(),
      () => {},
    );
  }

  /** Gives all of them back. The machines go on. */
  async close(): Promise<void> {
    await Promise.all([...this.#handles.keys()].map((id) => this.drop(id)));
  }
}
