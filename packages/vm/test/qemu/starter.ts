// Starts a machine, tells its record, and ends or waits to be killed.
import type { MachineSpec } from "@box/vm";
import { fakeEngine } from "./fake-engine.ts";

const { spec, folder, stays } = JSON.parse(process.argv[2] ?? "") as {
  readonly spec: MachineSpec;
  readonly folder: string;
  readonly stays: boolean;
};
const machine = await fakeEngine(folder).spawn(spec);
await machine.connect();
await machine.initialize({ hostname: spec.name });
process.stdout.write(`${JSON.stringify(machine.record)}\n`);
if (stays) setInterval(() => {}, 1000);
