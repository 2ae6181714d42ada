import { createServer } from "node:https";
import type { LookupFunction } from "node:net";
import {
  type Credentials,
  describe as describeContent,
  type RegistryClientOptions,
  RemoteRepository,
} from "@box/oras";
import { drain, listen, selfSigned } from "@box/test-support";
import { describe, expect, test } from "vitest";
import { expectCode } from "../expect-code.ts";
import { sampleImage } from "../sample-image.ts";
import { testClient } from "../test-client.ts";
import { proxyTo, type TestProxy } from "../transport/test-proxy.ts";

const { manifestBytes, root } = await sampleImage();
const layer = new TextEncoder().encode("a layer");
const blob = describeContent("application/octet-stream", layer);
const { cert, key } = selfSigned();

interface World {
  readonly proxy: TestProxy;
  readonly port: number;
  /** `HOST/PATH` of each request that arrived, whoever it was for. */
  readonly seen: string[];
  /** The names that were looked up. */
  readonly lookups: string[];
  /** Opens a repository of `registry.test`, unless another registry is given. */
  open(options?: RegistryClientOptions, registry?: string): RemoteRepository;
}

/**
 * One server on loopback that is every host. `registry.test` and `auth.registry.test` are reached through a proxy, and so
 * are outside; other names are looked up, and are on loopback.
 *
 * @param realmOf - The token server that the registry names.
 * @param locations - Where paths redirect to.
 */
async function world(
  realmOf: (port: number) => string,
  locations: (port: number) => Record<string, string> = () => ({}),
): Promise<World> {
  const seen: string[] = [];
  const lookups: string[] = [];
  const server = createServer({ cert, key }, (request, response) => {
    const { host = "", authorization } = request.headers;
    const { pathname } = new URL(request.url ?? "", "https://x.invalid");
    seen.push(`${host}${pathname}`);
    const location = locations(port)[`${host}${pathname}`];
    if (location !== undefined) return response.writeHead(307, { location }).end();
    if (pathname === "/token") return response.end('{"token":"t"}');
    if (pathname === "/elsewhere") return response.end(layer);
    if (authorization === "Bearer t") return response.end(manifestBytes);
    const challenge = `Bearer realm="${realmOf(port)}"`;
    return response.writeHead(401, { "www-authenticate": challenge }).end();
  });
  const port = await listen(server);
  const proxy = await proxyTo(port);
  const lookup: LookupFunction = (hostname, { all }, callback) => {
    lookups.push(hostname);
    if (all) callback(null, [{ address: "127.0.0.1", family: 4 }]);
    else callback(null, "127.0.0.1", 4);
  };
  const open: World["open"] = (options = {}, registry = "registry.test") => {
    const client = testClient({
      ca: cert,
      lookup,
      proxy: { httpsProxy: proxy.url, noProxy: "inside.test" },
      ...options,
      hosts: {
        [registry]: { scheme: "https" },
        // The certificate is for the others.
        "auth.registry.test": { scheme: "skip-verify" },
        ...options.hosts,
      },
    });
    return new RemoteRepository(client, registry, "app");
  };
  return { proxy, port, seen, lookups, open };
}

/** Fetches a manifest, and so a token first. */
async function fetchFrom(repository: RemoteRepository): Promise<string> {
  return (await repository.fetchReference("v1")).descriptor.digest;
}

describe("a registry outside", () => {
  test("leads to a token server outside", async () => {
    const { open, seen } = await world(() => "https://auth.registry.test/token");
    expect(await fetchFrom(open())).toBe(root.digest);
    expect(seen).toContain("auth.registry.test/token");
  });

  test.each(["inside.test", "localhost"])(
    "does not lead to %s, which is inside, not even to connect",
    async (name) => {
      const { open, seen, lookups } = await world((port) => `https://${name}:${port}/token`);
      const error = await expectCode(fetchFrom(open()), "ORAS_REALM_REFUSED");
      expect(error.message).toContain("127.0.0.1 is loopback");
      expect(lookups).toEqual([name]);
      expect(seen).toEqual(["registry.test/v2/app/manifests/v1"]);
    },
  );

  test.each([
    "127.0.0.1",
    "2130706433",
    "0x7f.1",
    "0.0.0.0",
    "[::1]",
    "[::ffff:127.0.0.1]",
    "169.254.169.254",
    "10.0.0.1",
    "[fd00::1]",
  ])("does not lead to %s, by way of the proxy either", async (address) => {
    const { open, seen, proxy } = await world((port) => `https://${address}:${port}/token`);
    await expectCode(fetchFrom(open()), "ORAS_REALM_REFUSED");
    expect(seen).toEqual(["registry.test/v2/app/manifests/v1"]);
    expect(proxy.seen).toEqual(["CONNECT registry.test:443"]);
  });

  test("does not lead inside by a redirect of its token server", async () => {
    const { open, seen } = await world(
      () => "https://auth.registry.test/token",
      (port) => ({ "auth.registry.test/token": `https://localhost:${port}/token` }),
    );
    await expectCode(fetchFrom(open()), "ORAS_REALM_REFUSED");
    expect(seen.at(-1)).toBe("auth.registry.test/token");
  });

  test("does not lead inside over a connection that a redirect of a blob made", async () => {
    const { open, seen, port } = await world(
      (at) => `https://localhost:${at}/token`,
      (at) => ({
        [`registry.test/v2/app/blobs/${blob.digest}`]: `https://localhost:${at}/elsewhere`,
      }),
    );
    const repository = open();
    expect(Buffer.from(await drain(repository.fetch(blob)))).toEqual(Buffer.from(layer));
    await expectCode(fetchFrom(repository), "ORAS_REALM_REFUSED");
    expect(seen).toContain(`localhost:${port}/elsewhere`);
    expect(seen).not.toContain(`localhost:${port}/token`);
  });

  test("leads to the token servers that its options name, with credentials too", async () => {
    const { open, seen, port } = await world((at) => `https://localhost:${at}/token`);
    const naming = (...tokenServers: string[]): RegistryClientOptions => ({
      hosts: { "registry.test": { tokenServers } },
    });
    const named = naming(`localhost:${port}`);
    const credentials = async (): Promise<Credentials> => ({
      type: "password",
      username: "ann",
      password: "s3cret",
    });
    expect(await fetchFrom(open(named))).toBe(root.digest);
    expect(await fetchFrom(open({ ...named, credentials }))).toBe(root.digest);
    expect(seen).toContain(`localhost:${port}/token`);
    await expectCode(fetchFrom(open(naming("localhost"))), "ORAS_REALM_REFUSED");
  });
});

describe("a registry inside", () => {
  test("leads to a token server inside, whether names or addresses name them", async () => {
    for (const name of ["localhost", "127.0.0.1"]) {
      for (const realm of ["localhost", "127.0.0.1"]) {
        const { open, port } = await world((at) => `https://${realm}:${at}/token`);
        expect(await fetchFrom(open({}, `${name}:${port}`))).toBe(root.digest);
      }
    }
  });
});
