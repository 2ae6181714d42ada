import { writeFile } from "node:fs/promises";
import { join } from "node:path";
import { describe, expect, test } from "vitest";
import { Narrator } from "../src/narrator.ts";
import { tellStory } from "../src/story.ts";
import { type Fault, standInBox } from "./stand-in-box.ts";
import { temporaryFolder } from "./temporary-folder.ts";

interface Told {
  readonly text: string;
  readonly error: unknown;
  readonly stops: number;
}

/** Tells the story with a stand-in for the box command; the other tools are shell scripts. */
async function tell(tools: Record<string, string>, fault?: Fault): Promise<Told> {
  const folder = await temporaryFolder();
  for (const [name, script] of Object.entries(tools)) {
    await writeFile(join(folder, name), `#!/bin/sh\n${script}\n`, { mode: 0o755 });
  }
  const pages: string[] = [];
  let stops = 0;
  const error: unknown = await tellStory({
    narrator: new Narrator({ write: (part) => pages.push(part) }),
    runBox: standInBox(join(folder, "home"), fault),
    home: join(folder, "home"),
    reference: "127.0.0.1:1/sample/hello:latest",
    stopRegistry: async () => {
      stops += 1;
    },
    searchPath: folder,
  }).catch((thrown: unknown) => thrown);
  return { text: pages.join(""), error, stops };
}

const bothGood = { "qemu-img": "echo no errors", e2fsck: "echo Pass 1: x; echo clean" };

describe("tellStory", () => {
  test("shows each command, both chains, what was kept, made again and put aside", async () => {
    const { text, error, stops } = await tell(bothGood);
    expect(error).toBeUndefined();
    expect(stops).toBe(1);
    expect(text.match(/^\d\. .*/gm)).toHaveLength(6);
    expect(text).toContain("$ box create 127.0.0.1:1/sample/hello:latest --name hello\n");
    expect(text.match(/\$ box prepare hello\n/g)).toHaveLength(2);
    expect(text).toContain("│ made both disks\n");
    expect(text).toContain("└─ guest-rootfs.qcow2.base ");
    expect(text).toContain("└─ disk.qcow2.base ");
    expect(text).toContain("Kept: ");
    expect(text).toContain("│ warning: made the guest disk again\n");
    expect(text).toMatch(/\n {3}\/.+\/quarantined\.qcow2\n/);
    expect(text.match(/^ {3}│ (no errors|clean)$/gm)).toHaveLength(4);
    expect(text).not.toContain("Pass 1");
    expect(text).toContain("   $ e2fsck -f -n HOME/disk.qcow2.base\n");
    expect(text).toContain("$ box start hello\n");
    expect(text).toContain("$ box exec hello -- /bin/hello\n   │ hello from inside\n");
    expect(text).toContain("$ box stop hello\n");
  });

  test.each<[Fault, string]>([
    ["touches a sound guest disk", "the guest disk was changed although it was sound"],
    ["touches a sound user's disk", "the user's disk was changed although it was sound"],
    ["touches the user's disk as well", "the user's disk was touched"],
    ["deletes the damaged file", "the damaged file was not put aside"],
    ["changes the damaged file", "the damaged file was changed when it was put aside"],
    ["leaves the damaged file in place", "the damaged disk was not made again"],
    ["forgets the base", "no such file or directory"],
    ["runs another program", "/bin/hello did not greet"],
  ])("fails when the box command %s", async (fault, message) => {
    const { error } = await tell(bothGood, fault);
    expect(error).toMatchObject({ message: expect.stringContaining(message) });
  });

  test("says what is missing where no machine can be started, and is good all the same", async () => {
    const { text, error } = await tell(bothGood, "has no QEMU");
    expect(error).toBeUndefined();
    expect(text).toContain("   QEMU: not found\n   install it\n");
    expect(text).not.toContain("box start");
  });

  test("fails when a tool finds something wrong, after showing what it printed", async () => {
    const { text, error } = await tell({ ...bothGood, e2fsck: "echo bad; echo Pass 5; exit 4" });
    expect(error).toMatchObject({ message: "e2fsck found something wrong" });
    expect(text).toContain("   │ bad\n   │ Pass 5\n");
  });

  test("says which tools were not asked because they are not installed", async () => {
    const { text, error } = await tell({ e2fsck: "echo clean" });
    expect(error).toBeUndefined();
    expect(text).toContain("Not asked, because not installed: qemu-img.");
    expect(text.match(/^ {3}│ clean$/gm)).toHaveLength(2);
  });
});
