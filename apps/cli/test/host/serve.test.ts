import { once } from "node:events";
import { writeFile } from "node:fs/promises";
import { request } from "node:http";
import { createServer } from "node:net";
import { join } from "node:path";
import { describe, expect, onTestFinished, test } from "vitest";
import { createTestHome, type TestHome } from "../support/boxed-home.ts";
import { startBox } from "../support/spawn-box.ts";

/** Starts `box serve` and waits for the line with its URL. */
async function startServer({ home, folder }: TestHome, ...argv: string[]) {
  const env = { XDG_RUNTIME_DIR: folder };
  const child = startBox(["--home", home, "serve", "--format", "json", ...argv], {
    env,
    cwd: folder,
  });
  const closed = once(child, "close");
  let text = "";
  for await (const chunk of child.stdout.setEncoding("utf8")) {
    text += chunk;
    if (text.endsWith("}\n")) break;
  }
  const { url, pid } = JSON.parse(text) as { url: string; pid: number };
  expect(pid).toBe(child.pid);
  return { url, child, closed };
}

function get(
  url: string,
  path: string,
  headers: Record<string, string> = {},
  body?: string,
): Promise<number> {
  const isUnix = url.startsWith("unix://");
  const target = isUnix
    ? { socketPath: url.slice("unix://".length) }
    : { host: new URL(url).hostname, port: new URL(url).port };
  return new Promise((resolve, reject) => {
    const method = body === undefined ? "GET" : "POST";
    const sent = request({ ...target, method, path, headers, agent: false }, (answer) => {
      answer.resume();
      resolve(answer.statusCode ?? 0);
    });
    sent.on("error", reject);
    sent.end(body);
  });
}

describe("box serve", () => {
  test.each(["SIGTERM", "SIGINT"] as const)(
    "serves on a socket of the home until %s, and that is its normal end",
    async (signal) => {
      const home = await createTestHome();
      const { url, child, closed } = await startServer(home);
      expect(url).toMatch(/^unix:\/\/.*\/api\.sock$/);
      expect(await get(url, "/v1/boxes")).toBe(200);
      child.kill(signal);
      expect((await closed)[0]).toBe(0);
      await expect(get(url, "/livez")).rejects.toThrow();
    },
  );

  test("serves on loopback with the key of a file", async () => {
    const home = await createTestHome();
    await writeFile(join(home.folder, "key"), "0123456789abcdef\n");
    const listen = ["--listen", "tcp://127.0.0.1:0", "--api-key-file", "key"];
    const { url, child, closed } = await startServer(home, ...listen);
    expect(await get(url, "/v1/boxes")).toBe(401);
    expect(await get(url, "/v1/boxes", { authorization: "Bearer 0123456789abcdef" })).toBe(200);
    child.kill("SIGTERM");
    await closed;
  });

  test("leaves at once when it is told to stop a second time", async () => {
    const home = await createTestHome();
    const silent = createServer().listen(0, "127.0.0.1");
    onTestFinished(() => void silent.close());
    silent.on("connection", (socket) => onTestFinished(() => void socket.destroy()));
    await once(silent, "listening");
    const { port } = silent.address() as { port: number };
    const { url, child, closed } = await startServer(home, "--shutdown-grace", "1h");
    const body = JSON.stringify({ image: `127.0.0.1:${port}/a:b`, name: "a" });
    expect(await get(url, "/v1/boxes", { "content-type": "application/json" }, body)).toBe(202);
    child.kill("SIGINT");
    while ((await get(url, "/readyz")) !== 503);
    child.kill("SIGINT");
    expect((await closed)[0]).toBe(130);
  });

  test("refuses an address that others reach, a missing key file and a key that is none", async () => {
    const { box, folder } = await createTestHome();
    const open = await box(["serve", "--listen", "tcp://0.0.0.0:0"]);
    expect(open.exitCode).toBe(9);
    expect(open.stderr).toContain("error[SERVER_KEY_REQUIRED]");
    const missing = await box(["serve", "--api-key-file", "nope"]);
    expect(missing.exitCode).toBe(2);
    await writeFile(join(folder, "key"), "\n");
    expect((await box(["serve", "--api-key-file", "key"])).exitCode).toBe(2);
    expect((await box(["serve", "--listen", "http://x"])).exitCode).toBe(2);
  });
});
