import type { Engine } from "../../engine.ts";
import type { MachineRecord } from "../../machine-record.ts";
import type { MachineSpec } from "../../machine-spec.ts";

/** Commands of the box that the contract's machines run, by what they do. */
export interface ContractCommands {
  /** Copies its input to its output until end of file. */
  readonly copy: readonly string[];
  /** Writes `out` to its output and `err` to its error output, without line ends. */
  readonly print: readonly string[];
  /** Runs until a signal ends it. */
  readonly sleep: readonly string[];
  /** Says `ready` and a line end, waits for SIGINT, says `interrupted` and a line end, and exits with 7. */
  readonly trap: readonly string[];
  /** Writes its environment, one `NAME=VALUE` a line. */
  readonly environment: readonly string[];
  /** Writes its working folder and a line end. */
  readonly workingDirectory: readonly string[];
  /** Writes rows and columns of its terminal and a line end, waits until the size changes, writes them again. */
  readonly terminalSize: readonly string[];
  /** Exits with this code. */
  exit(code: number): readonly string[];
  /** Writes this many bytes `x`. */
  flood(bytes: number): readonly string[];
  /** Listens on port 7 of the loopback, says so with any output, and sends back to each who connects what it gets. */
  readonly echoServer: readonly string[];
  /** Writes the names of its networks, one a line, each that is down with ` down` behind it. */
  readonly networks: readonly string[];
  /** A file that is there and cannot be run. */
  readonly notExecutable: readonly string[];
}

/** An engine, and what a test needs to try it. */
export interface ContractSubject {
  /** The engine. */
  readonly engine: Engine;
  /** The same engine as another process would have it. */
  other(): Engine;
  /** A machine that can be started, with folders of its own that go away with the test. */
  spec(): Promise<MachineSpec>;
  /** What its box can run. */
  readonly commands: ContractCommands;
  /** A folder that is in the box, other than the root. */
  readonly folder: string;
  /** Makes the guest answer nobody any more, while its process lives on. */
  hang(record: MachineRecord): Promise<void>;
}

/** One thing that every engine does. */
export interface ContractCase {
  /** What it claims, as the title of a test. */
  readonly title: string;
  /** Whether it may be given a machine that others have used, and leaves it so: for engines whose machines take long to start. */
  readonly sharesMachine?: boolean;
  /** Throws an assertion error when the engine does not do it. Leaves no machine behind. */
  run(subject: ContractSubject): Promise<void>;
}
