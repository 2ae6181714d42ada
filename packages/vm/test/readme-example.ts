// biome-ignore-all lint/suspicious/noConsole: an example prints
import type { Engine, MachineSpec } from "@box/vm";

export async function runHello(engine: Engine, spec: MachineSpec): Promise<number> {
  await using machine = await engine.spawn(spec); // its process is there: store machine.record
  await machine.connect(); // the guest answers
  await machine.initialize({ hostname: spec.name }); // its disks are mounted
  const hello = await machine.exec({ command: ["print", "hello"] });
  for await (const chunk of hello.stdout) console.log(new TextDecoder().decode(chunk));
  const { exitCode } = await hello.wait();
  await machine.stop(); // asks the guest, then ends the process
  return exitCode;
}
