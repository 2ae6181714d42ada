import type { Pacing } from "@box/oras";

/** Time that stands still unless something waits; waits end at once and are written down. */
export interface FakePacing extends Pacing {
  readonly waitsMs: number[];
  nowMs: number;
}

export function fakePacing(): FakePacing {
  const pacing: FakePacing = {
    waitsMs: [],
    nowMs: Date.UTC(2026, 0, 1),
    now: () => pacing.nowMs,
    random: () => 0.5,
    sleep: async (ms) => {
      pacing.waitsMs.push(ms);
      pacing.nowMs += ms;
    },
  };
  return pacing;
}
