import type { Socket } from "node:net";
import { ListeningPorts } from "../listening-ports.ts";
import type { OpenPortForward, PortForward } from "../ports.ts";
import type { GuestStream } from "../streams.ts";

/** Ports of the host whose connections go to a simulated guest. */
export class SimulatedPorts {
  readonly #ports: ListeningPorts;

  constructor(connect: (port: number) => GuestStream) {
    this.#ports = new ListeningPorts((socket, port) => void serve(socket, () => connect(port)));
  }

  /** Listens on more. @returns All that are listened on. */
  async add(forwards: readonly PortForward[]): Promise<readonly OpenPortForward[]> {
    await this.#ports.add(forwards);
    return this.#ports.open;
  }

  /** Listens on nothing any more. */
  close(): void {
    this.#ports.close();
  }
}

async function serve(socket: Socket, connect: () => GuestStream): Promise<void> {
  socket.on("error", () => {});
  try {
    const stream = connect();
    socket.on("data", (chunk: Uint8Array) => void stream.stdin.write(chunk).catch(() => {}));
    socket.on("end", () => void stream.stdin.end());
    socket.resume();
    for await (const chunk of stream.stdout) socket.write(chunk);
    socket.end();
  } catch {
    socket.resetAndDestroy();
  }
}
