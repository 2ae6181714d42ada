import { execFile } from "node:child_process";
import { promisify } from "node:util";
import { scriptedServer } from "@box/test-support";
import { expect, test } from "vitest";

/** Asks a registry in a process of its own, and prints which parts of the HTTP library that has loaded. */
const program = `
import { createRequire } from "node:module";
const { RegistryClient, RemoteRepository } = await import("@box/oras");
const [host, proxy] = process.argv.slice(1);
await using client = new RegistryClient(proxy === undefined ? {} : { proxy: { httpProxy: proxy } });
await new RemoteRepository(client, host, "app").resolve("v1").catch(() => {});
const { cache } = createRequire(process.cwd() + "/x.js");
const parts = Object.keys(cache).filter((path) => path.includes("/undici/"));
console.log(parts.length, parts.some((path) => path.endsWith("/undici/index.js")));
`;

async function loadedParts(...words: string[]): Promise<string> {
  const flags = ["--conditions=@box/source", "--input-type=module", "--eval", program];
  const cwd = import.meta.dirname;
  const { stdout } = await promisify(execFile)(process.execPath, [...flags, ...words], { cwd });
  return stdout.trim();
}

test("of the HTTP library a direct request loads what it needs, and no caches, mocks and proxies", async () => {
  const { host, origin } = await scriptedServer((_request, response) =>
    response.writeHead(404).end(),
  );
  const [direct = "", isWhole] = (await loadedParts(host)).split(" ");
  expect([Number(direct) > 10, Number(direct) < 40, isWhole]).toEqual([true, true, "false"]);
  expect(await loadedParts("elsewhere.invalid", origin)).toMatch(/ true$/);
});
