import { attach, copy, type Descriptor, mediaTypes, RemoteRepository } from "@box/oras";
import { type ServedRegistry, serveRegistry } from "@box/oras/registry-server";
import { scriptedServer } from "@box/test-support";
import { describe, expect, onTestFinished, test } from "vitest";
import { collect } from "../collect.ts";
import { expectCode } from "../expect-code.ts";
import { sampleImage } from "../sample-image.ts";
import { testClient } from "../test-client.ts";

async function registry(): Promise<ServedRegistry> {
  const served = await serveRegistry();
  onTestFinished(() => served.close());
  return served;
}

describe("a registry without the referrers API", () => {
  interface ListPut {
    readonly origin: string;
    readonly path: string;
    readonly bytes: Buffer;
    /** Puts a list as another client would. */
    readonly put: (bytes: Buffer) => Promise<unknown>;
  }

  /**
   * Drops what only newer registries know.
   *
   * @param onList - Told about a list of referrers before it is put; a status that it gives is the reply.
   * @param afterList - Told when it has been put.
   */
  async function oldRegistry(
    onList: (list: ListPut) => Promise<number | undefined> = async () => undefined,
    afterList: (list: ListPut) => Promise<unknown> = async () => {},
  ): Promise<RemoteRepository> {
    const { origin } = await registry();
    const server = await scriptedServer(async (request, response) => {
      const body: Buffer[] = [];
      for await (const chunk of request) body.push(chunk as Buffer);
      if (request.url?.includes("/referrers/")) {
        response.writeHead(404);
        return response.end();
      }
      const path = request.url ?? "";
      const isList = request.method === "PUT" && /\/manifests\/sha256-/.test(path);
      const put = (bytes: Buffer): Promise<unknown> => {
        const type = { "content-type": mediaTypes.ociIndex };
        return fetch(`${origin}${path}`, {
          method: "PUT",
          headers: type,
          body: new Uint8Array(bytes),
        });
      };
      const list = { origin, path, bytes: Buffer.concat(body), put };
      const refusal = isList ? await onList(list) : undefined;
      if (refusal !== undefined) return response.writeHead(refusal).end();
      const { host: _host, connection: _connection, ...headers } = request.headers;
      const hasBody = request.method !== "GET" && request.method !== "HEAD";
      const reply = await fetch(`${origin}${request.url}`, {
        method: request.method ?? "",
        headers: headers as Record<string, string>,
        ...(hasBody ? { body: new Uint8Array(Buffer.concat(body)) } : {}),
      });
      if (isList) await afterList(list);
      const { "oci-subject": _subject, ...replyHeaders } = Object.fromEntries(reply.headers);
      response.writeHead(reply.status, replyHeaders);
      return response.end(Buffer.from(await reply.arrayBuffer()));
    });
    return new RemoteRepository(testClient(), server.host, "app");
  }

  test("keeps a list under the fallback tag, without doubles, and shortens it again", async () => {
    const repository = await oldRegistry();
    const image = await sampleImage();
    await copy(image.target, "v1", repository);
    expect(await collect(repository.referrers(image.root))).toEqual([]);
    const options = { artifactType: "application/x", annotations: { a: "b" } };
    const first = await attach(repository, image.root, options);
    await attach(repository, image.root, options);
    const second = await attach(repository, image.root, { artifactType: "application/y" });
    expect(await collect(repository.referrers(image.root))).toEqual([first, second]);
    const ofType = repository.referrers(image.root, { artifactType: "application/y" });
    expect(await collect(ofType)).toEqual([second]);
    await repository.delete(first as Descriptor);
    expect(await collect(repository.referrers(image.root))).toEqual([second]);
    const tag = image.root.digest.replace(":", "-");
    expect(await collect(repository.tags())).toContain(tag);
    await repository.tag(image.root, tag);
    await expectCode(collect(repository.referrers(image.root)), "OCI_MEDIA_TYPE_MISMATCH");
  });

  const typeOf = (count: number) => ({ artifactType: `application/x-${count}` });
  const typesIn = async (repository: RemoteRepository, subject: Descriptor): Promise<unknown[]> =>
    (await collect(repository.referrers(subject))).map((one) => one.artifactType).sort();

  test("keeps all that is attached at once, and forgets all that is deleted at once", async () => {
    let lists = 0;
    const repository = await oldRegistry(undefined, async () => lists++);
    const image = await sampleImage();
    await copy(image.target, "v1", repository);
    const counts = [1, 2, 3, 4, 5];
    const attached = await Promise.all(
      counts.map((count) => attach(repository, image.root, typeOf(count))),
    );
    const types = counts.map((count) => typeOf(count).artifactType);
    expect(await typesIn(repository, image.root)).toEqual(types);
    // One after the other: none is put in vain.
    expect(lists).toBe(5);
    await Promise.all(attached.slice(0, 3).map((one) => repository.delete(one)));
    expect(await typesIn(repository, image.root)).toEqual(types.slice(3));
  });

  test("is asked again when another client's list has taken the place of ours", async () => {
    const lists: Buffer[] = [];
    const repository = await oldRegistry(undefined, async ({ bytes, put }) => {
      lists.push(bytes);
      // What the second one puts is lost once.
      if (lists.length === 2 && lists[0] !== undefined) await put(lists[0]);
    });
    const image = await sampleImage();
    await copy(image.target, "v1", repository);
    for (const count of [1, 2]) await attach(repository, image.root, typeOf(count));
    expect(await typesIn(repository, image.root)).toEqual(["application/x-1", "application/x-2"]);
    expect(lists).toHaveLength(3);
  });

  test("that loses every list is given up", async () => {
    const empty = { schemaVersion: 2, mediaType: mediaTypes.ociIndex, manifests: [] };
    const repository = await oldRegistry(undefined, ({ put }) =>
      put(Buffer.from(JSON.stringify(empty))),
    );
    const image = await sampleImage();
    await copy(image.target, "v1", repository);
    await expectCode(attach(repository, image.root, typeOf(1)), "ORAS_BAD_RESPONSE");
  });

  test("that refuses lists of what is gone gets one of what is there", async () => {
    const origins: string[] = [];
    const repository = await oldRegistry(async ({ origin, bytes }) => {
      origins.push(origin);
      for (const { digest } of JSON.parse(bytes.toString()).manifests) {
        const url = `${origin}/v2/app/manifests/${digest}`;
        if ((await fetch(url, { method: "HEAD" })).status === 404) return 400;
      }
      return undefined;
    });
    const image = await sampleImage();
    await copy(image.target, "v1", repository);
    const gone = await attach(repository, image.root, typeOf(1));
    // Another tool deletes the manifest and leaves the list as it is.
    const url = `${origins[0]}/v2/app/manifests/${gone.digest}`;
    expect((await fetch(url, { method: "DELETE" })).status).toBe(202);
    await attach(repository, image.root, typeOf(2));
    expect(await typesIn(repository, image.root)).toEqual(["application/x-2"]);
  });

  test("deletes a manifest that no list names", async () => {
    const repository = await oldRegistry();
    const image = await sampleImage();
    await copy(image.target, "v1", repository);
    const subject = { ...image.root, mediaType: mediaTypes.ociManifest };
    const artifact = await attach(repository, subject, { artifactType: "application/x" });
    await repository.delete(image.root.digest.replace(":", "-"));
    await repository.delete(artifact);
    expect(await repository.exists(artifact)).toBe(false);
  });
});
