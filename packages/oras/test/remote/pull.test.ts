import { join } from "node:path";
import { copy, MemoryTarget, mediaTypes, OciLayout, RemoteRepository } from "@box/oras";
import { serveRegistry } from "@box/oras/registry-server";
import { drain, scriptedServer } from "@box/test-support";
import { describe, expect, onTestFinished, test } from "vitest";
import { expectCode } from "../expect-code.ts";
import { pushSample } from "../registry-server/seed.ts";
import { encodeJson, type SampleImage, sampleImage } from "../sample-image.ts";
import { temporaryFolder } from "../temporary-folder.ts";
import { testClient } from "../test-client.ts";

async function served(): Promise<{ repository: RemoteRepository; image: SampleImage }> {
  const registry = await serveRegistry();
  onTestFinished(() => registry.close());
  const image = await sampleImage();
  await pushSample(registry.origin, "team/app", "v1", image);
  return { image, repository: new RemoteRepository(testClient(), registry.host, "team/app") };
}

describe("a repository", () => {
  test("is pulled into a layout byte for byte", async () => {
    const { repository, image } = await served();
    const layout = await OciLayout.ensure(join(await temporaryFolder(), "layout"));
    const progress = new Map<string, number>();
    const root = await copy(repository, "v1", layout, "v1", {
      onEvent: (event) =>
        event.type === "progress" && progress.set(event.descriptor.digest, event.doneBytes),
    });
    expect(root).toEqual(image.root);
    expect(await drain(layout.fetch(root))).toEqual(image.manifestBytes);
    for (const layer of image.layers) expect(progress.get(layer.digest)).toBe(layer.size);
  });

  test("resolves tags and digests, and knows what is there", async () => {
    const { repository, image } = await served();
    expect(await repository.resolve("v1")).toEqual(image.root);
    expect(await repository.resolve(image.root.digest)).toEqual(image.root);
    expect(await repository.exists(image.root)).toBe(true);
    expect(await repository.exists(image.config)).toBe(true);
    const absent = { ...image.config, digest: `sha256:${"0".repeat(64)}` } as const;
    expect(await repository.exists(absent)).toBe(false);
    await expectCode(repository.resolve("v2"), "OCI_NOT_FOUND");
    const error = await expectCode(drain(repository.fetch(absent)), "OCI_NOT_FOUND");
    expect(error.details).toMatchObject({ status: 404, reported: expect.stringContaining("BLOB") });
    expect(error.hint).toBeDefined();
  });

  test("is read from an offset", async () => {
    const { repository, image } = await served();
    const whole = await drain(repository.fetch(image.config));
    expect(await drain(repository.fetch(image.config, { offset: 5 }))).toEqual(whole.subarray(5));
    const manifest = await drain(repository.fetch(image.root, { offset: 5 }));
    expect(manifest).toEqual(image.manifestBytes.subarray(5));
  });

  test.each(["../x", "A", "a?b", "a#b", ""])("refuses the name %j", async (name) => {
    await expectCode(
      () => new RemoteRepository(testClient(), "127.0.0.1", name),
      "OCI_INVALID_REFERENCE",
    );
  });

  test.each(["../../x", "v1?x", "", "sha256:abc"])("refuses the reference %j", async (text) => {
    const { repository } = await served();
    await expectCode(repository.fetchReference(text), "OCI_INVALID_REFERENCE");
  });

  test("takes three requests for an image of one layer", async () => {
    const image = await sampleImage([5000]);
    const contents = new Map<string, Uint8Array>();
    for (const one of [image.config, ...image.layers]) {
      contents.set(one.digest, await drain(image.target.fetch(one)));
    }
    const server = await scriptedServer((request, response) => {
      const digest = request.url?.split("/").at(-1) ?? "";
      response.setHeader("content-type", image.root.mediaType);
      response.end(contents.get(digest) ?? image.manifestBytes);
    });
    const repository = new RemoteRepository(testClient(), server.host, "app");
    await copy(repository, "v1", new MemoryTarget());
    expect(server.seen.map(({ method }) => method)).toEqual(["GET", "GET", "GET"]);
  });
});

describe("a manifest", () => {
  async function replying(
    bytes: Uint8Array,
    headers: Record<string, string>,
  ): Promise<RemoteRepository> {
    const server = await scriptedServer((_request, response) => {
      response.writeHead(200, headers);
      response.end(bytes);
    });
    return new RemoteRepository(testClient(), server.host, "app");
  }

  test("of a generic content type is judged by its own", async () => {
    const { manifestBytes, root } = await sampleImage();
    for (const type of [
      "text/plain; charset=utf-8",
      "application/json",
      "APPLICATION/OCTET-STREAM",
    ]) {
      const repository = await replying(manifestBytes, { "content-type": type });
      expect((await repository.fetchReference("v1")).descriptor).toEqual(root);
    }
  });

  test("of another content type than its own is refused", async () => {
    const { manifestBytes } = await sampleImage();
    const repository = await replying(manifestBytes, { "content-type": mediaTypes.ociIndex });
    await expectCode(repository.fetchReference("v1"), "OCI_MEDIA_TYPE_MISMATCH");
  });

  test("that is a web page is refused with an excerpt", async () => {
    const page = new TextEncoder().encode("<html>\u001b[31mLog in</html>");
    const repository = await replying(page, { "content-type": "text/html; charset=utf-8" });
    const error = await expectCode(repository.fetchReference("v1"), "OCI_INVALID_MANIFEST");
    expect(error.message).toContain("Log in");
    expect(error.message).not.toContain("\u001b");
  });

  test("without end is cut off at the limit", async () => {
    const server = await scriptedServer((_request, response) => {
      response.writeHead(200, { "content-type": mediaTypes.ociManifest });
      const more = (): void => {
        while (!response.destroyed && response.write(Buffer.alloc(65_536, 0x20)));
      };
      response.on("drain", more);
      more();
    });
    const repository = new RemoteRepository(testClient(), server.host, "app");
    await expectCode(repository.fetchReference("v1"), "OCI_TOO_LARGE");
  });

  test("that does not hash to its digest is asked for once more and refused", async () => {
    const { root } = await sampleImage();
    const server = await scriptedServer((_request, response) => response.end("{}"));
    const repository = new RemoteRepository(testClient(), server.host, "app");
    await expectCode(repository.fetchReference(root.digest), "OCI_DIGEST_MISMATCH");
    expect(server.seen).toHaveLength(2);
  });

  test("heals when only the first reply was damaged or cut", async () => {
    const { root, manifestBytes } = await sampleImage();
    const damaged = manifestBytes.slice();
    damaged[5] = 0;
    const server = await scriptedServer((_request, response, count) => {
      if (count === 2) {
        response.writeHead(200, { "content-length": manifestBytes.byteLength });
        response.write(manifestBytes.subarray(0, 10));
        response.destroy();
        return;
      }
      response.end(count === 1 ? damaged : manifestBytes);
    });
    const repository = new RemoteRepository(testClient(), server.host, "app");
    expect((await repository.fetchReference(root.digest)).descriptor).toEqual(root);
  });

  test("is fetched when HEAD does not tell all of it", async () => {
    const { root, manifestBytes } = await sampleImage();
    const server = await scriptedServer((request, response, count) => {
      if (request.method === "HEAD") response.statusCode = count === 1 ? 405 : 200;
      response.end(request.method === "HEAD" ? undefined : manifestBytes);
    });
    const repository = new RemoteRepository(testClient(), server.host, "app");
    expect(await repository.resolve("v1")).toEqual(root);
    expect(await repository.resolve("v1")).toEqual(root);
    expect(server.seen.map(({ method }) => method)).toEqual(["HEAD", "GET", "HEAD", "GET"]);
  });

  test("is fetched when HEAD says that it is empty", async () => {
    const { root, manifestBytes } = await sampleImage();
    const server = await scriptedServer((request, response) => {
      const isHead = request.method === "HEAD";
      response.writeHead(200, {
        "content-type": root.mediaType,
        "docker-content-digest": root.digest,
        "content-length": isHead ? "0" : String(manifestBytes.byteLength),
      });
      response.end(isHead ? undefined : manifestBytes);
    });
    const repository = new RemoteRepository(testClient(), server.host, "app");
    expect(await repository.resolve("v1")).toEqual(root);
  });

  test("keeps the digest that was asked for, also with sha512", async () => {
    const bytes = encodeJson({ schemaVersion: 2, manifests: [] });
    const { digestOf } = await import("@box/oras");
    const digest = digestOf(bytes, "sha512");
    const repository = await replying(bytes, {});
    expect((await repository.fetchReference(digest)).descriptor.digest).toBe(digest);
  });
});
