import { PassThrough } from "node:stream";
import { afterEach, beforeEach, describe, expect, onTestFinished, test, vi } from "vitest";
import { createPaint } from "../../src/output/paint.ts";
import { chooseMode } from "../../src/progress/create-renderer.ts";
import { describeEvent, describeProgress, formatDuration } from "../../src/progress/describe.ts";
import { createPlainRenderer, createSilentRenderer } from "../../src/progress/plain.ts";
import type { ShownEvent } from "../../src/progress/shown-event.ts";
import { createTtyRenderer } from "../../src/progress/tty.ts";
import { recordStream } from "../support/run-box.ts";

const paint = createPaint({ allowed: false, isTerminal: false, env: {} });
const error = {
  code: "X",
  kind: "network",
  message: "gone",
  details: {},
  retryable: true,
  cause: [],
} as const;

describe("chooseMode", () => {
  test.each([
    ["auto", false, true, "tty"],
    ["auto", false, false, "plain"],
    ["tty", false, false, "plain"],
    ["plain", false, true, "plain"],
    ["none", false, true, "none"],
    ["json", true, true, "json"],
    ["auto", true, true, "none"],
    ["tty", true, true, "none"],
  ] as const)("%s, quiet %s, redraws %s: %s", (progress, quiet, canRedraw, mode) => {
    expect(chooseMode({ progress, quiet }, canRedraw)).toBe(mode);
  });
});

describe("describeEvent", () => {
  test.each<[ShownEvent, string]>([
    [{ type: "warning", message: "w" }, "warning: w"],
    [{ type: "warning", code: "C", message: "w" }, "warning[C]: w"],
    [{ type: "retried", task: "t", delayMs: 1500, error }, "retrying t in 1.5 s: gone"],
    [{ type: "retried" }, "retrying box in 0 ms"],
    [{ type: "cached", message: "base" }, "cached base"],
    [{ type: "finished", task: "t", durationMs: 12.4 }, "done t in 12 ms"],
    [{ type: "finished" }, "done box in 0 ms"],
    [{ type: "failed", task: "t" }, "failed t"],
    [{ type: "info", message: "m\u001b" }, "m\\x1b"],
    [{ type: "overlay", message: "kept" }, "kept"],
    [{ type: "odd", task: "t" }, "odd t"],
  ])("%j", (event, line) => expect(describeEvent(event, paint)).toBe(line));

  test("progress names task, item and amounts", () => {
    const digest = `sha256:${"0a".repeat(32)}`;
    expect(
      describeProgress({
        type: "progress",
        task: "pull",
        item: digest,
        done: 1024,
        total: 2048,
        unit: "bytes",
      }),
    ).toBe("pull sha256:0a0a0a0a0a0a: 1 KiB of 2 KiB");
    expect(describeProgress({ type: "progress", done: 3, unit: "layers" })).toBe("box: 3 layers");
    expect(describeProgress({ type: "progress" })).toBe("box: 0");
    expect(formatDuration(999.6)).toBe("1000 ms");
  });
});

describe("the plain renderer", () => {
  const setUp = (logLevel: "warn" | "info" | "debug" = "info") => {
    const stderr = recordStream();
    const clock = { ms: 0 };
    const renderer = createPlainRenderer({ stderr, paint, logLevel, now: () => clock.ms });
    return { stderr, clock, renderer };
  };

  test("prints at most one progress line a second for each item", () => {
    const { stderr, clock, renderer } = setUp();
    for (clock.ms = 0; clock.ms < 3000; clock.ms += 10) {
      for (const item of ["a", "b"])
        renderer.event({ type: "progress", task: "t", item, done: clock.ms });
    }
    expect(stderr.text().trim().split("\n")).toEqual([
      "t a: 1000",
      "t b: 1000",
      "t a: 2000",
      "t b: 2000",
    ]);
  });

  test("prints what the log level lets through, and notes always", () => {
    const events: ShownEvent[] = [
      { type: "started", task: "t" },
      { type: "info", message: "m" },
      { type: "warning", message: "w" },
    ];
    const expected = {
      warn: "warning: w\nn\n",
      info: "m\nwarning: w\nn\n",
      debug: "started t\nm\nwarning: w\nn\n",
    };
    for (const level of ["warn", "info", "debug"] as const) {
      const { stderr, renderer } = setUp(level);
      for (const event of events) renderer.event(event);
      renderer.print("n");
      renderer.close();
      expect(stderr.text()).toBe(expected[level]);
    }
  });

  test("prints no progress below the level of information", () => {
    const { stderr, clock, renderer } = setUp("warn");
    renderer.event({ type: "progress", done: 0 });
    clock.ms = 5000;
    renderer.event({ type: "progress", done: 1 });
    expect(stderr.text()).toBe("");
  });
});

test("the silent renderer prints warnings, and more only when asked for", () => {
  const show = (logLevel: "info" | "debug") => {
    const stderr = recordStream();
    const renderer = createSilentRenderer({ stderr, paint, logLevel, now: () => 0 });
    for (const type of ["started", "info", "progress", "warning"])
      renderer.event({ type, message: type });
    renderer.print("n");
    renderer.close();
    return stderr.text();
  };
  expect(show("info")).toBe("warning: warning\nn\n");
  expect(show("debug")).toBe(
    "started box\ninfo\nwarning: warning\nn\n".replace("started box", "started"),
  );
});

describe("the terminal renderer", () => {
  beforeEach(() => vi.useFakeTimers());
  afterEach(() => vi.useRealTimers());

  const setUp = () => {
    const stream = Object.assign(new PassThrough(), { columns: 80, rows: 24, isTTY: true });
    const chunks: string[] = [];
    stream.on("data", (chunk: Buffer) => chunks.push(chunk.toString()));
    const renderer = createTtyRenderer({
      stderr: recordStream(true),
      stream,
      paint,
      logLevel: "info",
      now: () => Date.now(),
    });
    const drawn = () => {
      chunks.length = 0;
      vi.advanceTimersByTime(100);
      return chunks.join("");
    };
    return { renderer, drawn, all: () => chunks.join("") };
  };

  test("draws a line for each task and item under way, and none for those that are done", () => {
    const { renderer, drawn } = setUp();
    renderer.event({ type: "started", task: "pull" });
    renderer.event({
      type: "progress",
      task: "pull",
      item: "layer",
      done: 1,
      total: 2,
      unit: "parts",
    });
    expect(drawn()).toContain("pull layer: 1 parts of 2 parts");
    renderer.event({
      type: "progress",
      task: "pull",
      item: "layer",
      done: 2,
      total: 2,
      unit: "parts",
    });
    expect(drawn()).not.toContain("layer");
    renderer.event({ type: "progress", task: "pull", item: "other", done: 1 });
    renderer.event({ type: "finished", task: "pull", durationMs: 3 });
    expect(drawn()).not.toContain("pull");
    renderer.close();
  });

  test("leaves the screen and its cursor to others while nothing is under way", () => {
    const cursor: unknown[] = [];
    vi.spyOn(process.stderr, "write").mockImplementation((text) => cursor.push(text) > 0);
    const { isTTY } = process.stderr;
    process.stderr.isTTY = true;
    onTestFinished(() => {
      process.stderr.isTTY = isTTY;
      vi.restoreAllMocks();
    });
    const { renderer, drawn, all } = setUp();
    renderer.event({ type: "started", task: "boot" });
    expect(drawn()).toContain("boot");
    renderer.event({ type: "finished", task: "boot", durationMs: 3 });
    expect(all()).toContain("done boot in 3 ms");
    expect(cursor.at(-1)).toBe("\u001b[?25h");
    cursor.length = 0;
    expect([drawn(), drawn()]).toEqual(["", ""]);
    renderer.close();
    expect([all(), ...cursor]).toEqual([""]);
  });

  test("keeps messages and notes on the screen", () => {
    const { renderer, all } = setUp();
    renderer.event({ type: "warning", message: "look out" });
    renderer.event({ type: "failed", task: "t" });
    renderer.print("a note");
    renderer.close();
    expect(all()).toContain("warning: look out\n");
    expect(all()).toContain("a note\n");
  });
});
