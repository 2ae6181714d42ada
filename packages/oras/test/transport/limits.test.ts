import { join } from "node:path";
import {
  bytesSource,
  copy,
  describe as describeContent,
  fetchBytes,
  MemoryTarget,
  mediaTypes,
  OciLayout,
  type RegistryClientOptions,
  RemoteRepository,
} from "@box/oras";
import { scriptedServer } from "@box/test-support";
import { describe, expect, test } from "vitest";
import { collect } from "../collect.ts";
import { expectCode } from "../expect-code.ts";
import { add, encodeJson, sampleImage } from "../sample-image.ts";
import { temporaryFolder } from "../temporary-folder.ts";
import { testClient } from "../test-client.ts";

const mebibyte = 1024 * 1024;
const { config, layers, target, manifestBytes } = await sampleImage();

/** A repository whose registry gives one reply to everything. */
async function repository(
  body: Uint8Array,
  limits: RegistryClientOptions["limits"] = {},
  status = 200,
): Promise<RemoteRepository> {
  const server = await scriptedServer((_request, response) => {
    response.writeHead(status);
    response.end(body);
  });
  return new RemoteRepository(testClient({ limits, retry: { attempts: 1 } }), server.host, "app");
}

/** An image whose manifest is larger than the default limit. */
async function largeImage(): Promise<MemoryTarget> {
  const image = new MemoryTarget();
  for (const part of [config, ...layers]) {
    await image.push(part, { open: () => target.fetch(part) });
  }
  const annotations = { long: "x".repeat(5 * mebibyte) };
  const manifest = encodeJson({ schemaVersion: 2, config, layers, annotations });
  await image.tag(await add(image, mediaTypes.ociManifest, manifest), "v1");
  return image;
}

describe("the limit of", () => {
  test("manifests can be lowered and raised, for registries, copies and layouts", async () => {
    const { byteLength } = manifestBytes;
    const tight = await repository(manifestBytes, { maxManifestBytes: byteLength - 1 });
    await expectCode(tight.fetchReference("v1"), "OCI_TOO_LARGE");
    const fitting = await repository(manifestBytes, { maxManifestBytes: byteLength });
    const { bytes: read } = await fitting.fetchReference("v1");
    expect(Buffer.compare(read, manifestBytes)).toBe(0);

    const large = await largeImage();
    const { size, digest } = await large.resolve("v1");
    await expectCode(copy(large, "v1", new MemoryTarget()), "OCI_TOO_LARGE");
    const limits = { maxManifestBytes: size };
    const layout = await OciLayout.ensure(join(await temporaryFolder(), "layout"), { limits });
    await copy(large, "v1", layout, "v1", limits);
    await layout.untag("v1");
    expect(await layout.resolve(digest)).toMatchObject({ size });
    await expectCode(layout.with({ limits: {} }).resolve(digest), "OCI_TOO_LARGE");
    const bytes = await fetchBytes(
      layout,
      { mediaType: "", digest, size },
      { maxBytes: size, what: "it" },
    );
    const remote = await repository(bytes, limits);
    expect((await remote.fetchReference("v1")).descriptor).toMatchObject({ digest, size });
    await expectCode((await repository(bytes)).fetchReference("v1"), "OCI_TOO_LARGE");
  });

  test("content that is read whole keeps what is too large from being asked for", async () => {
    const failing = { fetch: () => Promise.reject(new Error("nothing is asked for")) };
    const what = "a config";
    await expectCode(fetchBytes(failing, config, { maxBytes: 10, what }), "OCI_TOO_LARGE");
  });

  test("index.json of a layout can be lowered and raised", async () => {
    const folder = join(await temporaryFolder(), "layout");
    const layout = await OciLayout.ensure(folder);
    await copy(target, "v1", layout);
    const tight = await OciLayout.open(folder, { limits: { maxIndexBytes: 20 } });
    await expectCode(tight.index(), "OCI_TOO_LARGE");
    const bytes = encodeJson({ annotations: "y".repeat(17 * mebibyte) });
    const blob = describeContent(mediaTypes.ociManifest, bytes);
    await layout.push(blob, bytesSource(bytes));
    const long = { ...blob, annotations: { long: "x".repeat(17 * mebibyte) } };
    await expectCode(layout.tag(long, "long"), "OCI_TOO_LARGE");
    const wide = layout.with({ limits: { maxIndexBytes: 20 * mebibyte } });
    await wide.tag(long, "long");
    await expectCode(layout.index(), "OCI_TOO_LARGE");
    expect((await wide.index()).manifests).toHaveLength(2);
  });

  test("pages and their number can be lowered", async () => {
    const page = encodeJson({ tags: ["v1"] });
    await expectCode(
      collect((await repository(page, { maxPageBytes: 5 })).tags()),
      "OCI_TOO_LARGE",
    );
    expect(await collect((await repository(page, { maxPageBytes: 50 })).tags())).toEqual(["v1"]);
    await expectCode(
      collect((await repository(page, { maxPages: 0 })).tags()),
      "ORAS_BAD_RESPONSE",
    );
  });

  test("error bodies can be lowered and raised; the status counts in any case", async () => {
    const said = (length: number) =>
      encodeJson({ errors: [{ code: "DENIED" }], more: "x".repeat(length) });
    const reported = async (body: Uint8Array, limits?: RegistryClientOptions["limits"]) => {
      const repo = await repository(body, limits, 403);
      return (await expectCode(repo.resolve("v1"), "ORAS_AUTH_DENIED")).details["reported"];
    };
    // A HEAD has no body.
    const listed = async (body: Uint8Array, limits?: RegistryClientOptions["limits"]) => {
      const repo = await repository(body, limits, 403);
      return (await expectCode(collect(repo.tags()), "ORAS_AUTH_DENIED")).details["reported"];
    };
    expect(await reported(said(0))).toBeUndefined();
    expect(await listed(said(0))).toBe("DENIED");
    expect(await listed(said(0), { maxErrorBodyBytes: 10 })).toBeUndefined();
    expect(await listed(said(100_000))).toBeUndefined();
    expect(await listed(said(100_000), { maxErrorBodyBytes: 200_000 })).toBe("DENIED");
  });

  test("a token server's replies can be lowered and raised", async () => {
    const asking = async (length: number, maxTokenBytes?: number) => {
      const token = "t".repeat(length);
      const server = await scriptedServer((request, response) => {
        if (request.url?.startsWith("/token")) return response.end(JSON.stringify({ token }));
        if (request.headers.authorization === undefined) {
          const realm = `Bearer realm="http://${request.headers.host}/token"`;
          return response.writeHead(401, { "www-authenticate": realm }).end();
        }
        return response.end(manifestBytes);
      });
      const limits = maxTokenBytes === undefined ? {} : { maxTokenBytes };
      return new RemoteRepository(testClient({ limits }), server.host, "app").fetchReference("v1");
    };
    await expectCode(asking(100, 50), "OCI_TOO_LARGE");
    await asking(100, 150);
    await expectCode(asking(140_000), "OCI_TOO_LARGE");
    // A header of 140,000 bytes is more than the server takes, and that is its own business.
    await expectCode(asking(140_000, 200_000), "ORAS_HTTP_STATUS");
  });
});
