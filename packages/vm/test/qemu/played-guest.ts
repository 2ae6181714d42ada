import { type CallName, callNames } from "@box/guest/calls";
import type { PlayCall, PlayedCall } from "./played-calls.ts";

/** What comes of being mounted. */
export interface MountEffects {
  /** The guest has its name: it is what the test wants of it. @returns Whether its disk can be mounted. */
  named(hostname: string): boolean;
  /** What it was told before that. */
  told(facts: { readonly seed: string; readonly timeMs: number }): void;
  /** It has a network card. */
  networked(): void;
  /** Its disks are mounted, but for what comes last. */
  mounted(): void;
}

const noSpace = -28;
const noMedium = -123;
const deviceBytes = 0x8008_1272;
const addEntropy = 0x4008_5203;
const files: Readonly<Record<string, string>> = {
  "/proc/uptime": "5.00 1.00\n",
  "/proc/stat": "cpu  25 0 0 75 0 0 0 0 0 0\ncpu0 25 0 0 75 0 0 0 0 0 0\n",
  "/proc/meminfo": "MemTotal: 262144 kB\nMemAvailable: 196608 kB\n",
};

/** A kernel that has a few files, and disks that are as large as their file systems. */
export function playGuest(effects: MountEffects): PlayCall {
  let hostname = "";
  let isMountable = true;
  let seed = "";
  let path = "";
  const plays: Partial<Record<CallName, (call: PlayedCall) => ReturnType<PlayCall>>> = {
    openat2: ({ values: [, name = 0], text }) => {
      path = text(name);
      return undefined;
    },
    read: () => ({ told: Buffer.from(files[path] ?? "") }),
    pread64: () => ({ told: new Uint8Array(1024) }),
    readlinkat: () => ({ result: 8 }),
    statfs: () => {
      const told = Buffer.alloc(120);
      for (const [index, value] of [4096n, 262_144n, 131_072n].entries())
        told.writeBigUInt64LE(value, 8 + index * 8);
      return { told };
    },
    ioctl: ({ values: [, request, address = 0], bytes }) => {
      if (request === addEntropy) seed = bytes(address + 8, 64).toString("hex");
      return request === deviceBytes && hostname === "odd" ? { result: noSpace } : undefined;
    },
    clock_settime: ({ values: [, address = 0], bytes }) => {
      const time = bytes(address, 16);
      const [seconds, ns] = [time.readBigUInt64LE(0), time.readBigUInt64LE(8)];
      effects.told({ seed, timeMs: Number(seconds) * 1000 + Number(ns / 1_000_000n) });
      return undefined;
    },
    sethostname: ({ values: [address = 0, length = 0], bytes }) => {
      hostname = bytes(address, length).toString();
      isMountable = effects.named(hostname);
      return undefined;
    },
    socket: () => {
      effects.networked();
      return undefined;
    },
    chroot: () => {
      effects.mounted();
      return undefined;
    },
    mount: () => (isMountable ? undefined : { result: noMedium }),
  };
  return (call) => plays[callNames[call.name] ?? "close"]?.(call);
}
