import { existsSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { VmError } from "../errors.ts";
import type { ExecExit, ExecRequest } from "../exec.ts";
import type { GuestInfo, GuestInit } from "../machine.ts";
import type { OpenPortForward, PortForward } from "../ports.ts";
import type { MachineStats } from "../stats.ts";
import type { StreamRequest } from "../streams.ts";
import { type GuestProgram, guestPrograms } from "./guest-programs.ts";
import { SimulatedCommand } from "./simulated-command.ts";
import { SimulatedFiles } from "./simulated-files.ts";
import { SimulatedPorts } from "./simulated-ports.ts";
import { SimulatedProgram } from "./simulated-program.ts";

const maxCommands = 64;
const echoPort = 7;
const knownUsers: readonly string[] = ["root", "nobody"];

/** What runs in a machine of the in-process engine: programs of this process that play those of a box. */
export class SimulatedGuest {
  /** Whether it answers nobody, as one that hangs. */
  isDeaf = false;
  /** Whether it has a network card. */
  hasNetwork = false;
  readonly #marker: string;
  readonly #log: string;
  readonly #commands = new Set<SimulatedCommand>();
  readonly #files = new SimulatedFiles();
  readonly #ports = new SimulatedPorts((port) => this.open({ type: "connect", port }, undefined));
  #program: SimulatedProgram | undefined;

  /** @param log - Where the output of its program goes. */
  constructor(directory: string, log: string) {
    this.#marker = join(directory, "initialized");
    this.#log = log;
  }

  /** What it tells who reaches it. */
  get info(): GuestInfo {
    return { agent: "simulated", isInitialized: existsSync(this.#marker) };
  }

  /** Gets ready for commands. @returns How its program ends, when it has one and was not ready before. */
  initialize({ program }: GuestInit): Promise<ExecExit> | undefined {
    if (this.info.isInitialized) return undefined;
    const command = program === undefined ? undefined : this.#start(program, undefined);
    if (command !== undefined) {
      this.#program = new SimulatedProgram(command, this.#log, program?.keepsInput ?? false);
    }
    writeFileSync(this.#marker, "");
    return command?.wait();
  }

  /** Runs a command. */
  exec(request: ExecRequest, signal: AbortSignal | undefined): SimulatedCommand {
    this.#requireReady();
    return this.#start(request, signal);
  }

  /** Opens a stream: to files in memory, or to port 7, which sends back what it gets. */
  open(request: StreamRequest, signal: AbortSignal | undefined): SimulatedCommand {
    this.#requireReady();
    return new SimulatedCommand({ command: [request.type] }, this.#opened(request), signal);
  }

  /** Listens on ports of the host. @returns All that are listened on. */
  async forward(forwards: readonly PortForward[]): Promise<readonly OpenPortForward[]> {
    this.#requireReady();
    return this.#ports.add(forwards);
  }

  /** What it uses: always the same, but for its time. */
  stats(): MachineStats {
    this.#requireReady();
    const uptimeMs = Math.round(performance.now());
    return {
      guest: {
        ...{ uptimeMs, cpus: 1, cpuMs: Math.round(uptimeMs / 4) },
        ...{ memoryBytes: 2 ** 28, usedMemoryBytes: 2 ** 26 },
        ...{ diskBytes: 2 ** 30, usedDiskBytes: 2 ** 29 },
      },
      host: { memoryBytes: 2 ** 29, cpuMs: uptimeMs, readBytes: 2 ** 20, writtenBytes: 2 ** 21 },
    };
  }

  /** Its program, while it runs. */
  requireProgram(): SimulatedProgram {
    if (this.#program?.isRunning === true) return this.#program;
    throw new VmError({ code: "VM_NO_PROGRAM", message: "the machine has no program that runs" });
  }

  /** Ends every command: the machine has ended. */
  die(): void {
    this.#ports.close();
    for (const command of this.#commands) {
      command.fail(new VmError({ code: "VM_MACHINE_DIED", message: "the machine has ended" }));
    }
  }

  /** Writes the names of its networks, one a line. */
  readonly #networks: GuestProgram = async ({ write }) => {
    await write(new TextEncoder().encode(this.hasNetwork ? "lo\neth0\n" : "lo\n"));
    return 0;
  };

  #opened(request: StreamRequest): GuestProgram {
    if (request.type === "put") return this.#files.put(request);
    if (request.type === "get") return this.#files.get(request);
    const { port } = request;
    if (port === echoPort && guestPrograms["cat"] !== undefined) return guestPrograms["cat"];
    throw new VmError({
      code: "VM_PORT_REFUSED",
      message: `nobody listens on port ${port}`,
      details: { port },
    });
  }

  #requireReady(): void {
    if (this.info.isInitialized) return;
    throw new VmError({
      code: "VM_GUEST_NOT_READY",
      message: "the guest is not ready for commands",
    });
  }

  #start(request: ExecRequest, signal: AbortSignal | undefined): SimulatedCommand {
    const program = request.command[0] === "networks" ? this.#networks : programOf(request);
    if (this.#commands.size >= maxCommands) {
      throw new VmError({
        code: "VM_EXEC_LIMIT",
        message: `${maxCommands} commands run already`,
        details: { limit: maxCommands },
      });
    }
    const command = new SimulatedCommand(request, program, signal);
    this.#commands.add(command);
    const forget = () => this.#commands.delete(command);
    command.wait().then(forget, forget);
    return command;
  }
}

function programOf({ command, workingDirectory = "/", user = "root" }: ExecRequest) {
  const [name = ""] = command;
  if (workingDirectory === "/missing") {
    throw new VmError({
      code: "VM_EXEC_NO_DIRECTORY",
      message: `there is no folder ${workingDirectory} in the box`,
      details: { workingDirectory },
    });
  }
  if (!knownUsers.includes(user) && !/^\d+(:\d+)?$/.test(user)) {
    throw new VmError({
      code: "VM_EXEC_NO_USER",
      message: `there is no user ${JSON.stringify(user)} in the box`,
      details: { user },
    });
  }
  if (name === "/etc/passwd") {
    throw new VmError({
      code: "VM_EXEC_NOT_EXECUTABLE",
      message: `cannot run ${name}: it is not executable`,
      details: { command: name },
    });
  }
  const program = Object.hasOwn(guestPrograms, name) ? guestPrograms[name] : undefined;
  if (program !== undefined) return program;
  throw new VmError({
    code: "VM_EXEC_NOT_FOUND",
    message: `there is no program ${JSON.stringify(name)} in the box`,
    details: { command: name },
  });
}
