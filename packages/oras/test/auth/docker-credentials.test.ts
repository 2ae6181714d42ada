import { chmod, lstat, mkdir, readFile, stat, symlink, writeFile } from "node:fs/promises";
import { join } from "node:path";
import { type Credentials, dockerCredentials, eraseCredentials, storeCredentials } from "@box/oras";
import { describe, expect, test } from "vitest";
import { expectCode } from "../expect-code.ts";
import { temporaryFolder } from "../temporary-folder.ts";

const base64 = (text: string) => Buffer.from(text).toString("base64");
const ann: Credentials = { type: "password", username: "ann", password: "p:w" };
const auth = base64("ann:p:w");

async function configWith(value: unknown): Promise<string> {
  const path = join(await temporaryFolder(), "config.json");
  await writeFile(path, typeof value === "string" ? value : JSON.stringify(value));
  return path;
}

/** A helper that keeps one entry in a file beside it and writes down how it was called. */
async function helperFolder(script: string): Promise<{ folder: string; env: { PATH: string } }> {
  const folder = join(await temporaryFolder(), "bin");
  await mkdir(folder);
  const path = join(folder, "docker-credential-test");
  await writeFile(path, `#!/bin/sh\ncd '${folder}'\n${script}\n`);
  await chmod(path, 0o755);
  return { folder, env: { PATH: `${folder}:/usr/bin:/bin` } };
}

describe("credentials from files", () => {
  test.each([
    ["host.example", { "host.example": { auth } }],
    ["host.example", { "https://host.example/v1/": { auth } }],
    ["host.example", { "https://host.example": { auth } }],
    ["host.example:5000", { "host.example:5000": { auth } }],
    ["docker.io", { "https://index.docker.io/v1/": { auth } }],
    ["docker.io", { "docker.io": { auth } }],
    ["host.example", { "host.example": { username: "ann", password: "p:w" } }],
  ])("of %s are found in %j", async (host, auths) => {
    const path = await configWith({ auths });
    expect(await dockerCredentials([path])(host)).toEqual(ann);
  });

  test("of the longest prefix of the repository win", async () => {
    const entry = (name: string) => ({ auth: base64(`${name}:x`) });
    const path = await configWith({
      auths: { h: entry("host"), "h/team": entry("team"), "h/team/app": entry("app") },
    });
    const userOf = async (repository: string) => {
      const found = await dockerCredentials([path])("h", repository);
      return found?.type === "password" && found.username;
    };
    expect(await userOf("other")).toBe("host");
    expect(await userOf("team2")).toBe("host");
    expect(await userOf("team/x")).toBe("team");
    expect(await userOf("team/app")).toBe("app");
  });

  test("may be tokens", async () => {
    const path = await configWith({
      auths: { a: { identitytoken: "i" }, b: { registrytoken: "r" }, c: {} },
    });
    const find = dockerCredentials([path]);
    expect(await find("a")).toEqual({ type: "identity-token", token: "i" });
    expect(await find("b")).toEqual({ type: "registry-token", token: "r" });
    expect(await find("c")).toBeUndefined();
    expect(await find("d")).toBeUndefined();
  });

  test.each(["constructor", "toString", "hasOwnProperty"])(
    "of a host that is called %s are nothing that all objects have",
    async (host) => {
      const path = await configWith({ auths: { h: { auth } }, credHelpers: {} });
      expect(await dockerCredentials([path])(host)).toBeUndefined();
    },
  );

  test("may be null where programs in Go have nothing to write", async () => {
    const entry = { identitytoken: null, registrytoken: null, username: null, password: null };
    const nothing = { credsStore: null, credHelpers: null };
    const path = await configWith({ ...nothing, auths: { h: { auth, ...entry }, i: null } });
    expect(await dockerCredentials([path])("h")).toEqual(ann);
    expect(await dockerCredentials([path])("i")).toBeUndefined();
    const plain = { username: "ann", password: null, auth: null };
    const other = await configWith({ credHelpers: { h: null }, auths: { h: plain } });
    expect(await dockerCredentials([other])("h")).toBeUndefined();
    expect(await eraseCredentials(other, "h")).toBe(true);
  });

  test("are looked for in file after file; a missing file is skipped", async () => {
    const empty = await configWith({});
    const full = await configWith({ auths: { h: { auth } } });
    expect(await dockerCredentials(["/nonexistent", empty, full])("h")).toEqual(ann);
  });

  test.each(["{", "[]", { auths: { h: 1 } }, { auths: { h: { auth: base64("s3cret") } } }])(
    "that are malformed are refused without quoting them: %j",
    async (value) => {
      const path = await configWith(value);
      const error = await expectCode(dockerCredentials([path])("h"), "ORAS_INVALID_CREDENTIALS");
      expect(error.message).not.toContain("s3cret");
    },
  );

  test("that cannot be read are an I/O error", async () => {
    await expectCode(dockerCredentials([await temporaryFolder()])("h"), "IO_FAILED");
  });
});

describe("credential helpers", () => {
  test("are asked with the host on stdin, and no shell sees it", async () => {
    const { folder, env } = await helperFolder(
      'cat > asked; echo "$1" >> asked; echo \'{"Username":"ann","Secret":"p:w"}\'',
    );
    const path = await configWith({ credHelpers: { "h;touch x": "test" }, auths: {} });
    expect(await dockerCredentials([path], { env })("h;touch x")).toEqual(ann);
    expect(await readFile(join(folder, "asked"), "utf8")).toBe("h;touch xget\n");
  });

  test("get Docker Hub by its old name and may give an identity token", async () => {
    const { folder, env } = await helperFolder(
      'cat > asked; echo \'{"Username":"<token>","Secret":"t"}\'',
    );
    const path = await configWith({ credsStore: "test" });
    expect(await dockerCredentials([path], { env })("docker.io")).toEqual({
      type: "identity-token",
      token: "t",
    });
    expect(await readFile(join(folder, "asked"), "utf8")).toBe("https://index.docker.io/v1/");
  });

  test("without an entry leave the file's", async () => {
    for (const script of [
      "echo 'credentials not found in native keychain'; exit 1",
      'echo \'{"Username":"","Secret":""}\'',
    ]) {
      const { env } = await helperFolder(script);
      const path = await configWith({ credsStore: "test", auths: { h: { auth } } });
      expect(await dockerCredentials([path], { env })("h")).toEqual(ann);
    }
  });

  test.each([
    ["fails", "echo s3cret; exit 1"],
    ["says nonsense", "echo s3cret"],
    ["says something else", "echo '{\"Username\":1}'"],
    ["says too much", "cat /dev/zero"],
    ["takes too long", "exec sleep 60"],
  ])("that %s is an error without its words", async (_name, script) => {
    const { env } = await helperFolder(script);
    const path = await configWith({ credsStore: "test" });
    const find = dockerCredentials([path], { env, timeoutMs: 2000 });
    const error = await expectCode(find("h"), "ORAS_INVALID_CREDENTIALS");
    expect(JSON.stringify([error.message, error.details])).not.toContain("s3cret");
  });

  test.each(["../evil", "a b", "a;b", "", "x".repeat(101), "nonexistent-helper"])(
    "named %j do not run",
    async (helper) => {
      const path = await configWith({ credHelpers: { h: helper } });
      const find = dockerCredentials([path], { env: { PATH: "/nonexistent" } });
      if (helper === "") expect(await find("h")).toBeUndefined();
      else await expectCode(find("h"), "ORAS_INVALID_CREDENTIALS");
    },
  );
});

describe("logging in and out", () => {
  test("keeps credentials in a file of mode 0600 and leaves the rest of it", async () => {
    const path = await configWith({ auths: { other: { auth } }, HttpHeaders: { a: "b" } });
    await chmod(path, 0o644);
    await storeCredentials(path, "h", ann);
    expect((await stat(path)).mode & 0o777).toBe(0o600);
    expect((await stat(`${path}.lock`)).mode & 0o777).toBe(0o600);
    expect(JSON.parse(await readFile(path, "utf8"))).toEqual({
      auths: { other: { auth }, h: { auth } },
      HttpHeaders: { a: "b" },
    });
    expect(await dockerCredentials([path])("h")).toEqual(ann);
    expect(await eraseCredentials(path, "h")).toBe(true);
    expect(await eraseCredentials(path, "h")).toBe(false);
    expect(await dockerCredentials([path])("other")).toEqual(ann);
  });

  test.each([
    ["h", ["h", "https://h", "https://h/v1/", "http://h/v2/", "h/"]],
    ["docker.io", ["docker.io", "https://index.docker.io/v1/", "index.docker.io"]],
  ])("forgets %s whatever its entry is called: %j", async (host, keys) => {
    const others = { "h/team": { auth }, "other.h": { auth }, "h:5000": { auth } };
    for (const key of [...keys, undefined]) {
      const named = (key === undefined ? keys : [key]).map((one) => [one, { auth }]);
      const path = await configWith({ auths: { ...Object.fromEntries(named), ...others } });
      expect(await dockerCredentials([path])(host)).toEqual(ann);
      expect(await eraseCredentials(path, host)).toBe(true);
      expect(await dockerCredentials([path])(host)).toBeUndefined();
      expect(JSON.parse(await readFile(path, "utf8"))).toEqual({ auths: others });
      expect(await eraseCredentials(path, host)).toBe(false);
    }
  });

  test("finds what was kept last, not an older entry that is written otherwise", async () => {
    const old = { auth: base64("old:old") };
    const path = await configWith({ auths: { "http://h/v2/": old, "h/team": old, h: { auth } } });
    expect(await dockerCredentials([path])("h")).toEqual(ann);
    const bob: Credentials = { type: "password", username: "bob", password: "b" };
    await storeCredentials(path, "h", bob);
    expect(await dockerCredentials([path])("h")).toEqual(bob);
    const { auths } = JSON.parse(await readFile(path, "utf8"));
    expect(Object.keys(auths).sort()).toEqual(["h", "h/team"]);
  });

  test("writes the file that a symbolic link leads to, and takes null for nothing", async () => {
    const path = await configWith({ auths: null });
    const link = `${path}.link`;
    await symlink(path, link);
    expect(await dockerCredentials([link])("h")).toBeUndefined();
    expect(await eraseCredentials(link, "h")).toBe(false);
    await storeCredentials(link, "h", ann);
    expect((await lstat(link)).isSymbolicLink()).toBe(true);
    expect(JSON.parse(await readFile(path, "utf8"))).toEqual({ auths: { h: { auth } } });
  });

  test("makes the file when there is none, for every kind of credentials", async () => {
    const path = join(await temporaryFolder(), "new", "config.json");
    const kinds: readonly Credentials[] = [
      ann,
      { type: "identity-token", token: "i" },
      { type: "registry-token", token: "r" },
    ];
    for (const credentials of kinds) {
      await storeCredentials(path, "docker.io", credentials);
      expect(await dockerCredentials([path])("docker.io")).toEqual(credentials);
    }
  });

  test("uses the helper that the file names", async () => {
    const { folder, env } = await helperFolder(`
case "$1" in
  store) cat > kept;;
  erase) cat > erased; rm kept;;
  get) test -e kept && cat kept || { echo 'credentials not found in native keychain'; exit 1; };;
esac`);
    const path = await configWith({ credsStore: "test" });
    await storeCredentials(path, "h", ann, { env });
    expect(JSON.parse(await readFile(join(folder, "kept"), "utf8"))).toEqual({
      ServerURL: "h",
      Username: "ann",
      Secret: "p:w",
    });
    expect(await readFile(path, "utf8")).not.toContain("auths");
    expect(await eraseCredentials(path, "h", { env })).toBe(true);
    expect(await readFile(join(folder, "erased"), "utf8")).toBe("h");
    expect(await eraseCredentials(path, "h", { env })).toBe(false);
    await storeCredentials(path, "h", { type: "identity-token", token: "t" }, { env });
    expect(await dockerCredentials([path], { env })("h")).toMatchObject({ token: "t" });
    const broken = await helperFolder("cat > /dev/null; exit 3");
    await expectCode(
      storeCredentials(path, "h", ann, { env: broken.env }),
      "ORAS_INVALID_CREDENTIALS",
    );
  });
});
