import { type Digest, MemoryTarget, mediaTypes } from "@box/oras";
import { expect, test } from "vitest";
import { expectCode } from "../expect-code.ts";
import { add, encodeJson } from "../sample-image.ts";

const wrong: Digest = `sha256:${"a".repeat(64)}`;

test.each([wrong, `app@${wrong}`])("a name in memory that looks like %s binds", async (name) => {
  const target = new MemoryTarget();
  const content = await add(target, "text/plain", encodeJson("content"));
  await target.tag(content, name);
  await expectCode(target.resolve(name), "OCI_NOT_FOUND");
});

test("a digest finds its own content in memory, whatever is called by it", async () => {
  const target = new MemoryTarget();
  const one = await add(target, mediaTypes.ociConfig, encodeJson("one"));
  const other = await add(target, mediaTypes.ociConfig, encodeJson("other"));
  await target.tag(other, one.digest);
  expect(await target.resolve(one.digest)).toEqual(one);
  await target.tag(one, `app@${one.digest}`);
  expect(await target.resolve(`app@${one.digest}`)).toEqual(one);
});
