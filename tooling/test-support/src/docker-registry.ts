import { spawn } from "node:child_process";
import { mkdir, mkdtemp, rm, writeFile } from "node:fs/promises";
import { get as httpGet } from "node:http";
import { get as httpsGet } from "node:https";
import { createServer } from "node:net";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { onTestFinished } from "vitest";
import type { SelfSigned } from "./self-signed.ts";

/** The name of Debian's registry. */
export const dockerRegistryProgram = "docker-registry";

/** Options of {@link dockerRegistry}, as its configuration has them. */
export interface DockerRegistryOptions {
  readonly auth?: unknown;
  /** Certificate and key in PEM, to serve https. */
  readonly tls?: { readonly cert: string; readonly key: string };
}

/** Starts Debian's registry on loopback and waits until it answers; it ends with the test. @returns `127.0.0.1:PORT`. */
export async function dockerRegistry(options: DockerRegistryOptions = {}): Promise<string> {
  const { host, stop } = await startDockerRegistry(await temporaryFolder(), options);
  onTestFinished(stop);
  return host;
}

/** The same in a folder, until it is stopped. */
export async function startDockerRegistry(
  folder: string,
  options: DockerRegistryOptions = {},
): Promise<{ readonly host: string; readonly stop: () => void }> {
  const { auth, tls } = options;
  const host = `127.0.0.1:${await freePort()}`;
  const certificate = join(folder, "registry.crt");
  const key = join(folder, "registry.key");
  if (tls !== undefined) {
    await writeFile(certificate, tls.cert);
    await writeFile(key, tls.key);
  }
  const config = {
    version: 0.1,
    log: { level: "error" },
    storage: { filesystem: { rootdirectory: join(folder, "data") }, delete: { enabled: true } },
    http: { addr: host, ...(tls === undefined ? {} : { tls: { certificate, key } }) },
    ...(auth === undefined ? {} : { auth }),
  };
  const path = join(folder, "config.yml");
  await writeFile(path, JSON.stringify(config));
  const child = spawn(dockerRegistryProgram, ["serve", path], { stdio: "ignore" });
  const stop = (): void => void child.kill("SIGKILL");
  for (let attempt = 0; attempt < 400; attempt++) {
    if (await answers(host, tls?.cert)) return { host, stop };
    await new Promise((done) => setTimeout(done, 25));
  }
  stop();
  throw new Error("docker-registry did not start");
}

/** Lets one user in, as the registry's configuration has it: `ann` with the password `s3cret`. */
export async function annOnly(): Promise<unknown> {
  const path = join(await temporaryFolder(), "htpasswd");
  // The bcrypt hash of the password, made by crypt(3).
  await writeFile(path, "ann:$2y$05$abcdefghijklmnopqrstuuLK7U1u6pVRmL7L1BBM2aS35PSZnDXlK\n");
  return { htpasswd: { realm: "test", path } };
}

/** A folder with one certificate, `ca.crt`, as skopeo and the registry's token access want it. */
export async function certificateFolder({ cert }: SelfSigned): Promise<string> {
  const folder = join(await temporaryFolder(), "certificates");
  await mkdir(folder);
  await writeFile(join(folder, "ca.crt"), cert);
  return folder;
}

async function temporaryFolder(): Promise<string> {
  const folder = await mkdtemp(join(tmpdir(), "box-registry-"));
  onTestFinished(() => rm(folder, { recursive: true, force: true }));
  return folder;
}

async function freePort(): Promise<number> {
  const server = createServer();
  await new Promise<void>((done) => server.listen(0, "127.0.0.1", done));
  const address = server.address();
  await new Promise((done) => server.close(done));
  return typeof address === "object" && address !== null ? address.port : 0;
}

/** Whether anything is said, whatever it is. */
function answers(host: string, ca: string | undefined): Promise<boolean> {
  return new Promise((done) => {
    const request =
      ca === undefined ? httpGet(`http://${host}/v2/`) : httpsGet(`https://${host}/v2/`, { ca });
    request.on("response", (response) => {
      response.resume();
      done(true);
    });
    request.on("error", () => done(false));
  });
}
