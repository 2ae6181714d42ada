import { mkdtempSync } from "node:fs";
import type { Socket } from "node:net";
import { constants, tmpdir } from "node:os";
import { join } from "node:path";
import {
  type AgentStep,
  decodeHostMessage,
  encodeGuestMessage,
  FrameDecoder,
  type GuestMessage,
  type HostMessage,
  initialCreditBytes,
  linuxSignalName,
  protocolVersion,
} from "@box/guest/protocol";
import type { EnvironmentEntry, ExecProcess, ExecRequest } from "@box/vm";
import { SimulatedGuest } from "../../src/testing/simulated-guest.ts";
import { CallingAgent } from "./calling-agent.ts";
import { PlayedCalls } from "./played-calls.ts";
import { type MountEffects, playGuest } from "./played-guest.ts";

type Exec = Extract<HostMessage, { readonly type: "exec" }>;

const failures: Readonly<Record<string, readonly [AgentStep, number]>> = {
  VM_EXEC_NOT_FOUND: ["program", 2],
  VM_EXEC_NOT_EXECUTABLE: ["program", 13],
  VM_EXEC_NO_DIRECTORY: ["folder", 2],
  VM_EXEC_LIMIT: ["too-many", 11],
  VM_PORT_REFUSED: ["connect", 111],
};

/** What happens to the machine that an agent is in. */
export interface FakeMachine {
  powerOff(): void;
  panic(): void;
  /** Says something on the console. */
  say(text: string): void;
  /** The host has no space any more. */
  fill(): void;
}

/** Speaks the protocol of the agent for the simulated programs of a simulated guest, and is as strict as the real one. */
export class FakeAgent {
  readonly #port: Socket;
  readonly #machine: FakeMachine;
  readonly #guest: SimulatedGuest;
  readonly #streams = new Map<number, FakeStream>();
  /** Streams of those who carry out calls. */
  readonly #calls = new Map<number, PlayedCalls | undefined>();
  readonly #caller = new CallingAgent((message) => this.send(message));
  #isHanging = false;
  #isSilent = false;
  #isMounted = false;
  #hostname = "";
  #told = "";

  constructor(port: Socket, machine: FakeMachine) {
    this.#port = port;
    this.#machine = machine;
    const folder = mkdtempSync(join(tmpdir(), "box-fake-"));
    this.#guest = new SimulatedGuest(folder, join(folder, "output"));
    const decoder = new FrameDecoder("host");
    port.on("data", (chunk: Uint8Array) => {
      if (this.#isHanging) return;
      for (const frame of decoder.push(chunk)) this.#handle(decodeHostMessage(frame));
    });
  }

  /** Answers nobody any more. */
  hang(): void {
    this.#isHanging = true;
  }

  send(message: GuestMessage): void {
    if (!this.#isHanging) this.#port.write(encodeGuestMessage(message));
  }

  over(streamId: number): void {
    this.#streams.delete(streamId);
  }

  #handle(message: HostMessage): void {
    switch (message.type) {
      case "hello": {
        const { nonce } = message;
        this.send({ type: "ready", version: protocolVersion, nonce });
        break;
      }
      case "exec":
        this.#start(message.streamId, () => this.#guest.exec(execOf(message), undefined));
        break;
      case "calls":
        this.#call(message);
        break;
      case "connect":
        this.#start(message.streamId, () => this.#guest.open(message, undefined));
        break;
      case "ping":
        this.send({ type: "pong", streamId: message.streamId, bytes: message.bytes });
        break;
      case "shutdown":
        this.#machine.powerOff();
        break;
      default:
        if (this.#calls.has(message.streamId)) this.#tellCaller(message);
        else void this.#streams.get(message.streamId)?.tell(message);
    }
  }

  /** Where the agent is, nothing of this host may be touched: that is played. */
  #call(message: Extract<HostMessage, { readonly type: "calls" }>): void {
    const { streamId, target } = message;
    const played = target === "agent" ? new PlayedCalls(playGuest(this.#effects)) : undefined;
    this.#calls.set(streamId, played);
    if (played === undefined) this.#caller.send(message);
    else this.send({ type: "started", streamId, pid: 2 });
  }

  #tellCaller(message: Extract<HostMessage, { readonly streamId: number }>): void {
    const { streamId } = message;
    const played = this.#calls.get(streamId);
    if (played === undefined) {
      this.#caller.send(message);
    } else if (message.type === "data") {
      const bytes = played.push(message.bytes);
      this.send({ type: "credit", streamId, bytes: message.bytes.byteLength });
      if (bytes.byteLength > 0 && !this.#isSilent) this.send({ type: "out", streamId, bytes });
      if (!this.#isMounted) return;
      // What has mounted its disks is stopped, or ended, by somebody in the guest.
      this.#isSilent ||= this.#hostname === "stopped" || this.#hostname === "ended";
      if (this.#hostname === "ended") this.#endCaller(streamId);
    } else if (message.type === "eof") {
      this.#endCaller(streamId);
    }
  }

  #endCaller(streamId: number): void {
    if (this.#calls.delete(streamId)) {
      this.send({ type: "exit", streamId, exitCode: 0, signal: 0 });
      for (const channel of ["out", "err"] as const) this.send({ type: "end", streamId, channel });
    }
  }

  readonly #effects: MountEffects = {
    told: (facts) => {
      this.#told = JSON.stringify(facts);
    },
    networked: () => {
      this.#guest.hasNetwork = true;
    },
    mounted: () => {
      this.#isMounted = true;
    },
    named: (hostname) => {
      if (hostname === "full") this.#machine.fill();
      if (hostname === "told") this.#machine.say(this.#told);
      if (hostname === "panic") this.#machine.panic();
      this.#hostname = hostname;
      this.#isSilent = hostname === "liar" || hostname === "panic";
      if (hostname === "liar") this.#port.write("what is this?");
      void this.#guest.initialize({ hostname });
      return hostname !== "unmountable";
    },
  };

  #start(streamId: number, start: () => ExecProcess): void {
    try {
      const command = start();
      this.send({ type: "started", streamId, pid: 2 });
      this.#streams.set(streamId, new FakeStream(this, streamId, command));
    } catch (error) {
      this.fail(streamId, failureOf(error));
    }
  }

  fail(streamId: number, [step, errno]: readonly [AgentStep, number]): void {
    this.send({ type: "fail", streamId, step, errno, place: 0 });
  }
}

function failureOf(error: unknown): readonly [AgentStep, number] {
  return failures[(error as { readonly code: string }).code] ?? ["process", 5];
}

function execOf(request: Exec): ExecRequest {
  return {
    command: request.command,
    environment: request.environment.map((entry): EnvironmentEntry => {
      const [name = "", ...rest] = entry.split("=");
      return [name, rest.join("=")];
    }),
    ...(request.workingDirectory === "" ? {} : { workingDirectory: request.workingDirectory }),
    user: request.uid === 0 ? "root" : "nobody",
    ...(request.terminal === undefined ? {} : { terminal: request.terminal }),
  };
}

/** A command, with the credit of its streams. */
class FakeStream {
  readonly #agent: FakeAgent;
  readonly #id: number;
  readonly #command: ExecProcess;
  readonly #credit = { out: initialCreditBytes, err: initialCreditBytes };
  #more = Promise.withResolvers<void>();
  #input = initialCreditBytes;
  #writing: Promise<void> = Promise.resolve();

  constructor(agent: FakeAgent, id: number, command: ExecProcess) {
    this.#agent = agent;
    this.#id = id;
    this.#command = command;
    const exited = command.wait().then(({ exitCode, signal }) => {
      const number = signal === undefined ? 0 : constants.signals[signal as NodeJS.Signals];
      agent.send({ type: "exit", streamId: id, exitCode, signal: number });
    });
    const outputs = [this.#pump("out", command.stdout), this.#pump("err", command.stderr)];
    Promise.all([exited, ...outputs]).then(
      () => agent.over(id),
      (error: unknown) => {
        agent.over(id);
        agent.fail(id, failureOf(error));
      },
    );
  }

  async tell(message: HostMessage): Promise<void> {
    switch (message.type) {
      case "data":
        this.#take(message.bytes);
        break;
      case "eof":
        this.#writing = this.#writing.then(() => this.#command.stdin.end());
        break;
      case "signal":
        await this.#command.kill(linuxSignalName(message.signal));
        break;
      case "cancel":
        await this.#command.kill("SIGKILL");
        break;
      case "resize":
        await this.#command.resize(message);
        break;
      case "credit":
        this.#credit[message.channel] += message.bytes;
        this.#more.resolve();
        this.#more = Promise.withResolvers<void>();
        break;
      default:
    }
  }

  #take(bytes: Uint8Array): void {
    this.#input -= bytes.byteLength;
    if (this.#input < 0) process.exit(9);
    const own = Uint8Array.from(bytes);
    this.#writing = this.#writing.then(async () => {
      await this.#command.stdin.write(own).catch(() => {});
      this.#input += own.byteLength;
      this.#agent.send({ type: "credit", streamId: this.#id, bytes: own.byteLength });
    });
  }

  async #pump(type: "out" | "err", output: AsyncIterable<Uint8Array>): Promise<void> {
    for await (const chunk of output) {
      for (let at = 0; at < chunk.byteLength; ) {
        while (this.#credit[type] === 0) await this.#more.promise;
        const bytes = chunk.subarray(at, at + this.#credit[type]);
        this.#credit[type] -= bytes.byteLength;
        at += bytes.byteLength;
        this.#agent.send({ type, streamId: this.#id, bytes });
      }
    }
    this.#agent.send({ type: "end", streamId: this.#id, channel: type });
  }
}
