import { type Pacing, RegistryClient, type RegistryClientOptions } from "@box/oras";
import { onTestFinished } from "vitest";

/** Time that stands still; waits end at once and are written down. */
export interface FakePacing extends Pacing {
  readonly waitsMs: number[];
  nowMs: number;
}

export function fakePacing(random = 0.5): FakePacing {
  const pacing: FakePacing = {
    waitsMs: [],
    nowMs: Date.UTC(2026, 0, 1),
    now: () => pacing.nowMs,
    random: () => random,
    sleep: async (ms) => {
      pacing.waitsMs.push(ms);
      pacing.nowMs += ms;
    },
  };
  return pacing;
}

/** A client that is closed when the running test ends. */
export function testClient(options: RegistryClientOptions = {}): RegistryClient {
  const client = new RegistryClient({ pacing: fakePacing(), ...options });
  onTestFinished(() => client.close());
  return client;
}
