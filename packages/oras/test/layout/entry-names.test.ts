import { writeFile } from "node:fs/promises";
import { join } from "node:path";
import { bytesSource, describe as describeContent, namesOf, OciLayout } from "@box/oras";
import { describe, expect, test } from "vitest";
import { expectCode } from "../expect-code.ts";
import { temporaryFolder } from "../temporary-folder.ts";

describe("names that other tools gave", () => {
  async function withEntries(
    ...names: readonly (readonly [full: string | undefined, tag: string | undefined])[]
  ): Promise<OciLayout> {
    const layout = await OciLayout.ensure(join(await temporaryFolder(), "layout"));
    const manifests = names.map(([full, tag], count) => ({
      ...describeContent("application/x", Buffer.from(String(count))),
      annotations: {
        ...(full === undefined ? {} : { "io.containerd.image.name": full }),
        ...(tag === undefined ? {} : { "org.opencontainers.image.ref.name": tag }),
        kept: String(count),
      },
    }));
    await writeFile(
      join(layout.directory, "index.json"),
      JSON.stringify({ schemaVersion: 2, manifests }),
    );
    return layout;
  }

  const namesIn = async (layout: OciLayout) =>
    (await layout.index()).manifests.map((entry) => [
      entry.annotations?.["kept"],
      ...namesOf(entry),
    ]);

  test("stay when their tag is taken", async () => {
    const full = "example.com/a:latest";
    const layout = await withEntries(
      [full, "latest"],
      ["example.com/b:latest", "latest"],
      [undefined, "latest"],
      ["example.com/c:v1", "stable"],
      ["other", "other"],
    );
    const mine = describeContent("application/x", Buffer.from("mine"));
    await layout.push(mine, bytesSource(Buffer.from("mine")));
    await layout.tag(mine, "latest");
    const others = [
      ["1", "example.com/b:latest"],
      ["3", "example.com/c:v1", "stable"],
    ];
    const rest = [["4", "other"]];
    const taken = [[undefined, "latest"]];
    expect(await namesIn(layout)).toEqual([["0", full], ...others, ...rest, ...taken]);
    expect((await layout.resolve("latest")).digest).toBe(mine.digest);
    await layout.tag(mine, "example.com/b:latest");
    expect(await layout.untag("example.com/c:v1")).toBe(true);
    expect(await layout.untag("other")).toBe(true);
    expect(await layout.untag("other")).toBe(false);
    const named = [undefined, "example.com/b:latest"];
    expect(await namesIn(layout)).toEqual([["0", full], ["3", "stable"], ...taken, named]);
  });

  test("go whole with the full name when the tag is its end", async () => {
    const layout = await withEntries(["example.com/a:v1", "v1"], ["example.com/b:v1", "v1"]);
    expect(await layout.untag("example.com/a:v1")).toBe(true);
    expect(await namesIn(layout)).toEqual([["1", "example.com/b:v1", "v1"]]);
    expect(await layout.untag("v1")).toBe(true);
    expect(await namesIn(layout)).toEqual([["1", "example.com/b:v1"]]);
  });
});

test("a name that makes index.json larger than its limit is refused, and nothing changes", async () => {
  const path = join(await temporaryFolder(), "layout");
  const layout = await OciLayout.ensure(path, { limits: { maxIndexBytes: 1000 } });
  const bytes = Buffer.from("content");
  const content = describeContent("application/x", bytes);
  await layout.push(content, bytesSource(bytes));
  await layout.tag(content, "first");
  const before = await layout.index();
  await expectCode(layout.tag(content, "x".repeat(1000)), "OCI_TOO_LARGE");
  expect(await layout.index()).toEqual(before);
  await layout.tag(content, "second");
  expect(await layout.untag("first")).toBe(true);
});
