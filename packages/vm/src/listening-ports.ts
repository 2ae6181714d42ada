import { once } from "node:events";
import { createServer, type Server, type Socket } from "node:net";
import { errnoOf } from "@box/io/node";
import { VmError } from "./errors.ts";
import {
  checkPortForward,
  loopbackAddress,
  type OpenPortForward,
  type PortForward,
} from "./ports.ts";

/** Of all ports together: below the streams that an agent has at most, so that commands still find one. */
const mostConnections = 100;

/** Ports of the host that are listened on for ports of a guest. */
export class ListeningPorts {
  readonly #serve: (socket: Socket, guestPort: number) => void;
  readonly #servers: Server[] = [];
  readonly #open: OpenPortForward[] = [];
  #connections = 0;

  /** @param serve - Takes a connection, which is paused. */
  constructor(serve: (socket: Socket, guestPort: number) => void) {
    this.#serve = serve;
  }

  /** What is listened on. */
  get open(): readonly OpenPortForward[] {
    return [...this.#open];
  }

  /** Listens on more; all of them or none. @throws VmError `VM_PORT_IN_USE`, `VM_SPEC_INVALID`. */
  async add(forwards: readonly PortForward[]): Promise<void> {
    for (const forward of forwards) checkPortForward(forward);
    const added: { readonly server: Server; readonly open: OpenPortForward }[] = [];
    try {
      for (const forward of forwards) added.push(await this.#listen(forward));
    } catch (error) {
      for (const { server } of added) server.close();
      throw error;
    }
    this.#servers.push(...added.map(({ server }) => server));
    this.#open.push(...added.map(({ open }) => open));
  }

  /** Listens on nothing any more. Connections stay. */
  close(): void {
    for (const server of this.#servers.splice(0)) server.close();
    this.#open.length = 0;
  }

  #take(socket: Socket, guestPort: number): void {
    if (this.#connections === mostConnections) {
      socket.destroy();
      return;
    }
    this.#connections += 1;
    socket.once("close", () => {
      this.#connections -= 1;
    });
    this.#serve(socket, guestPort);
  }

  async #listen({ hostAddress = loopbackAddress, hostPort, guestPort }: PortForward) {
    const server = createServer({ allowHalfOpen: true, pauseOnConnect: true }, (socket) =>
      this.#take(socket, guestPort),
    );
    // Who forwards ports lives as long as its machine, whatever is listened on.
    server.unref();
    try {
      server.listen(hostPort, hostAddress);
      await once(server, "listening");
    } catch (error) {
      throw new VmError({
        code: "VM_PORT_IN_USE",
        message: `cannot listen on port ${hostPort} of ${hostAddress}: ${errnoOf(error) ?? String(error)}`,
        details: { hostAddress, hostPort },
        cause: error,
      });
    }
    const address = server.address();
    const port = typeof address === "object" && address !== null ? address.port : hostPort;
    return { server, open: { hostAddress, hostPort: port, guestPort } };
  }
}
