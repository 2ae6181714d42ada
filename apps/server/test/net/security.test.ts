import { chmod, lstat, mkdir, readdir, stat, writeFile } from "node:fs/promises";
import { createServer } from "node:net";
import { join } from "node:path";
import { defaultSocketPath, parseListenAddress, serve } from "@box/server";
import { describe, expect, test } from "vitest";
import { FakeBoxes } from "../support/fake-boxes.ts";
import { send } from "../support/request.ts";
import { startServer, temporaryFolder } from "../support/server.ts";

const apiKey = "0123456789abcdef";

describe("a TCP port", () => {
  test.each(["evil.example", "evil.example:80", "127.0.0.1:1"])(
    "refuses the Host %j",
    async (host) => {
      const { url } = await startServer({ listen: "tcp://127.0.0.1:0" });
      const answer = await send(url, "/v1/boxes", { headers: { host } });
      expect(answer).toMatchObject({ status: 403, json: { code: "SERVER_HOST_REFUSED" } });
    },
  );

  test("takes every loopback name with its own port", async () => {
    const { url } = await startServer({ listen: "tcp://127.0.0.1:0" });
    const { port } = new URL(url);
    for (const host of [`localhost:${port}`, `LOCALHOST:${port}`, `[::1]:${port}`]) {
      expect((await send(url, "/v1/boxes", { headers: { host } })).status).toBe(200);
    }
  });

  test("refuses the Origin of another page, and takes its own", async () => {
    const { url } = await startServer({ listen: "tcp://127.0.0.1:0" });
    for (const origin of ["http://evil.example", "null", "https://127.0.0.1"]) {
      const answer = await send(url, "/v1/boxes", { headers: { origin } });
      expect(answer).toMatchObject({ status: 403, json: { code: "SERVER_ORIGIN_REFUSED" } });
    }
    expect((await send(url, "/v1/boxes", { headers: { origin: url } })).status).toBe(200);
  });

  test("wants the API key when there is one, but for probes", async () => {
    const { url } = await startServer({ listen: "tcp://127.0.0.1:0", apiKey });
    const auth = (value: string) => send(url, "/v1/boxes", { headers: { authorization: value } });
    const without = await send(url, "/v1/boxes");
    expect(without).toMatchObject({
      status: 401,
      json: { code: "SERVER_UNAUTHORIZED", kind: "auth" },
    });
    expect(without.headers["www-authenticate"]).toBe("Bearer");
    expect((await auth("Bearer wrong")).status).toBe(401);
    expect((await auth(`Basic ${apiKey}`)).status).toBe(401);
    expect((await auth(`Bearer ${apiKey}`)).status).toBe(200);
    expect((await send(url, "/livez?x")).status).toBe(200);
  });

  test.each(["tcp://0.0.0.0:0", "tcp://[::]:0"])(
    "does not open %s without a key",
    async (listen) => {
      await expect(startServer({ listen })).rejects.toMatchObject({ code: "SERVER_KEY_REQUIRED" });
    },
  );

  test("opens to others with a key, whatever name they know it by", async () => {
    const { url } = await startServer({ listen: "tcp://0.0.0.0:0", apiKey });
    const { port } = new URL(url);
    const headers = { host: "box.example", authorization: `Bearer ${apiKey}` };
    expect((await send(`http://127.0.0.1:${port}`, "/v1/boxes", { headers })).status).toBe(200);
  });

  test("refuses a short key, and a port that is taken", async () => {
    await expect(startServer({ apiKey: "short" })).rejects.toMatchObject({
      code: "SERVER_KEY_REQUIRED",
    });
    const { url } = await startServer({ listen: "tcp://127.0.0.1:0" });
    const taken = startServer({ listen: `tcp://127.0.0.1:${new URL(url).port}` });
    await expect(taken).rejects.toMatchObject({ code: "SERVER_ADDRESS_IN_USE", kind: "in-use" });
  });
});

describe("a unix socket", () => {
  test("has mode 0600 in a folder of mode 0700, and is gone with everything else after the stop", async () => {
    const folder = await temporaryFolder();
    const path = join(folder, "new", "api.sock");
    const { server } = await startServer({ listen: `unix://${path}` });
    expect((await stat(path)).mode & 0o777).toBe(0o600);
    expect((await stat(join(folder, "new"))).mode & 0o777).toBe(0o700);
    expect(await readdir(join(folder, "new"))).toEqual(["api.sock"]);
    await server.stop();
    expect(await readdir(join(folder, "new"))).toEqual([]);
  });

  test("of a dead server is replaced, of a living one it is not", async () => {
    const folder = await temporaryFolder();
    const path = join(folder, "s.sock");
    const dead = createServer();
    await new Promise<void>((resolve) => dead.listen(join(folder, "d"), resolve));
    const { rename } = await import("node:fs/promises");
    await rename(join(folder, "d"), path);
    await new Promise((resolve) => dead.close(resolve));
    expect((await lstat(path)).isSocket()).toBe(true);
    const { url } = await startServer({ folder });
    expect((await send(url, "/livez")).status).toBe(200);
    await expect(startServer({ folder })).rejects.toMatchObject({ code: "SERVER_ADDRESS_IN_USE" });
  });

  test("never replaces a file", async () => {
    const folder = await temporaryFolder();
    await writeFile(join(folder, "s.sock"), "precious");
    await expect(startServer({ folder })).rejects.toMatchObject({ code: "SERVER_SOCKET_REFUSED" });
    expect((await stat(join(folder, "s.sock"))).size).toBe(8);
  });

  test("is not made in a folder that others may change", async () => {
    const folder = join(await temporaryFolder(), "open");
    await mkdir(folder);
    await chmod(folder, 0o777);
    await expect(startServer({ folder })).rejects.toMatchObject({
      code: "SERVER_SOCKET_REFUSED",
      hint: expect.stringContaining("chmod 700"),
    });
    await chmod(folder, 0o1777);
    expect((await send((await startServer({ folder })).url, "/livez")).status).toBe(200);
  });

  test("with a path that the system cannot bind is refused", async () => {
    const listen = `unix:///${"x".repeat(120)}`;
    await expect(startServer({ listen })).rejects.toMatchObject({ code: "SERVER_ADDRESS_INVALID" });
  });

  test("needs no key and checks no Host: its mode keeps others out", async () => {
    const { url } = await startServer({ apiKey });
    expect((await send(url, "/v1/boxes", { headers: { host: "whatever" } })).status).toBe(200);
  });

  test("has a short default path of its own for each home", () => {
    const env = { XDG_RUNTIME_DIR: "/run/user/1000" };
    const path = defaultSocketPath("/home/a", env);
    expect(path).toMatch(/^\/run\/user\/1000\/box\/[0-9a-f]{16}\/api\.sock$/);
    expect(defaultSocketPath("/home/b", env)).not.toBe(path);
    expect(defaultSocketPath("/home/a", { XDG_RUNTIME_DIR: "relative" })).toMatch(
      /\/box-[^/]+\/[0-9a-f]{16}\//,
    );
  });
});

describe("parseListenAddress", () => {
  test.each([
    ["unix:///run/x.sock", { type: "unix", path: "/run/x.sock" }],
    ["tcp://127.0.0.1:80", { type: "tcp", host: "127.0.0.1", port: 80 }],
    ["tcp://[::1]:0", { type: "tcp", host: "::1", port: 0 }],
    ["tcp://localhost:65535", { type: "tcp", host: "localhost", port: 65535 }],
  ])("reads %s", (text, address) => expect(parseListenAddress(text)).toEqual(address));

  test.each([
    "",
    "unix://relative",
    "unix:///a\0b",
    "tcp://127.0.0.1",
    "tcp://127.0.0.1:65536",
    "tcp://[127.0.0.1]:1",
    "tcp://::1:1",
    "tcp://example.com:1",
    "http://127.0.0.1:1",
  ])("refuses %j", (text) => {
    expect(() => parseListenAddress(text)).toThrow(
      expect.objectContaining({ code: "SERVER_ADDRESS_INVALID" }),
    );
  });
});

test("a server that could not listen leaves nothing behind", async () => {
  const folder = await temporaryFolder();
  await mkdir(join(folder, "s.sock"));
  const listen = { type: "unix", path: join(folder, "s.sock") } as const;
  await expect(serve({ boxes: new FakeBoxes(), version: "1", listen })).rejects.toThrow();
  expect(await readdir(folder)).toEqual(["s.sock"]);
});
