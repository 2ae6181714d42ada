import { openFlags } from "./guest-paths.ts";
import type { Steps } from "./steps.ts";

/** The card of QEMU's user-mode network, whose addresses are always the same. */
const card = "eth0";
const [address, mask, gateway, anywhere] = ["10.0.2.15", "255.255.255.0", "10.0.2.2", "0.0.0.0"];

const internet = 2;
const datagram = 2;
const isUp = 0x1;
/** What a card of Ethernet has besides: broadcast and multicast. */
const flagsOfCards = 0x1002;
const setAddress = 0x8916;
const setMask = 0x891c;
const setFlags = 0x8914;
const addRoute = 0x890b;
const requestBytes = 40;
const nameBytes = 16;
const routeBytes = 120;
/** The route is up, and leads to a gateway. */
const upToGateway = 3;

/** Gives the card its address and its route. */
export function configureCard(steps: Steps): void {
  const { batch } = steps;
  const socket = batch.word();
  const tell = (what: number, bytes: Uint8Array) =>
    batch.call("ioctl", [socket, what, batch.data(bytes)]);
  steps.optional("network", () => [
    batch.call("socket", [internet, datagram | openFlags.closeOnExec, 0], { into: socket }),
    tell(setAddress, requestOf(card, socketAddress(address))),
    tell(setMask, requestOf(card, socketAddress(mask))),
    tell(setFlags, requestOf(card, flagBytes(isUp | flagsOfCards))),
    tell(addRoute, routeTo(gateway)),
  ]);
  steps.close(socket);
}

/** Brings the loopback up. */
export function configureLoopback(steps: Steps): void {
  const { batch } = steps;
  const socket = batch.word();
  steps.optional("loopback", () => [
    batch.call("socket", [internet, datagram | openFlags.closeOnExec, 0], { into: socket }),
    batch.call("ioctl", [socket, setFlags, batch.data(requestOf("lo", flagBytes(isUp)))]),
  ]);
  steps.close(socket);
}

/** `struct ifreq`: a name, and what is told. */
function requestOf(name: string, told: Uint8Array): Uint8Array {
  const bytes = new Uint8Array(requestBytes);
  bytes.set(new TextEncoder().encode(name));
  bytes.set(told, nameBytes);
  return bytes;
}

/** `struct rtentry`: to anywhere, by a gateway. */
function routeTo(by: string): Uint8Array {
  const bytes = new Uint8Array(routeBytes);
  bytes.set(socketAddress(anywhere), 8);
  bytes.set(socketAddress(by), 24);
  bytes.set(socketAddress(anywhere), 40);
  bytes.set(flagBytes(upToGateway), 56);
  return bytes;
}

/** `struct sockaddr_in`. */
function socketAddress(text: string): Uint8Array {
  return Uint8Array.from([internet, 0, 0, 0, ...text.split(".").map(Number), ...Array(8).fill(0)]);
}

function flagBytes(flags: number): Uint8Array {
  return Uint8Array.from([flags & 0xff, flags >> 8]);
}
