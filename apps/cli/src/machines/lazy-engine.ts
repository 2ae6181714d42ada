import type { Engine } from "@box/vm";

/** An engine whose code is loaded when it is first needed: most commands look at disks and records only. */
export function lazyEngine(name: string, load: () => Promise<Engine>): Engine {
  let loading: Promise<Engine> | undefined;
  const engine = () => {
    loading ??= load();
    return loading;
  };
  return {
    name,
    probe: async (options) => (await engine()).probe(options),
    spawn: async (spec, options) => (await engine()).spawn(spec, options),
    attach: async (record, options) => (await engine()).attach(record, options),
    look: async (record) => (await engine()).look(record),
    find: async (directory) => (await engine()).find(directory),
  };
}
