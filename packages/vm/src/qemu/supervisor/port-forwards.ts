import type { Socket } from "node:net";
import { initialCreditBytes, maxDataBytes } from "@box/guest/protocol";
import { ListeningPorts } from "../../listening-ports.ts";
import type { OpenPortForward, PortForward } from "../../ports.ts";
import type { GuestListener, GuestSession } from "./guest-session.ts";

/** Ports of the host whose connections go to ports of a guest's loopback, through its agent. */
export class PortForwards {
  readonly #ports: ListeningPorts;
  readonly #sockets = new Set<Socket>();

  constructor(guest: GuestSession) {
    this.#ports = new ListeningPorts((socket, guestPort) => {
      this.#sockets.add(socket);
      socket.once("close", () => this.#sockets.delete(socket));
      void new ForwardedConnection(socket, guest).open(guestPort);
    });
  }

  /** What is listened on. */
  get open(): readonly OpenPortForward[] {
    return this.#ports.open;
  }

  /** Listens on more; all of them or none. @throws VmError `VM_PORT_IN_USE`, `VM_SPEC_INVALID`. */
  add(forwards: readonly PortForward[]): Promise<void> {
    return this.#ports.add(forwards);
  }

  /** Listens on nothing any more, and breaks connections off. */
  close(): void {
    this.#ports.close();
    for (const socket of this.#sockets) socket.destroy();
  }
}

/** A connection between a socket of the host and a port of the guest. Each direction ends by itself. */
class ForwardedConnection implements GuestListener {
  readonly #socket: Socket;
  readonly #guest: GuestSession;
  #streamId = 0;
  #credit = initialCreditBytes;
  #waiting: Uint8Array = new Uint8Array(0);
  #isInputEnded = false;
  #isEofTold = false;
  #isOver = false;

  constructor(socket: Socket, guest: GuestSession) {
    this.#socket = socket;
    this.#guest = guest;
    socket.on("error", () => {});
    socket.on("data", (chunk: Uint8Array) => {
      this.#waiting = Buffer.concat([this.#waiting, chunk]);
      this.#pump();
    });
    socket.on("end", () => {
      this.#isInputEnded = true;
      this.#pump();
    });
    socket.on("close", () => {
      if (!this.#isOver) this.#guest.tell({ type: "cancel", streamId: this.#streamId });
    });
  }

  /** Connects to the guest, which the socket's peer waits for; it is reset when nobody listens there. */
  async open(port: number): Promise<void> {
    try {
      await this.#guest.open({ type: "connect", port }, this);
      if (this.#socket.destroyed) this.#guest.tell({ type: "cancel", streamId: this.#streamId });
      else this.#socket.resume();
    } catch {
      this.#isOver = true;
      this.#socket.resetAndDestroy();
    }
  }

  begin(streamId: number): void {
    this.#streamId = streamId;
  }

  output(channel: "out" | "err", bytes: Uint8Array): void {
    const { byteLength } = bytes;
    const streamId = this.#streamId;
    // The guest may send more when the peer has taken this, or has gone away.
    this.#socket.write(Uint8Array.from(bytes), () =>
      this.#guest.tell({ type: "credit", streamId, channel, bytes: byteLength }),
    );
  }

  end(channel: "out" | "err"): void {
    if (channel === "out") this.#socket.end();
  }

  credit(bytes: number): void {
    this.#credit += bytes;
    this.#pump();
  }

  closed(): void {}

  exit(): void {}

  lost(): void {
    this.#socket.resetAndDestroy();
  }

  over(): void {
    this.#isOver = true;
  }

  #pump(): void {
    const streamId = this.#streamId;
    while (this.#waiting.byteLength > 0 && this.#credit > 0) {
      const bytes = this.#waiting.slice(0, Math.min(this.#credit, maxDataBytes));
      this.#waiting = this.#waiting.subarray(bytes.byteLength);
      this.#credit -= bytes.byteLength;
      this.#guest.tell({ type: "data", streamId, bytes });
    }
    if (this.#waiting.byteLength > 0) this.#socket.pause();
    else if (!this.#isInputEnded) this.#socket.resume();
    else if (!this.#isEofTold) {
      this.#isEofTold = true;
      this.#guest.tell({ type: "eof", streamId });
    }
  }
}
