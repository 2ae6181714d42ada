import { createServer as createHttps } from "node:https";
import { type AddressInfo, createServer as createTcpServer, type Socket } from "node:net";
import { RegistryClient, type RegistryClientOptions, RemoteRepository } from "@box/oras";
import { scriptedServer, selfSigned } from "@box/test-support";
import { describe, expect, onTestFinished, test, vi } from "vitest";
import { expectCode } from "../expect-code.ts";
import { sampleImage } from "../sample-image.ts";
import { testClient } from "../test-client.ts";
import { proxyTo } from "./test-proxy.ts";

const { manifestBytes, root } = await sampleImage();
const { cert, key } = selfSigned();

/** A registry over TLS that has one manifest. */
async function secureRegistry(): Promise<number> {
  const server = createHttps({ cert, key }, (_request, response) => response.end(manifestBytes));
  await new Promise<void>((done) => server.listen(0, "127.0.0.1", done));
  onTestFinished(async () => {
    server.closeAllConnections();
    await new Promise((done) => server.close(done));
  });
  return (server.address() as AddressInfo).port;
}

/** A server that hears and says nothing. @returns Its host. */
async function deafServer(onSocket: (socket: Socket) => void): Promise<string> {
  const sockets: Socket[] = [];
  const server = createTcpServer((socket) => {
    socket.on("error", () => {});
    sockets.push(socket);
    onSocket(socket);
  });
  await new Promise<void>((done) => server.listen(0, "127.0.0.1", done));
  onTestFinished(() => {
    for (const socket of sockets) socket.destroy();
    server.close();
  });
  return `127.0.0.1:${(server.address() as AddressInfo).port}`;
}

async function digestAt(host: string, options: RegistryClientOptions): Promise<string> {
  const repository = new RemoteRepository(testClient(options), host, "app");
  return (await repository.fetchReference("v1")).descriptor.digest;
}

describe("a proxy", () => {
  test("is asked for a plain registry, by the full URL and with its own credentials", async () => {
    const registry = await scriptedServer((_request, response) => response.end(manifestBytes));
    const proxy = await proxyTo(Number(registry.host.split(":")[1]));
    const hosts = { "registry.test": { scheme: "http" as const } };
    const httpProxy = proxy.url.replace("http://", "http://ann:s3cret@");
    expect(await digestAt("registry.test", { hosts, proxy: { httpProxy } })).toBe(root.digest);
    const basic = Buffer.from("ann:s3cret").toString("base64");
    expect(proxy.seen).toEqual([`GET http://registry.test/v2/app/manifests/v1 Basic ${basic}`]);
    expect(registry.seen[0]?.headers["proxy-authorization"]).toBeUndefined();
  });

  test("makes a tunnel to a secure registry, whose certificate is still checked", async () => {
    const proxy = await proxyTo(await secureRegistry());
    const options = { proxy: { httpsProxy: proxy.url } };
    await expectCode(digestAt("registry.test", options), "ORAS_TLS");
    const hosts = { "registry.test": { ca: cert } };
    expect(await digestAt("registry.test", { ...options, hosts })).toBe(root.digest);
    expect(await digestAt("registry.test", { ...options, ca: cert })).toBe(root.digest);
    expect(proxy.seen).toEqual(Array(3).fill("CONNECT registry.test:443"));
  });

  test("that wants to know who asks is ORAS_PROXY, with a tunnel and without", async () => {
    const proxy = await proxyTo(1, () => false);
    const hosts = { "plain.test": { scheme: "http" as const } };
    for (const host of ["plain.test", "registry.test"]) {
      const options = { hosts, proxy: { httpProxy: proxy.url } };
      const error = await expectCode(digestAt(host, options), "ORAS_PROXY");
      expect(error.hint).toContain("USER:PASSWORD");
    }
    expect(proxy.seen).toHaveLength(2);
  });

  const plain = { "plain.test": { scheme: "http" as const } };

  test.each(["registry.test", "plain.test"])(
    "that is not there is ORAS_PROXY, which names it, for %s",
    async (host) => {
      const proxy = { httpProxy: "http://ann:s3cret@127.0.0.1:9" };
      const options = { hosts: plain, proxy, retry: { attempts: 2 } };
      const error = await expectCode(digestAt(host, options), "ORAS_PROXY");
      expect(error.message).toMatch(/cannot reach \w+\.test.* through the proxy 127.0.0.1:9: /);
      expect(error).toMatchObject({ retryable: true, details: { reason: "ECONNREFUSED" } });
    },
  );

  test.each([
    ["registry.test", "http"],
    ["plain.test", "http"],
    ["registry.test", "https"],
    ["plain.test", "https"],
  ])(
    "that never answers for %s by %s is given up after the time that a header may take",
    async (host, scheme) => {
      const proxy = `${scheme}://${await deafServer(() => {})}`;
      const limits = { headersTimeoutMs: 300, connectTimeoutMs: 300, retry: { attempts: 1 } };
      const options = { hosts: plain, proxy: { httpProxy: proxy }, ...limits };
      const beganMs = performance.now();
      const error = await expectCode(digestAt(host, options), "ORAS_PROXY");
      expect(error.details["reason"]).toMatch(/^UND_ERR_(?:HEADERS|CONNECT)_TIMEOUT$/);
      // Without a limit of ours it takes five minutes.
      expect(performance.now() - beganMs).toBeLessThan(20_000);
    },
  );

  test("that hangs up on a plain request is ORAS_PROXY, and one that dies in a reply is no more than a cut", async () => {
    const options = { hosts: plain, retry: { attempts: 1 } };
    const dead = `http://${await deafServer((socket) => socket.destroy())}`;
    await expectCode(
      digestAt("plain.test", { ...options, proxy: { httpProxy: dead } }),
      "ORAS_PROXY",
    );
    const head = "HTTP/1.1 200 OK\r\ncontent-type: application/vnd.oci.image.manifest.v1+json\r\n";
    const half = await deafServer((socket) =>
      socket.once("data", () => socket.end(`${head}content-length: 500\r\n\r\n{`)),
    );
    const cut = { ...options, proxy: { httpProxy: `http://${half}` } };
    await expectCode(digestAt("plain.test", cut), "ORAS_NETWORK");
  });

  test("for plain requests is let go at once by whoever stops", async () => {
    const proxy = { httpProxy: `http://${await deafServer(() => {})}` };
    const client = testClient({ hosts: plain, proxy, retry: { attempts: 1 } });
    const repository = new RemoteRepository(client, "plain.test", "app");
    const signal = AbortSignal.timeout(100);
    await expectCode(repository.fetchReference("v1", { signal }), "ORAS_ABORTED");
  });

  test("is left out for loopback and for the named exceptions", async () => {
    const registry = await scriptedServer((_request, response) => response.end(manifestBytes));
    const proxy = await proxyTo(1);
    const options = { proxy: { httpProxy: proxy.url, noProxy: "invalid" }, retry: { attempts: 1 } };
    expect(await digestAt(registry.host, options)).toBe(root.digest);
    await expectCode(digestAt("nowhere.invalid", options), "ORAS_NETWORK");
    expect(proxy.seen).toEqual([]);
  });

  test("of the environment is nobody's business", async () => {
    const proxy = await proxyTo(1);
    vi.stubEnv("HTTPS_PROXY", proxy.url);
    vi.stubEnv("HTTP_PROXY", proxy.url);
    const options = { proxy: { noProxy: "other.invalid" }, retry: { attempts: 1 } };
    await expectCode(digestAt("nowhere.invalid", options), "ORAS_NETWORK");
    expect(proxy.seen).toEqual([]);
  });

  test.each(["socks5://127.0.0.1:1", "127.0.0.1:3128", "nonsense"])(
    "may not be %s",
    async (url) => {
      const error = await expectCode(
        () => new RegistryClient({ proxy: { httpProxy: url } }),
        "ORAS_PROXY",
      );
      expect(error.message).not.toContain(url);
    },
  );
});

describe("a registry with a certificate of its own", () => {
  test("is refused, unless its authority is given for it or for all, or it is not checked", async () => {
    const host = `127.0.0.1:${await secureRegistry()}`;
    const with_ = (options: object): RegistryClientOptions => ({
      hosts: { [host]: { scheme: "https", ...options } },
    });
    await expectCode(digestAt(host, with_({})), "ORAS_TLS");
    await expectCode(digestAt(host, with_({ ca: selfSigned().cert })), "ORAS_TLS");
    expect(await digestAt(host, with_({ ca: cert }))).toBe(root.digest);
    expect(await digestAt(host, { ...with_({}), ca: cert })).toBe(root.digest);
    expect(await digestAt(host, with_({ scheme: "skip-verify" }))).toBe(root.digest);
  });
});
