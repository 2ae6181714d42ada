import { type CreateBoxOptions, Runtime } from "@box/runtime";
import type { TerminalSize } from "@box/vm";
import { InProcessEngine } from "@box/vm/testing";
import { describe, expect, onTestFinished, test } from "vitest";
import type { CommandContext } from "../../src/command/define-command.ts";
import { ExitCodeError } from "../../src/errors.ts";
import type { TakenSignal } from "../../src/host/host.ts";
import { attachToBox } from "../../src/machines/attach-to-box.ts";
import { parseDetachKeys } from "../../src/machines/detach-keys.ts";
import { execRequest } from "../../src/machines/exec-input.ts";
import { parseGrace } from "../../src/machines/parse-grace.ts";
import { parseSignal } from "../../src/machines/parse-signal.ts";
import { runInBox, withRunExitCodes } from "../../src/machines/run-in-box.ts";
import { createTestHome } from "../support/boxed-home.ts";

/** What a command of a box needs of its surroundings, and what it wrote. */
function streams(input: string, terminal?: CommandContext["terminal"]) {
  const written = { stdout: "", stderr: "" };
  const keep = (name: keyof typeof written) => async (chunks: AsyncIterable<Uint8Array>) => {
    for await (const chunk of chunks) written[name] += Buffer.from(chunk).toString();
    return true;
  };
  const context = {
    signal: new AbortController().signal,
    stdin: async function* () {
      yield Buffer.from(input);
    },
    writeBytes: keep("stdout"),
    writeErrorBytes: keep("stderr"),
    onInterrupt: () => () => {},
    terminal,
  } as unknown as CommandContext;
  return { context, written };
}

/** A box that runs in a machine of the tests. */
async function runningBox(): Promise<Runtime> {
  const { home, image } = await createTestHome();
  const runtime = await Runtime.open({ home, engine: new InProcessEngine() });
  onTestFinished(async () => {
    await runtime.boxes.stop("web", { graceMs: 0 });
    await runtime.close();
  });
  await runtime.boxes.create({ image, name: "web" });
  await runtime.boxes.start("web");
  return runtime;
}

describe("a command of a box", () => {
  test("writes to this process's streams and ends with its code", async () => {
    const runtime = await runningBox();
    const { context, written } = streams("");
    const run = (...command: string[]) =>
      runInBox(runtime, "web", { interactive: false, tty: false, request: { command } }, context);
    expect(await run("print", "out", "err")).toEqual({ exitCode: 0 });
    expect(written).toEqual({ stdout: "out", stderr: "err" });
    expect(await run("exit", "42")).toEqual({ exitCode: 42 });
  });

  test("reads this process's input only when it is told to", async () => {
    const runtime = await runningBox();
    const { context, written } = streams("piped");
    const run = (interactive: boolean) =>
      runInBox(runtime, "web", { interactive, tty: false, request: { command: ["cat"] } }, context);
    await run(false);
    expect(written.stdout).toBe("");
    await run(true);
    expect(written.stdout).toBe("piped");
  });

  test("is told that nobody takes its output any more", async () => {
    const runtime = await runningBox();
    const { context } = streams("");
    const writeBytes = async (chunks: AsyncIterable<Uint8Array>) => {
      for await (const _ of chunks) break;
      return false;
    };
    const options = { interactive: false, tty: false, request: { command: ["trap"] } };
    expect(await runInBox(runtime, "web", options, { ...context, writeBytes })).toEqual({
      exitCode: 141,
      signal: "SIGPIPE",
    });
  });

  test("has this terminal, and hears of another size", async () => {
    const runtime = await runningBox();
    let isRaw = false;
    const { context, written } = streams("", {
      size: () => ({ rows: 24, columns: 80 }),
      enter: (onResize: (size: TerminalSize) => void) => {
        isRaw = true;
        setTimeout(() => onResize({ rows: 50, columns: 132 }), 50);
        return () => {
          isRaw = false;
        };
      },
    });
    const request = { command: ["size"] };
    await runInBox(runtime, "web", { interactive: true, tty: true, request }, context);
    expect(written.stdout).toBe("24 80\r\n50 132\r\n");
    expect(isRaw).toBe(false);
    const { context: piped } = streams("");
    await expect(
      runInBox(runtime, "web", { interactive: true, tty: true, request }, piped),
    ).rejects.toMatchObject({ code: "CLI_UNSUPPORTED" });
  });

  test("leaves keys that it does not read to the system", async () => {
    const runtime = await runningBox();
    let isRaw = false;
    const { context, written } = streams("", {
      size: () => ({ rows: 24, columns: 80 }),
      enter: () => {
        isRaw = true;
        return () => {};
      },
    });
    const request = { command: ["print", "out"] };
    await runInBox(runtime, "web", { interactive: false, tty: true, request }, context);
    expect([written.stdout, isRaw]).toEqual(["out", false]);
  });

  test("hears Ctrl-C and may end as it likes; typed again at once it is for this process", async () => {
    const runtime = await runningBox();
    const { context, written } = streams("");
    const interrupt: { take?: ((name: TakenSignal) => boolean) | undefined } = {};
    const onInterrupt = (take: (name: TakenSignal) => boolean) => {
      interrupt.take = take;
      return () => {
        interrupt.take = undefined;
      };
    };
    const options = { interactive: false, tty: false, request: { command: ["trap"] } };
    const ended = runInBox(runtime, "web", options, { ...context, onInterrupt });
    await expect.poll(() => written.stdout).toBe("ready\n");
    expect([interrupt.take?.("SIGINT"), interrupt.take?.("SIGTERM")]).toEqual([true, false]);
    expect(await ended).toEqual({ exitCode: 7 });
    expect(written.stdout).toBe("ready\ninterrupted\n");
    expect(interrupt.take).toBeUndefined();
  });

  test("hears that this process is to end, and may end as it likes", async () => {
    const runtime = await runningBox();
    const { context } = streams("");
    let terminate: (name: TakenSignal) => boolean = () => false;
    const onInterrupt = (take: typeof terminate) => {
      terminate = take;
      return () => {};
    };
    const options = { interactive: false, tty: false, request: { command: ["sleep"] } };
    const ended = runInBox(runtime, "web", options, { ...context, onInterrupt });
    await expect.poll(() => terminate("SIGTERM")).toBe(true);
    expect(await ended).toEqual({ exitCode: 143, signal: "SIGTERM" });
  });

  test("that cannot be run has the exit codes that users of docker know", async () => {
    const runtime = await runningBox();
    const { context } = streams("");
    const codeOf = async (name: string, ...command: string[]) => {
      const options = { interactive: false, tty: false, request: { command } };
      const failed = withRunExitCodes(() => runInBox(runtime, name, options, context));
      const error = await failed.catch((reason: unknown) => reason);
      return error instanceof ExitCodeError ? error.exitCode : error;
    };
    expect(await codeOf("web", "nothing")).toBe(127);
    expect(await codeOf("web", "/etc/passwd")).toBe(126);
    expect(await codeOf("no-such-box", "exit")).toBe(125);
    const aborted = new DOMException("enough", "AbortError");
    await expect(withRunExitCodes(() => Promise.reject(aborted))).rejects.toBe(aborted);
  });
});

describe("who attaches to the program of a box", () => {
  /** A box whose program runs, and what is typed: chunks come when they are awaited. */
  async function attachBench(
    run: RunSettings,
    typed: readonly string[],
    hasTerminal: boolean,
    writeBytes?: CommandContext["writeBytes"],
  ) {
    const { home, image } = await createTestHome();
    const runtime = await Runtime.open({ home, engine: new InProcessEngine() });
    onTestFinished(async () => {
      await runtime.boxes.stop("web", { graceMs: 0 });
      await runtime.close();
    });
    await runtime.boxes.create({ image, name: "web", run });
    await runtime.boxes.start("web");
    const { context: usual, written } = streams("", hasTerminal ? testTerminal : undefined);
    const context = writeBytes === undefined ? usual : { ...usual, writeBytes };
    const stdin = async function* () {
      for (const chunk of typed) yield Buffer.from(chunk, "latin1");
    };
    const detachKeys = parseDetachKeys("ctrl-p,ctrl-q");
    const interrupt: { take?: ((name: TakenSignal) => boolean) | undefined } = {};
    const onInterrupt = (take: (name: TakenSignal) => boolean) => {
      interrupt.take = take;
      return () => {
        interrupt.take = undefined;
      };
    };
    const attach = (sendsInput = true) =>
      attachToBox(runtime, "web", { sendsInput, detachKeys }, { ...context, stdin, onInterrupt });
    return { runtime, written, attach, interrupt };
  }
  type RunSettings = NonNullable<CreateBoxOptions["run"]>;
  const entered: string[] = [];
  const testTerminal = {
    size: () => ({ rows: 50, columns: 132 }),
    enter: () => {
      entered.push("raw");
      return () => {};
    },
  };

  test("leaves it by its keys, and it goes on", async () => {
    const run = { command: ["cat"], keepsInput: true, terminal: true };
    const { runtime, attach } = await attachBench(run, ["typed", "\x10", "\x11", "late"], true);
    expect(await attach()).toBeUndefined();
    const logs = async () => {
      let text = "";
      for await (const chunk of await runtime.boxes.logs("web")) text += Buffer.from(chunk);
      return text;
    };
    await expect.poll(logs).toBe("typed");
    expect((await runtime.boxes.inspect("web")).state).toBe("running");
  });

  test("without a terminal sends everything, and hears how it ends", async () => {
    const run = { command: ["cat"], keepsInput: true };
    const { runtime, attach, written } = await attachBench(run, ["a\x10\x11b"], false);
    const attached = attach();
    await expect.poll(() => written.stdout).toBe("a\x10\x11b");
    await runtime.boxes.kill("web", { signalName: "SIGTERM" });
    expect(await attached).toEqual({ exitCode: 143, signal: "SIGTERM" });
  });

  test("passes Ctrl-C to it, and leaves when it is typed again at once", async () => {
    const run = { command: ["trap"] };
    const { attach, written, interrupt } = await attachBench(run, [], false);
    const attached = attach();
    await expect.poll(() => interrupt.take).toBeDefined();
    // That this process is to end is no reason for the program to.
    expect(interrupt.take?.("SIGTERM")).toBe(false);
    expect([interrupt.take?.("SIGINT"), interrupt.take?.("SIGINT")]).toEqual([true, false]);
    expect(await attached).toEqual({ exitCode: 7 });
    expect(written.stdout).toMatch(/interrupted\n$/);
    expect(interrupt.take).toBeUndefined();
  });

  test("leaves when nobody takes what it gives, and it goes on", async () => {
    const { runtime, attach } = await attachBench(
      { command: ["cat"], keepsInput: true },
      ["typed"],
      false,
      async (chunks) => {
        for await (const _ of chunks) break;
        return false;
      },
    );
    expect(await attach()).toBeUndefined();
    expect((await runtime.boxes.inspect("web")).state).toBe("running");
  });

  test("tells it the size of this terminal, and sends nothing when it is told not to", async () => {
    const run = { command: ["size"], keepsInput: true, terminal: true };
    const { attach, written, interrupt } = await attachBench(run, ["\x10\x11"], true);
    entered.length = 0;
    expect(await attach(false)).toEqual({ exitCode: 0 });
    expect(entered).toEqual([]);
    expect(interrupt.take).toBeUndefined();
    expect(written.stdout).toBe("50 132\r\n");
  });
});

test("variables without a value have that of this shell, and those that it has not are left out", () => {
  const request = execRequest(
    ["env"],
    { env: ["A=b=c", "HOME", "MISSING", "EMPTY="], user: "www", workdir: "/srv" },
    { HOME: "/root" },
  );
  expect(request).toEqual({
    command: ["env"],
    environment: [
      ["A", "b=c"],
      ["HOME", "/root"],
      ["EMPTY", ""],
    ],
    user: "www",
    workingDirectory: "/srv",
  });
});

test("signals are written with their names, short names and numbers", () => {
  expect(["HUP", "sighup", "1", "KILL"].map(parseSignal)).toEqual([
    "SIGHUP",
    "SIGHUP",
    "SIGHUP",
    "SIGKILL",
  ]);
  for (const text of ["", "0", "64", "NONE"]) expect(() => parseSignal(text)).toThrow("no signal");
});

test("a grace of nothing asks nobody", () => {
  expect(["0", "0s", "500ms", undefined].map(parseGrace)).toEqual([
    { graceMs: 0 },
    { graceMs: 0 },
    { graceMs: 500 },
    {},
  ]);
  expect(() => parseGrace("soon")).toThrow("--grace");
});
