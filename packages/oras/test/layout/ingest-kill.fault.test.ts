import { spawn } from "node:child_process";
import { readdir, rm, stat, writeFile } from "node:fs/promises";
import { join } from "node:path";
import { describe as describeContent, OciLayout, RemoteRepository } from "@box/oras";
import { drain, scriptedServer } from "@box/test-support";
import { describe, expect, test } from "vitest";
import { noise } from "../sample-image.ts";
import { temporaryFolder } from "../temporary-folder.ts";
import { testClient } from "../test-client.ts";

const content = noise(2_000_000);
const blob = describeContent("application/octet-stream", content);

/** Downloads the blob in a process of its own. */
const program = `
import { OciLayout, RegistryClient, RemoteRepository } from "@box/oras";
const [folder, host, blob] = process.argv.slice(2);
const layout = await OciLayout.ensure(folder);
const repository = new RemoteRepository(new RegistryClient(), host, "app");
const descriptor = JSON.parse(blob);
await layout.push(descriptor, {
  open: (offset) => repository.fetch(descriptor, { offset, verify: false }),
});
`;

describe("a download whose process is killed", () => {
  test("is invisible until another process has gone on with it", async () => {
    const folder = await temporaryFolder();
    const script = join(import.meta.dirname, `.killed-${process.pid}.mjs`);
    await writeFile(script, program);
    const server = await scriptedServer((request, response) => {
      const start = Number(/^bytes=(\d+)-$/.exec(request.headers.range ?? "")?.[1] ?? 0);
      response.writeHead(start > 0 ? 206 : 200, {
        "content-length": content.byteLength - start,
        ...(start > 0 ? { "content-range": `bytes ${start}-1999999/2000000` } : {}),
      });
      // The first reply stops in the middle and stays open.
      if (start === 0) response.write(content.subarray(0, 1_000_000));
      else response.end(content.subarray(start));
    });
    const layoutFolder = join(folder, "layout");
    const args = [
      "--conditions=@box/source",
      script,
      layoutFolder,
      server.host,
      JSON.stringify(blob),
    ];
    const child = spawn(process.execPath, args, { stdio: "inherit", cwd: import.meta.dirname });
    // Listened for from the beginning: it may close while its script is being removed.
    const closed = new Promise((done) => child.on("close", done));
    const partial = join(layoutFolder, "ingest", `sha256-${blob.digest.slice(7)}`);
    try {
      await expect
        .poll(
          () =>
            stat(partial).then(
              (facts) => facts.size,
              () => 0,
            ),
          { timeout: 120_000 },
        )
        .toBe(1_000_000);
    } finally {
      child.kill("SIGKILL");
      await rm(script);
    }
    await closed;
    const layout = await OciLayout.open(layoutFolder);
    expect(await layout.exists(blob)).toBe(false);
    const repository = new RemoteRepository(testClient(), server.host, "app");
    await layout.push(blob, {
      open: (offset) => repository.fetch(blob, { offset, verify: false }),
    });
    expect(server.seen.map(({ headers }) => headers["range"])).toEqual([
      undefined,
      "bytes=1000000-",
    ]);
    expect(Buffer.compare(await drain(layout.fetch(blob)), content)).toBe(0);
    const left = await readdir(join(layoutFolder, "ingest"));
    expect(left.filter((name) => name.startsWith("sha256-"))).toEqual([]);
  });
});
