import {
  type Descriptor,
  describe as describeContent,
  discover,
  type GraphTarget,
  mediaTypes,
} from "@box/oras";
import { expect, test } from "vitest";
import { collect } from "../collect.ts";
import { expectCode } from "../expect-code.ts";

const root = describeContent(mediaTypes.ociManifest, Buffer.from("root"));

/** Where everything has so many artifacts attached, each a new one or always the same. */
function endless(width: number, isNew: boolean): GraphTarget & { asked: number } {
  let count = 0;
  const target = {
    asked: 0,
    async *predecessors(): AsyncGenerator<Descriptor, void, undefined> {
      target.asked++;
      for (let index = 0; index < width; index++) {
        if (isNew) count++;
        yield describeContent(mediaTypes.ociManifest, Buffer.from(String(count)));
      }
    },
  };
  return target;
}

test.each([
  ["something new is attached to everything", 5, true],
  ["one list never ends", Number.POSITIVE_INFINITY, true],
  ["one list repeats itself for ever", Number.POSITIVE_INFINITY, false],
])("a search ends where %s", async (_name, width, isNew) => {
  const target = endless(width, isNew);
  await expectCode(discover(target, root), "OCI_TOO_LARGE");
  expect(target.asked).toBeLessThanOrEqual(10_001);
});

test("a search ends where a few artifacts say too much about themselves", async () => {
  let given = 0;
  const annotations = { note: "n".repeat(4_000_000) };
  const target: GraphTarget = {
    async *predecessors() {
      for (; given < 100; given++) {
        yield { ...describeContent(mediaTypes.ociManifest, Buffer.from(`${given}`)), annotations };
      }
    },
  };
  await expectCode(discover(target, root, { maxDepth: 1 }), "OCI_TOO_LARGE");
  expect(given).toBe(8);
});

test("a search finds as many as its limit allows", async () => {
  const options = { maxDepth: 1, maxReferrers: 5 };
  expect(await discover(endless(5, true), root, options)).toHaveLength(5);
  await expectCode(discover(endless(6, true), root, options), "OCI_TOO_LARGE");
  expect(await collect(endless(6, true).predecessors(root))).toHaveLength(6);
});
