import { describe, expect, test } from "vitest";
import type { ImageConfig } from "../src/boxes/box.ts";
import { defaultRunSettings, type RunSettings } from "../src/boxes/run-settings.ts";
import { completeRequest, programOf } from "../src/machines/exec-request.ts";

/** The environment that a command has in a box of an image with one of its own. */
function environmentIn(
  environment: ImageConfig["environment"],
  request: Parameters<typeof completeRequest>[1],
) {
  const imageConfig = { environment } as ImageConfig;
  const box = {
    name: "web",
    imageConfig,
    guestRootfs: { type: "initramfs" },
    run: {},
  } as unknown as Parameters<typeof completeRequest>[0];
  return completeRequest(box, request).environment;
}

const path = ["PATH", "/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin"];
const hostname = ["HOSTNAME", "web"];
const terminal = { rows: 24, columns: 80 };

test("a command has a path, the name of its host, and at a terminal the name of one, unless the image or who asks says otherwise", () => {
  expect(environmentIn([], { command: ["env"] })).toEqual([path, hostname]);
  expect(environmentIn([], { command: ["env"], terminal })).toEqual([
    ...[path, hostname],
    ["TERM", "xterm"],
  ]);
  const own = [
    ["PATH", "/bin"],
    ["HOSTNAME", "other"],
  ] as const;
  expect(environmentIn(own, { command: ["env"] })).toEqual(own);
  const asked = [["TERM", "dumb"]] as const;
  expect(environmentIn(own, { command: ["env"], terminal, environment: asked })).toEqual([
    ...own,
    ...asked,
  ]);
});

describe("the program of a box", () => {
  const program = (run: Partial<RunSettings>) =>
    programOf({
      name: "web",
      guestRootfs: { type: "initramfs" },
      imageConfig: {
        ...{ environment: [], workingDirectory: "", user: "" },
        ...{ entrypoint: ["/entry"], command: ["serve"] },
      },
      run: { ...defaultRunSettings, ...run },
    });
  const words = (run: Partial<RunSettings>) => program({ usesEntrypoint: true, ...run })?.command;

  test("is the image's, with other arguments or another entry point", () => {
    expect(words({})).toEqual(["/entry", "serve"]);
    expect(words({ command: ["a"] })).toEqual(["/entry", "a"]);
    expect(words({ entrypoint: ["/bin/sh"] })).toEqual(["/bin/sh"]);
    expect(words({ entrypoint: ["/bin/sh"], command: ["-c", "x"] })).toEqual([
      ...["/bin/sh", "-c", "x"],
    ]);
    expect(words({ entrypoint: [], command: ["a"] })).toEqual(["a"]);
    expect(words({ entrypoint: [] })).toBeUndefined();
    expect(words({ usesEntrypoint: false, entrypoint: ["/bin/sh"] })).toBeUndefined();
  });

  test("knows its host by the name of its box, or by one of its own", () => {
    const names = [{}, { hostname: "db.example" }].map((run) =>
      program({ command: ["/hello"], ...run })?.environment?.find(([name]) => name === "HOSTNAME"),
    );
    expect(names.map((entry) => entry?.[1])).toEqual(["web", "db.example"]);
  });

  test("is in the groups of its box, and commands are unless they say otherwise", () => {
    const box = {
      name: "web",
      guestRootfs: { type: "initramfs" },
      run: { ...defaultRunSettings, groups: ["video", "7"] },
    } as const;
    expect(program({ usesEntrypoint: true, ...box.run })?.groups).toEqual(["video", "7"]);
    expect(completeRequest(box, { command: ["id"] }).groups).toEqual(["video", "7"]);
    expect(completeRequest(box, { command: ["id"], groups: [] }).groups).toEqual([]);
    const inGuest = completeRequest(box, { command: ["id"], target: "guest" });
    expect(inGuest.groups).toBeUndefined();
  });
});

test("a command runs as nobody's name where neither the image nor who asks has one: a box may know no names", () => {
  const as = (user: string, asked?: string) => {
    const box = {
      ...{ name: "web", run: defaultRunSettings },
      guestRootfs: { type: "initramfs" },
      imageConfig: { user } as ImageConfig,
    } as const;
    const request = { command: ["id"], ...(asked === undefined ? {} : { user: asked }) };
    return completeRequest(box, request).user;
  };
  expect(as("")).toBeUndefined();
  expect(as("app")).toBe("app");
  expect(as("app", "0")).toBe("0");
});
