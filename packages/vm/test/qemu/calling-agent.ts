import { spawn } from "node:child_process";
import type { Socket } from "node:net";
import { join } from "node:path";
import { compileAgent } from "@box/guest/boot";
import {
  decodeGuestMessage,
  encodeHostMessage,
  FrameDecoder,
  type GuestMessage,
  type HostMessage,
  protocolVersion,
} from "@box/guest/protocol";

const cacheDirectory = join(import.meta.dirname, "../../../../.cache/agent");

/** A real agent as a process of this host, which carries calls out on its files: a played guest has no kernel. */
export class CallingAgent {
  readonly #told: (message: GuestMessage) => void;
  #socket: Promise<Socket> | undefined;

  /** @param told - Told what the agent says of streams. */
  constructor(told: (message: GuestMessage) => void) {
    this.#told = told;
  }

  /** Passes something on. */
  send(message: HostMessage): void {
    this.#socket ??= this.#start();
    void this.#socket.then((socket) => socket.write(encodeHostMessage(message)));
  }

  async #start(): Promise<Socket> {
    const { path } = await compileAgent({ cacheDirectory });
    const child = spawn(path, ["--test", "3"], { stdio: ["ignore", 2, 2, "pipe"] });
    const socket = child.stdio[3] as Socket;
    const decoder = new FrameDecoder("guest");
    socket.on("data", (chunk: Uint8Array) => {
      for (const frame of decoder.push(chunk)) {
        if (frame.streamId !== 0) this.#told(decodeGuestMessage(frame));
      }
    });
    const version = { minVersion: protocolVersion, maxVersion: protocolVersion };
    socket.write(encodeHostMessage({ type: "hello", ...version, graceMs: 0, nonce: 1n }));
    return socket;
  }
}
