import { join } from "node:path";
import {
  attach,
  bytesSource,
  type Credentials,
  copy,
  describe as describeContent,
  MemoryTarget,
  type RegistryClientOptions,
  RemoteRepository,
} from "@box/oras";
import {
  annOnly,
  certificateFolder,
  dockerRegistry,
  dockerRegistryProgram,
  drain,
  hasTool,
  run,
  selfSigned,
  tokenServer,
} from "@box/test-support";
import { describe, expect, test } from "vitest";
import { collect } from "../collect.ts";
import { expectCode } from "../expect-code.ts";
import { noise, sampleImage } from "../sample-image.ts";
import { testClient } from "../test-client.ts";

const hasRegistry = hasTool(dockerRegistryProgram);
const hasSkopeo = hasTool("skopeo");
const ann: Credentials = { type: "password", username: "ann", password: "s3cret" };

/** Pushes the sample, pulls it back, and lets skopeo look at it. */
async function exchangeImage(
  host: string,
  options: RegistryClientOptions,
  skopeoOptions: readonly string[],
): Promise<void> {
  const image = await sampleImage([10_240, 500_000]);
  const repository = new RemoteRepository(testClient(options), host, "team/app");
  await copy(image.target, "v1", repository);
  // Another client, which knows nothing yet.
  const reader = new RemoteRepository(testClient(options), host, "team/app");
  expect(await copy(reader, "v1", new MemoryTarget())).toEqual(image.root);
  expect(await collect(reader.tags())).toEqual(["v1"]);
  if (!hasSkopeo) return;
  const raw = await run("skopeo", [
    "inspect",
    "--raw",
    ...skopeoOptions,
    `docker://${host}/team/app:v1`,
  ]);
  expect(raw).toBe(new TextDecoder().decode(image.manifestBytes));
}

describe.skipIf(!hasRegistry)("Debian's docker-registry", () => {
  test("takes and gives images, chunks, mounts, tags and fallback lists", async () => {
    const host = await dockerRegistry();
    const client = testClient();
    const repository = new RemoteRepository(client, host, "team/app");
    const image = await sampleImage([10_240, 500_000]);
    await copy(image.target, "v1", repository);
    const back = new MemoryTarget();
    expect(await copy(repository, "v1", back)).toEqual(image.root);
    const content = noise(1_000_000);
    const blob = describeContent("application/octet-stream", content);
    await repository.push(blob, bytesSource(content), { chunkBytes: 300_000 });
    expect(Buffer.compare(await drain(repository.fetch(blob)), content)).toBe(0);
    expect(await drain(repository.fetch(blob, { offset: 999_990 }))).toEqual(
      content.slice(999_990),
    );
    const other = new RemoteRepository(client, host, "team/other");
    await other.push(blob, bytesSource(content), { mountFrom: "team/app" });
    expect(await other.exists(blob)).toBe(true);
    const sbom = await attach(repository, image.root, { artifactType: "application/x" });
    expect(await collect(repository.referrers(image.root))).toEqual([sbom]);
    await repository.delete(sbom);
    expect(await collect(repository.referrers(image.root))).toEqual([]);
    expect(await collect(repository.tags())).toContain("v1");
  });

  test("in the clear has what skopeo sees", async () => {
    const host = await dockerRegistry();
    await exchangeImage(host, {}, ["--tls-verify=false"]);
  });

  test("with htpasswd lets in who knows the password", async () => {
    const host = await dockerRegistry({ auth: await annOnly() });
    await expectOnlyAnn(host, {}, "ORAS_AUTH_REQUIRED");
    const known = { credentials: async () => ann };
    await exchangeImage(host, known, ["--tls-verify=false", "--creds=ann:s3cret"]);
  });

  test("over TLS is trusted by its own authority only", async () => {
    const tls = selfSigned();
    const host = await dockerRegistry({ tls, auth: await annOnly() });
    const trusting = (ca?: string) => ({
      hosts: { [host]: { scheme: "https" as const, ...(ca === undefined ? {} : { ca }) } },
      credentials: async () => ann,
    });
    for (const ca of [undefined, selfSigned().cert]) {
      const stranger = new RemoteRepository(testClient(trusting(ca)), host, "team/app");
      await expectCode(stranger.resolve("v1"), "ORAS_TLS");
    }
    const certificates = await certificateFolder(tls);
    await exchangeImage(host, trusting(tls.cert), [
      `--cert-dir=${certificates}`,
      "--creds=ann:s3cret",
    ]);
  });

  test.each([
    ["by the OAuth2 form", true],
    ["by GET", false],
  ])("takes tokens that a token server gives %s", async (_name, knowsForm) => {
    const signer = selfSigned();
    const issuer = "the token server of the tests";
    const tokens = await tokenServer({
      signer,
      issuer,
      knowsForm,
      user: "ann",
      password: "s3cret",
    });
    const bundle = join(await certificateFolder(signer), "ca.crt");
    const token = { realm: `${tokens.origin}/token`, service: "registry.test", issuer };
    const host = await dockerRegistry({ auth: { token: { ...token, rootcertbundle: bundle } } });
    await exchangeImage(host, { credentials: async () => ann }, [
      "--tls-verify=false",
      "--creds=ann:s3cret",
    ]);
    await expectOnlyAnn(host, {}, "OCI_NOT_FOUND");
    const nobody = new RemoteRepository(testClient(), host, "team/app");
    expect(await copy(nobody, "v1", new MemoryTarget())).toMatchObject({
      size: expect.any(Number),
    });
    const { target } = await sampleImage();
    await expectCode(copy(target, "v1", nobody, "v2"), "ORAS_AUTH_REQUIRED");
    // A blob of another repository needs a token for both.
    const client = testClient({ credentials: async () => ann });
    const blob = describeContent("application/octet-stream", noise(1000));
    await new RemoteRepository(client, host, "one").push(blob, bytesSource(noise(1000)));
    const two = new RemoteRepository(client, host, "two");
    const unread = { open: () => Promise.reject(new Error("nothing is sent")) };
    await two.push(blob, unread, { mountFrom: "one" });
    expect(await two.exists(blob)).toBe(true);
    for (const { path } of tokens.seen) expect(path).not.toContain("s3cret");
  });

  test("refuses tokens of a server that it does not trust", async () => {
    const issuer = "the token server of the tests";
    const signer = selfSigned();
    const tokens = await tokenServer({
      signer,
      issuer,
      knowsForm: true,
      user: "ann",
      password: "s3cret",
    });
    const bundle = join(await certificateFolder(selfSigned()), "ca.crt");
    const token = { realm: `${tokens.origin}/token`, service: "registry.test", issuer };
    const host = await dockerRegistry({ auth: { token: { ...token, rootcertbundle: bundle } } });
    const client = testClient({ credentials: async () => ann });
    await expectCode(new RemoteRepository(client, host, "app").resolve("v1"), "ORAS_AUTH_DENIED");
    expect(tokens.seen).toHaveLength(1);
  });
});

/** What strangers get: nobody, and one with a wrong password. */
async function expectOnlyAnn(
  host: string,
  options: RegistryClientOptions,
  forNobody: "ORAS_AUTH_REQUIRED" | "OCI_NOT_FOUND",
): Promise<void> {
  const nobody = new RemoteRepository(testClient(options), host, "nothing");
  await expectCode(nobody.resolve("v1"), forNobody);
  const wrong = async (): Promise<Credentials> => ({ ...ann, password: "wrong" }) as Credentials;
  const stranger = new RemoteRepository(
    testClient({ ...options, credentials: wrong }),
    host,
    "nothing",
  );
  await expectCode(stranger.resolve("v1"), "ORAS_AUTH_DENIED");
}
