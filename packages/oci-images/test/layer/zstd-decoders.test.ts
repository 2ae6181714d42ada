import { createHook } from "node:async_hooks";
import { zstdCompressSync } from "node:zlib";
import { openLayer } from "@box/oci-images";
import { bytesSource, describe, digestOf, MemoryTarget, mediaTypes } from "@box/oras";
import { drain } from "@box/test-support";
import { expect, test } from "vitest";

test("a layer of many zstd frames is decoded by one decoder: to make one costs more than a frame", async () => {
  const parts = Array.from({ length: 3000 }, (_, count) => Buffer.from(`file ${count}\n`));
  const blob = Buffer.concat(parts.map((part) => zstdCompressSync(part)));
  const content = Buffer.concat(parts);
  const target = new MemoryTarget();
  const descriptor = describe(mediaTypes.ociLayerZstd, blob);
  await target.push(descriptor, bytesSource(blob));
  let decoders = 0;
  const hook = createHook({
    init: (_id, type) => {
      if (type === "ZLIB") decoders++;
    },
  }).enable();
  const read = await drain(openLayer(target, { descriptor, diffId: digestOf(content) }));
  expect(Buffer.compare(read, content)).toBe(0);
  hook.disable();
  expect(decoders).toBe(1);
});
