import { buildSampleImage, mediaTypes, type SampleImage } from "./image.ts";

/**
 * Uploads the sample image to a registry, as the OCI distribution specification 1.1 describes it: every
 * blob in one piece, then the manifests by digest, then the index under its tag.
 *
 * @param origin - Where the registry listens, such as `http://127.0.0.1:5000`.
 * @param name - The repository, such as `sample/hello`.
 * @returns The image that was uploaded.
 * @throws Error with the registry's answer when it refuses anything.
 */
export async function pushSampleImage(
  origin: string,
  name: string,
  tag: string,
): Promise<SampleImage> {
  const image = buildSampleImage();
  const manifests = [...image.manifests, image.index];
  const manifestDigests = new Set(manifests.map(({ digest }) => digest));
  for (const [digest, bytes] of image.blobs) {
    if (!manifestDigests.has(digest)) await pushBlob(`${origin}/v2/${name}`, digest, bytes);
  }
  for (const { digest, mediaType } of manifests) {
    const reference = mediaType === mediaTypes.index ? tag : digest;
    const url = `${origin}/v2/${name}/manifests/${reference}`;
    await send("PUT", url, mediaType, image.blobs.get(digest));
  }
  return image;
}

async function pushBlob(
  repository: string,
  digest: string,
  bytes: Uint8Array<ArrayBuffer>,
): Promise<void> {
  const started = await send("POST", `${repository}/blobs/uploads/`);
  const location = started.headers.get("location");
  if (location === null) throw new Error(`${repository} started an upload without a location`);
  const upload = new URL(location, started.url);
  upload.searchParams.set("digest", digest);
  await send("PUT", upload.href, "application/octet-stream", bytes);
}

async function send(
  method: string,
  url: string,
  contentType?: string,
  body?: Uint8Array<ArrayBuffer>,
): Promise<Response> {
  const response = await fetch(url, {
    method,
    ...(contentType === undefined ? {} : { headers: { "content-type": contentType } }),
    ...(body === undefined ? {} : { body }),
  });
  const answer = await response.text();
  if (!response.ok) throw new Error(`${method} ${url}: ${response.status} ${answer.slice(0, 500)}`);
  return response;
}
