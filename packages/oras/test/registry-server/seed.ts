import type { MemoryTarget } from "@box/oras";
import { drain } from "@box/test-support";
import type { SampleImage } from "../sample-image.ts";

/** Puts an image into a registry by HTTP. */
export async function pushSample(
  origin: string,
  repository: string,
  tag: string,
  image: SampleImage,
): Promise<void> {
  for (const blob of [image.config, ...image.layers]) {
    const body = await drain((image.target as MemoryTarget).fetch(blob));
    const url = `${origin}/v2/${repository}/blobs/uploads/?digest=${blob.digest}`;
    await expectStatus(fetch(url, { method: "POST", body: body as Uint8Array<ArrayBuffer> }), 201);
  }
  await expectStatus(
    fetch(`${origin}/v2/${repository}/manifests/${tag}`, {
      method: "PUT",
      headers: { "content-type": image.root.mediaType },
      body: image.manifestBytes as Uint8Array<ArrayBuffer>,
    }),
    201,
  );
}

async function expectStatus(work: Promise<Response>, status: number): Promise<void> {
  const response = await work;
  const text = await response.text();
  if (response.status !== status) throw new Error(`status ${response.status}: ${text}`);
}
