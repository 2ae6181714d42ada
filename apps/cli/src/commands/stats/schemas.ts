import * as z from "zod";

/** What `box stats` takes. */
export interface StatsInput {
  /** The boxes; all that run unless given. */
  readonly names?: readonly string[] | undefined;
}

/** The schema of {@link StatsInput}. */
export const input: z.ZodType<StatsInput> = z.strictObject({
  names: z.array(z.string().min(1)).optional(),
});

const size = z.int();

/** What `box stats` prints of a box; sizes in bytes, times in milliseconds. */
export interface BoxStatsOutput {
  /** The box. */
  readonly name: string;
  /** What part of one processor it used while it was looked at, in percent: more than 100 with several. */
  readonly cpuPercent: number;
  /** As the guest tells it. */
  readonly guest: {
    readonly uptimeMs: number;
    readonly cpus: number;
    readonly cpuMs: number;
    readonly memoryBytes: number;
    readonly usedMemoryBytes: number;
    readonly diskBytes: number;
    readonly usedDiskBytes: number;
  };
  /** As the host sees it. */
  readonly host: {
    readonly memoryBytes?: number | undefined;
    readonly cpuMs?: number | undefined;
    readonly readBytes: number;
    readonly writtenBytes: number;
  };
}

/** The schema of what `box stats` prints. */
export const output: z.ZodType<readonly BoxStatsOutput[]> = z.array(
  z.strictObject({
    name: z.string(),
    cpuPercent: z.number(),
    guest: z.strictObject({
      uptimeMs: z.number(),
      cpus: z.int(),
      cpuMs: z.number(),
      memoryBytes: size,
      usedMemoryBytes: size,
      diskBytes: size,
      usedDiskBytes: size,
    }),
    host: z.strictObject({
      memoryBytes: size.optional(),
      cpuMs: z.number().optional(),
      readBytes: size,
      writtenBytes: size,
    }),
  }),
);
