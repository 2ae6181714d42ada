import { mkdtemp, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { expect, onTestFinished, test } from "vitest";
import { credentialFiles, userCredentials } from "../../src/boxes/credentials.ts";

test("credentials are looked for where Docker and Podman keep them, files that are named first", () => {
  expect(credentialFiles({ HOME: "/u" })).toEqual([
    "/u/.docker/config.json",
    "/u/.config/containers/auth.json",
  ]);
  const env = {
    HOME: "/u",
    REGISTRY_AUTH_FILE: "/a.json",
    DOCKER_CONFIG: "/d",
    XDG_RUNTIME_DIR: "/r",
    XDG_CONFIG_HOME: "/c",
  };
  expect(credentialFiles(env)).toEqual([
    "/a.json",
    "/d/config.json",
    "/r/containers/auth.json",
    "/c/containers/auth.json",
  ]);
});

test("a registry gets the credentials of its own entry, another one none", async () => {
  const folder = await mkdtemp(join(tmpdir(), "box-auth-"));
  onTestFinished(() => rm(folder, { recursive: true, force: true }));
  const auth = Buffer.from("name:secret").toString("base64");
  await writeFile(
    join(folder, "config.json"),
    JSON.stringify({ auths: { "r.example": { auth } } }),
  );
  const find = userCredentials({ DOCKER_CONFIG: folder, HOME: folder });
  expect(await find("r.example", "a/b")).toMatchObject({ username: "name", password: "secret" });
  expect(await find("other.example", "a/b")).toBeUndefined();
});
