import { type Engine, isMachineAlive, type Machine } from "@box/vm";

/** An engine that starts one machine for all who ask for one: stopping it does nothing until `end` is called. */
export function sharing(engine: Engine): Engine & { end(): Promise<void> } {
  let machine: Machine | undefined;
  return {
    name: engine.name,
    probe: (options) => engine.probe(options),
    attach: (record, options) => engine.attach(record, options),
    look: (record) => engine.look(record),
    find: (directory) => engine.find(directory),
    spawn: async (spec, options) => {
      if (machine === undefined || !isMachineAlive(machine.record)) {
        machine = await engine.spawn(spec, options);
      }
      const { record } = machine;
      const handle = await engine.attach(record);
      handle.stop = async () => ({ step: "already", exit: { reason: "lost" } });
      return handle;
    },
    end: async () => {
      await machine?.stop({ graceMs: 0 });
      await machine?.close();
    },
  };
}
