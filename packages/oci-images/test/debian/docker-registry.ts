import { spawn } from "node:child_process";
import { writeFile } from "node:fs/promises";
import { createServer } from "node:net";
import { join } from "node:path";
import { onTestFinished } from "vitest";
import { temporaryFolder } from "../temporary-folder.ts";

/** Starts Debian's registry on loopback and waits until it answers; it ends with the test. @returns `127.0.0.1:PORT`. */
export async function dockerRegistry(): Promise<string> {
  const folder = await temporaryFolder();
  const host = `127.0.0.1:${await freePort()}`;
  const config = {
    version: 0.1,
    log: { level: "error" },
    storage: { filesystem: { rootdirectory: join(folder, "data") }, delete: { enabled: true } },
    http: { addr: host },
  };
  const path = join(folder, "config.yml");
  await writeFile(path, JSON.stringify(config));
  const child = spawn("docker-registry", ["serve", path], { stdio: "ignore" });
  onTestFinished(() => {
    child.kill("SIGKILL");
  });
  for (let attempt = 0; attempt < 400; attempt++) {
    if (await answers(host)) return host;
    await new Promise((done) => setTimeout(done, 25));
  }
  throw new Error("docker-registry did not start");
}

async function freePort(): Promise<number> {
  const server = createServer();
  await new Promise<void>((done) => server.listen(0, "127.0.0.1", done));
  const address = server.address();
  await new Promise((done) => server.close(done));
  return typeof address === "object" && address !== null ? address.port : 0;
}

/** Whether anything is said, whatever it is. */
async function answers(host: string): Promise<boolean> {
  return fetch(`http://${host}/v2/`).then(
    () => true,
    () => false,
  );
}
