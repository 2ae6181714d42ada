import { type Digest, MemoryTarget, mediaTypes } from "@box/oras";
import { expect, test } from "vitest";
import { expectCode } from "../expect-code.ts";
import { add, encodeJson } from "../sample-image.ts";

const wrong: Digest = `sha256:${"a".repeat(64)}`;

test.each([wrong, `app@${wrong}`])("content in memory is not called %s", async (name) => {
  const target = new MemoryTarget();
  const content = await add(target, "text/plain", encodeJson("content"));
  await expectCode(target.tag(content, name), "OCI_INVALID_REFERENCE");
  await expectCode(target.resolve(name), "OCI_NOT_FOUND");
});

test("a digest finds its own content in memory, whatever should be called by it", async () => {
  const target = new MemoryTarget();
  const one = await add(target, mediaTypes.ociConfig, encodeJson("one"));
  const other = await add(target, mediaTypes.ociConfig, encodeJson("other"));
  await expectCode(target.tag(other, one.digest), "OCI_INVALID_REFERENCE");
  expect(await target.resolve(one.digest)).toEqual(one);
  await target.tag(one, `app@${one.digest}`);
  expect(await target.resolve(`app@${one.digest}`)).toEqual(one);
});
