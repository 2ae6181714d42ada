import { existsSync } from "node:fs";
import { chmod, mkdir, readdir, readFile, utimes, writeFile } from "node:fs/promises";
import { join } from "node:path";
import { FolderRegistryStorage, serveRegistry } from "@box/oras/registry-server";
import { scriptedServer } from "@box/test-support";
import { describe, expect, test } from "vitest";
import { output as discoverOutput } from "../../src/commands/artifact-discover/schemas.ts";
import { output as artifactPullOutput } from "../../src/commands/artifact-pull/schemas.ts";
import { output as gcOutput } from "../../src/commands/registry-gc/schemas.ts";
import { output as serveOutput } from "../../src/commands/registry-serve/schemas.ts";
import { proxyOptions, registriesFile } from "../../src/registries/registry-options.ts";
import { createTestHome } from "../support/boxed-home.ts";
import { type BoxRun, type RunBoxOptions, runBoxHere } from "../support/run-box.ts";

async function home() {
  const made = await createTestHome();
  const env = { DOCKER_CONFIG: join(made.folder, "docker"), XDG_CONFIG_HOME: made.folder };
  const box = (argv: readonly string[], options: RunBoxOptions = {}) =>
    runBoxHere(["--home", made.home, ...argv], { cwd: made.folder, env, ...options });
  return { ...made, box, env };
}

const auth = { scheme: "token", users: { ann: "s3cret" } } as const;
const type = "application/vnd.example.test";

describe("box login and logout", () => {
  test("keep a password that is right, use it, and forget it", async () => {
    const { box, image, folder } = await home();
    await using registry = await serveRegistry({ auth });
    const { host } = registry;
    const login = ["login", host, "-u", "ann", "--password-stdin"];
    const wrong = await box(login, { stdin: "wrong\n" });
    expect(wrong).toMatchObject({ exitCode: 8, stdout: "" });
    expect(wrong.stderr).not.toContain("wrong\n");
    expect((await box(["push", image, `${host}/app:v1`])).exitCode).toBe(3);
    await box(["pull", image]);
    expect((await box(["push", image, `${host}/app:v1`])).exitCode).toBe(8);
    const file = join(folder, "docker", "config.json");
    const right = await box(login, { stdin: "s3cret\n" });
    expect(right.stdout).toBe(`logged in to ${host} as ann; kept by ${file}\n`);
    expect(JSON.parse(await readFile(file, "utf8")).auths[host]).toBeDefined();
    expect((await box(["push", image, `${host}/app:v1`])).exitCode).toBe(0);
    expect((await box(["logout", host])).stdout).toContain(file);
    expect((await box(["logout", host])).stdout).toBe(`there was no login to ${host}\n`);
    expect((await box(["pull", `${host}/app:v1`])).exitCode).toBe(8);
  });

  test.each([
    [["login", "a b", "-u", "ann", "--password-stdin"], "x", "not HOST[:PORT]"],
    [["login", "a.test", "-u", "ann"], "x", "taken from stdin only"],
    [["login", "a.test", "--password-stdin"], "x", "give the user's name"],
    [["login", "a.test", "-u", "ann", "--password-stdin"], "", "stdin is empty"],
    [["login", "a.test", "-u", "ann", "--password-stdin"], "a\nb\n", "more than one line"],
  ])("refuse %j with %j on stdin", async (argv, stdin, message) => {
    const { box } = await home();
    const run = await box(argv, { stdin });
    expect(run).toMatchObject({ exitCode: 2, stdout: "" });
    expect(run.stderr).toContain(message);
  });

  test("talk plain HTTP to other hosts only when told so", async () => {
    const { box } = await home();
    const login = ["login", "nowhere.invalid:1", "-u", "a", "--password-stdin", "--insecure"];
    const run = await box([...login, "nowhere.invalid:1"], { stdin: "x" });
    expect(run.exitCode).toBe(7);
    expect(run.stderr).toContain("http://nowhere.invalid:1/v2/");
  });
});

test("what registries warn of is shown once, and stdout stays as it is", async () => {
  const { box } = await home();
  const server = await scriptedServer((_request, response) => {
    response.writeHead(200, { warning: '299 - "closes\u009b in May"' });
    response.end(Buffer.from(JSON.stringify({ tags: ["v1"] })));
  });
  const listed = await box(["artifact", "ls", `${server.host}/app`]);
  const line = `warning: ${server.host} says: closes in May\n`;
  expect(listed).toMatchObject({ exitCode: 0, stdout: "v1\n", stderr: line });
  const login = ["login", server.host, "-u", "ann", "--password-stdin"];
  expect(await box(login, { stdin: "x" })).toMatchObject({ exitCode: 0, stderr: line });
  const pulled = await box(["pull", `${server.host}/app:v1`]);
  expect(pulled.exitCode).not.toBe(0);
  expect(pulled.stderr.split(line)).toHaveLength(2);
});

test("a list of tags without an end is not collected", async () => {
  const { box } = await home();
  const tags = JSON.stringify({ tags: new Array(50_001).fill("v") });
  const server = await scriptedServer((_request, response, count) => {
    response.setHeader("link", `</v2/app/tags/list?last=${count}>; rel="next"`);
    response.end(tags);
  });
  const run = await box(["artifact", "ls", `${server.host}/app`]);
  expect(run).toMatchObject({ stdout: "" });
  expect(run.stderr).toContain("OCI_TOO_LARGE");
  expect(server.seen).toHaveLength(5);
});

describe.each(["a registry", "an image layout"])("artifacts in %s", (place) => {
  test("are pushed, listed, pulled, attached to and discovered", async () => {
    const { box, folder } = await home();
    await using registry = await serveRegistry();
    const repository = place === "a registry" ? `${registry.host}/team/model` : "oci:artifacts";
    const ref = `${repository}:v1`;
    await mkdir(join(folder, "docs"));
    await writeFile(join(folder, "weights.bin"), new Uint8Array(3_000_000).fill(1));
    await writeFile(join(folder, "docs/note.md"), "# Note\n");
    const files = ["./weights.bin", "docs/note.md:text/markdown"];
    const pushed = await box(["artifact", "push", ref, ...files, "--type", type, "-q"]);
    expect(pushed).toMatchObject({ exitCode: 0, stderr: "" });
    expect(pushed.stdout).toMatch(/^sha256:/);
    expect((await box(["artifact", "ls", repository])).stdout).toBe("v1\n");
    const pull = ["artifact", "pull", ref, "-o", "out"];
    const pulled = JSON.parse((await box([...pull, "--format", "json"])).stdout);
    expect(artifactPullOutput.parse(pulled)).toEqual(pulled);
    expect(await readFile(join(folder, "out/docs/note.md"), "utf8")).toBe("# Note\n");
    expect((await box(pull)).exitCode).toBe(4);
    expect((await box([...pull, "--overwrite"])).stdout).toMatch(/FILE .*\n.*weights\.bin/);
    expect((await box([...pull, "--overwrite", "-q"])).stdout).toContain("out/weights.bin\n");
    const attach = ["artifact", "attach", ref, "docs/note.md", "--type", "text/x"];
    const attached = await box([...attach, "--annotation", "made=today", "-q"]);
    const second = `${repository}@${attached.stdout.trim()}`;
    expect((await box(["artifact", "attach", second, "--type", "text/y"])).stdout).toContain(
      "attached to",
    );
    const found = JSON.parse((await box(["artifact", "discover", ref, "--format", "json"])).stdout);
    expect(discoverOutput.parse(found)).toEqual(found);
    expect(found).toMatchObject([
      { artifactType: "text/x", level: 1, subject: pushed.stdout.trim() },
      { artifactType: "text/y", level: 2, subject: attached.stdout.trim() },
    ]);
    expect((await box(["artifact", "discover", ref])).stdout).toMatch(/text\/x .*\n {2}text\/y /);
    expect((await box(["artifact", "discover", ref, "-q"])).stdout.split("\n")).toHaveLength(3);
    expect((await box(["artifact", "discover", ref, "--type", "z", "-q"])).stdout).toBe("");
  });
});

test.each([
  [["artifact", "push", "a.test/x:v1"], "say what the artifact is"],
  [["artifact", "push", "a.test/x:v1", "--type", "word"], "not a media type"],
  [["artifact", "push", "oci:x:v1", "--type", "a/b", "--annotation", "x"], "not KEY=VALUE"],
  [["artifact", "push", "oci-archive:x", "--type", "a/b"], "cannot keep artifacts"],
  [["artifact", "ls", "oci:nothing"], "OCI_LAYOUT_MISSING"],
  [["artifact", "ls", "nowhere.invalid:1/x", "--insecure", "nowhere.invalid:1"], "http://nowhere"],
])("box %j is refused", async (argv, message) => {
  const { box } = await home();
  const run = await box(argv);
  expect(run.exitCode).toBeGreaterThan(1);
  expect(run.stderr).toContain(message);
});

describe("box registry serve", () => {
  /** Serves until the callback is done. */
  async function serving(
    argv: readonly string[],
    work: (url: string, made: Awaited<ReturnType<typeof home>>) => Promise<void>,
    made?: Awaited<ReturnType<typeof home>>,
  ): Promise<BoxRun> {
    const test = made ?? (await home());
    const controller = new AbortController();
    let failure: unknown;
    const port = 20_000 + Math.floor(Math.random() * 30_000);
    const listen = `127.0.0.1:${port}`;
    const run = test.box(["registry", "serve", "--listen", listen, ...argv], {
      signal: controller.signal,
    });
    void run.finally(() => controller.abort());
    for (let attempt = 0; attempt < 500 && !controller.signal.aborted; attempt++) {
      const isUp = await fetch(`http://${listen}/v2/`).then(
        () => true,
        () => false,
      );
      if (isUp) break;
      await new Promise((done) => setTimeout(done, 10));
    }
    await work(`http://${listen}`, test).catch((error: unknown) => {
      failure = error;
    });
    controller.abort();
    const ended = await run;
    if (failure !== undefined) throw failure;
    return ended;
  }

  test("serves from a folder until it is stopped, and tells of each request when asked to", async () => {
    const argv = ["--dir", "content", "--format", "json", "--log-level", "debug"];
    const ended = await serving(argv, async (url, { box, image }) => {
      await box(["pull", image]);
      expect((await box(["push", image, `${new URL(url).host}/app:v1`])).exitCode).toBe(0);
    });
    expect(ended.exitCode).toBe(0);
    const printed = JSON.parse(ended.stdout);
    expect(serveOutput.parse(printed)).toEqual(printed);
    expect(ended.stderr).toContain("PUT /v2/app/manifests/v1 201");
  });

  test("asks for passwords", async () => {
    const made = await home();
    const users = join(made.folder, "users");
    await writeFile(users, "# people\nann:s3cret:x\n", { mode: 0o600 });
    await serving(
      ["--users", "users", "--auth", "token", "--anonymous-pull"],
      async (url, { box }) => {
        const { host } = new URL(url);
        expect((await fetch(`${url}/v2/`)).headers.get("www-authenticate")).toMatch(/^Bearer/);
        const login = ["login", host, "-u", "ann", "--password-stdin"];
        expect((await box(login, { stdin: "s3cret:x" })).exitCode).toBe(0);
      },
      made,
    );
  });

  test("names the token server by the URL that it is known by, when that is given", async () => {
    const made = await home();
    await writeFile(join(made.folder, "users"), "ann:s3cret\n", { mode: 0o600 });
    const users = ["--users", "users", "--auth", "token"];
    const realmOf = async (argv: readonly string[]): Promise<string | null | undefined> => {
      let header: string | null | undefined;
      const work = async (url: string): Promise<void> => {
        header = (await fetch(`${url}/v2/`)).headers.get("www-authenticate");
        header = header?.replace(new URL(url).host, "HOST");
      };
      expect(await serving([...users, ...argv], work, made)).toMatchObject({ exitCode: 0 });
      return header;
    };
    const rest = ',service="box-registry"';
    expect(await realmOf([])).toBe(`Bearer realm="http://HOST/token"${rest}`);
    for (const url of ["https://images.example:8443", "https://images.example:8443/"]) {
      const expected = `Bearer realm="https://images.example:8443/token"${rest}`;
      expect(await realmOf(["--public-url", url])).toBe(expected);
    }
  });

  test("collects garbage as often as it is told to, and tells what it freed", async () => {
    const made = await home();
    const { folder } = made;
    await mkdir(join(folder, "content/blobs/sha256"), { recursive: true });
    const left = join(folder, "content/blobs/sha256", "0".repeat(64));
    await writeFile(left, "nothing names this");
    await utimes(left, 0, 0);
    const ended = await serving(
      ["--dir", "content", "--gc-every", "50ms"],
      async () => {
        for (let attempt = 0; attempt < 500 && existsSync(left); attempt++) {
          await new Promise((done) => setTimeout(done, 20));
        }
      },
      made,
    );
    expect(ended).toMatchObject({ exitCode: 0 });
    expect(existsSync(left)).toBe(false);
    expect(ended.stderr).toContain("collected 1 blob, 18 B");
  });

  test("refuses what does not fit together, before it listens", async () => {
    const { box, folder } = await home();
    await writeFile(join(folder, "open"), "ann:x\n");
    await chmod(join(folder, "open"), 0o644);
    await writeFile(join(folder, "bad"), "ann\n", { mode: 0o600 });
    await writeFile(join(folder, "empty"), "\n", { mode: 0o600 });
    const refused: readonly (readonly [string[], string])[] = [
      [["--listen", "nowhere"], "not HOST:PORT"],
      [["--listen", "127.0.0.1:70000"], "not HOST:PORT"],
      [["--listen", "203.0.113.1:1"], "cannot listen"],
      [["--tls-cert", "open"], "--tls-key"],
      [["--tls-key", "open"], "--tls-cert"],
      [["--tls-cert", "none", "--tls-key", "none"], "cannot read"],
      [["--auth", "basic"], "needs --users"],
      [["--gc-every", "1h"], "needs --dir"],
      [["--dir", "x", "--gc-every", "often"], "not a duration"],
      [["--anonymous-pull"], "needs --users"],
      [["--users", "none"], "cannot read"],
      [["--users", "open"], "chmod 600"],
      [["--users", "bad"], "not NAME:PASSWORD"],
      [["--users", "empty"], "names no user"],
      [["--public-url", "images.example"], "--public-url"],
      [["--public-url", "ftp://images.example"], "is not https://HOST[:PORT]"],
      [["--public-url", "https://images.example/box"], "is not https://HOST[:PORT]"],
      [["--public-url", "https://ann@images.example"], "is not https://HOST[:PORT]"],
    ];
    for (const [argv, message] of refused) {
      const run = await box(["registry", "serve", ...argv]);
      expect(run).toMatchObject({ exitCode: 2, stdout: "" });
      expect(run.stderr).toContain(message);
    }
    const warned = await box(["registry", "serve", "--listen", "203.0.113.1:1"]);
    expect(warned.stderr).toContain("everybody who reaches it may write");
  });
});

describe("box registry gc", () => {
  test("frees what was deleted, once the registry is not served any more", async () => {
    const made = await home();
    const { box, image, folder } = made;
    const storage = await FolderRegistryStorage.open(join(folder, "content"), Date.now());
    const served = await serveRegistry({ storage });
    const { host, origin } = served;
    expect((await box(["pull", image])).exitCode).toBe(0);
    expect((await box(["push", image, `${host}/app:v1`])).exitCode).toBe(0);
    expect((await box(["push", image, `${host}/app:v2`])).exitCode).toBe(0);
    const gc = ["registry", "gc", "--dir", "content", "--grace", "0s"];
    const held = await box(gc);
    expect(held).toMatchObject({ exitCode: 4, stdout: "" });
    expect(held.stderr).toContain("IO_LOCK_HELD");
    for (const tag of ["v1", "v2"]) {
      await fetch(`${origin}/v2/app/manifests/${tag}`, { method: "DELETE" });
    }
    await served.close();
    const json = [...gc, "--format", "json"];
    const kept = gcOutput.parse(JSON.parse((await box(json)).stdout));
    expect(kept).toEqual({ dryRun: false, manifests: [], blobs: [], freedBytes: 0, damaged: [] });
    const dry = JSON.parse((await box([...json, "--untagged", "--dry-run"])).stdout);
    const run = JSON.parse((await box([...json, "--untagged"])).stdout);
    expect(gcOutput.parse(run)).toEqual(run);
    expect(dry).toEqual({ ...run, dryRun: true });
    expect(run.manifests).toMatchObject([{ repository: "app" }]);
    expect(run.blobs.length).toBeGreaterThan(2);
    expect(await readdir(join(folder, "content/blobs/sha256"))).toEqual([]);
  });

  test("shows what went, and what stays because a manifest rotted", async () => {
    const { box, image, folder } = await home();
    const storage = await FolderRegistryStorage.open(join(folder, "content"), Date.now());
    const served = await serveRegistry({ storage });
    await box(["pull", image]);
    await box(["push", image, `${served.host}/app:v1`]);
    await served.close();
    const blobs = join(folder, "content/blobs/sha256");
    const rest = join(blobs, "0".repeat(64));
    await writeFile(rest, "nothing names this");
    const gc = ["registry", "gc", "--dir", "content", "--grace", "0s"];
    const shown = await box(gc);
    expect(shown.stdout).toMatch(/removed +blob +18 B +sha256:0{64}\nfreed 18 B/);
    expect((await box(gc)).stdout.trim()).toBe("freed 0 B");
    const [manifest = ""] = await readdir(join(folder, "content/repositories/app/_manifests"));
    await writeFile(join(blobs, manifest.replace("sha256-", "")), "rotten");
    const damaged = await box(gc);
    expect(damaged.exitCode).toBe(0);
    expect(damaged.stderr).toContain("nothing is taken from app");
  });

  test.each([
    [[], "--dir: say which folder"],
    [["--dir", "none"], "not the folder of a registry"],
    [["--dir", ".", "--grace", "soon"], "not the folder of a registry"],
  ])("%j is refused, and makes nothing", async (argv, message) => {
    const { box, folder } = await home();
    const before = await readdir(folder);
    const run = await box(["registry", "gc", ...argv]);
    expect(run).toMatchObject({ exitCode: 2, stdout: "" });
    expect(run.stderr).toContain(message);
    expect(await readdir(folder)).toEqual(before);
  });
});

describe("the settings for registries", () => {
  test("take proxies from the environment, lower case first", () => {
    expect(proxyOptions({})).toBeUndefined();
    expect(proxyOptions({ NO_PROXY: "a" })).toBeUndefined();
    expect(proxyOptions({ HTTP_PROXY: "http://a", http_proxy: "http://b", no_proxy: "c" })).toEqual(
      {
        httpProxy: "http://b",
        noProxy: "c",
      },
    );
    expect(proxyOptions({ ALL_PROXY: "http://a", HTTPS_PROXY: "http://b" })).toEqual({
      httpProxy: "http://a",
      httpsProxy: "http://b",
    });
  });

  test("are looked for where users keep their configuration", () => {
    expect(registriesFile({ BOX_REGISTRIES: "/r" })).toBe("/r");
    expect(registriesFile({ XDG_CONFIG_HOME: "/c" })).toBe("/c/box/registries.json");
    expect(registriesFile({ HOME: "/h" })).toBe("/h/.config/box/registries.json");
  });
});
