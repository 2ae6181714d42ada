import { createHash } from "node:crypto";
import { readdir, readFile } from "node:fs/promises";
import { join } from "node:path";
import { isBoxError } from "@box/errors";
import { ImageStore, type PullEvent } from "@box/oci-images";
import {
  type Credentials,
  copy,
  RegistryClient,
  type RegistryClientOptions,
  RemoteRepository,
} from "@box/oras";
import { type ServedRegistry, serveRegistry } from "@box/oras/registry-server";
import { drain, selfSigned } from "@box/test-support";
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { temporaryFolder } from "../temporary-folder.ts";
import { connectionRows } from "./connection-rows.ts";
import { contentRows } from "./content-rows.ts";
import { fakePacing } from "./fake-pacing.ts";
import { type FaultRow, requiredFaults } from "./fault-row.ts";
import { type FaultyRegistry, faultyRegistry } from "./faulty-registry.ts";
import { status } from "./injections.ts";
import { replyRows } from "./reply-rows.ts";
import {
  amd64,
  contentOf,
  index,
  layer,
  layers,
  manifest,
  pulled,
  sampleTarget,
  tars,
} from "./sample.ts";

const rows = [...connectionRows, ...replyRows, ...contentRows];
const password = "s3cret-of-ann";
const ann: Credentials = { type: "password", username: "ann", password };
const tls = selfSigned();

let upstream: ServedRegistry;
/** The registry's clock; it goes on with every token, so that no two are the same. */
let nowMs = Date.UTC(2026, 0, 1);
beforeAll(async () => {
  const auth = { scheme: "token", users: { ann: password } } as const;
  upstream = await serveRegistry({ auth, now: () => nowMs });
  await using client = new RegistryClient({ credentials: async () => ann });
  const repository = new RemoteRepository(client, upstream.host, "team/app");
  await copy(await sampleTarget(), "v1", repository);
});
afterAll(() => upstream.close());

/** What a row is played on. */
interface Stage {
  readonly row: FaultRow;
  readonly registry: FaultyRegistry;
  readonly pacing: ReturnType<typeof fakePacing>;
  readonly folder: string;
  readonly reference: string;
  /** Everything that the client told: events, and the failure with its causes. */
  readonly told: string[];
}

async function stageFor(row: FaultRow): Promise<Stage> {
  const pacing = fakePacing();
  const registry = await faultyRegistry({
    upstream: upstream.origin,
    layer: { digest: layer.digest, bytes: contentOf(layer) },
    soundDigests: [layers[0].digest],
    onToken: () => {
      nowMs += 1000;
    },
    faults: row.faults,
    pacing,
    elsewhere: row.elsewhere ?? status(404),
    ...(row.isSecure ? { tls } : {}),
  });
  const folder = join(await temporaryFolder(), "images");
  return { row, registry, pacing, folder, reference: `${registry.host}/team/app:v1`, told: [] };
}

function clientOptions(
  { row, registry, pacing }: Stage,
  isImpatient = false,
): RegistryClientOptions {
  const secure = { [registry.host]: { scheme: "https", ca: tls.cert } } as const;
  return {
    pacing,
    credentials: async () => ann,
    limits: { maxPages: 50 },
    ...(row.isSecure ? { hosts: secure } : {}),
    ...(isImpatient ? { idleTimeoutMs: 250, headersTimeoutMs: 250 } : {}),
  };
}

/** Pulls the image and reads its layers, or lists what the row asks for. */
async function play(stage: Stage): Promise<void> {
  const { row, registry, told } = stage;
  const options = clientOptions(stage, row.isImpatient);
  if (row.asks !== undefined) {
    await using client = new RegistryClient(options);
    const repository = new RemoteRepository(client, registry.host, "team/app");
    const items = row.asks === "tags" ? repository.tags() : repository.referrers(manifest);
    for await (const item of items) told.push(JSON.stringify(item));
    return;
  }
  const limits = { maxCandidates: 200 };
  const store = await ImageStore.open(stage.folder, { platform: amd64, registry: options, limits });
  const onEvent = (event: PullEvent) => told.push(JSON.stringify(event));
  const image = await store.pull(stage.reference, { onEvent });
  for (const one of image.layers) await drain(store.openLayer(one));
}

async function outcomeOf(stage: Stage): Promise<string> {
  try {
    await play(stage);
    return "heals";
  } catch (error) {
    if (!isBoxError(error)) throw error;
    stage.told.push(...wordsOf(error));
    return error.code;
  }
}

/** All that an error says, its causes too. */
function wordsOf(error: unknown): string[] {
  if (!(error instanceof Error)) return [String(error)];
  const details = isBoxError(error) ? [JSON.stringify(error.details), error.hint ?? ""] : [];
  return [error.message, ...details, ...(error.cause === undefined ? [] : wordsOf(error.cause))];
}

/** Every blob of a store is what its name says, and all that the image needs is there, byte for byte. */
async function expectWhole({ folder, reference }: Stage): Promise<void> {
  const store = await ImageStore.open(folder, { platform: amd64 });
  const image = await store.get(reference);
  expect([image.digest, image.root.digest]).toEqual([manifest.digest, index.digest]);
  for (const one of pulled) {
    const stored = await readFile(store.layout.blobPath(one.digest));
    expect(Buffer.compare(stored, contentOf(one)), one.mediaType).toBe(0);
  }
  for (const [number, one] of image.layers.entries()) {
    const tar = await drain(store.openLayer(one));
    expect(Buffer.compare(tar, tars[number] ?? new Uint8Array())).toBe(0);
  }
}

/** By other means than the store's own. */
async function expectNoWrongByte(folder: string): Promise<void> {
  const blobs = join(folder, "blobs", "sha256");
  for (const name of await readdir(blobs)) {
    const bytes = await readFile(join(blobs, name));
    expect(createHash("sha256").update(bytes).digest("hex")).toBe(name);
  }
}

function expectNoSecretElsewhere({ registry, told }: Stage): void {
  const basic = Buffer.from(`ann:${password}`).toString("base64");
  const secrets = [password, basic, ...registry.tokens];
  for (const { text } of registry.seenElsewhere) {
    for (const secret of secrets) expect(text).not.toContain(secret);
  }
  for (const text of told) {
    for (const secret of [...secrets, "signature=of-the-test"]) expect(text).not.toContain(secret);
  }
}

/** The time-outs of a client that reads from a registry that is well. */
async function pullAgain(stage: Stage): Promise<void> {
  stage.registry.heal();
  const registry = clientOptions(stage);
  const store = await ImageStore.open(stage.folder, { platform: amd64, registry });
  await store.pull(stage.reference, { policy: "always" });
}

describe.each([...requiredFaults])("%s:", (fault) => {
  test.each(rows.filter((row) => row.fault === fault))(
    "$title: $outcome",
    { timeout: 60_000 },
    async (row) => {
      const stage = await stageFor(row);
      expect(await outcomeOf(stage), stage.told.at(-1)).toBe(row.outcome);
      const { registry, pacing, folder } = stage;
      const counted = row.counted ?? row.faults[0]?.at;
      const tries = registry.seen.filter(({ place }) => place === counted);
      // On a busy machine an impatient client gives up healthy requests too, and they count.
      if (row.isImpatient) expect(tries.length).toBeLessThanOrEqual(row.tries ?? 6);
      else if (row.tries !== undefined) expect(tries).toHaveLength(row.tries);
      if (row.waitsMs !== undefined) expect(pacing.waitsMs).toEqual(row.waitsMs);
      expectNoSecretElsewhere(stage);
      if (row.asks !== undefined) return;
      await expectNoWrongByte(folder);
      if (row.outcome === "heals") return expectWhole(stage);
      if (row.outcome !== "OCI_DIFF_ID_MISMATCH") {
        expect(await (await ImageStore.open(folder)).list()).toEqual([]);
      }
      // Whatever a failure left behind is not in the way of a pull that goes well.
      await pullAgain(stage);
      await expectNoWrongByte(folder);
      await expectWhole(stage);
      expectNoSecretElsewhere(stage);
    },
  );
});

describe("the table of faults", () => {
  test("has rows for each fault that is required, and no other", () => {
    expect(new Set(rows.map(({ fault }) => fault))).toEqual(new Set(requiredFaults));
    const titles = rows.map(({ fault, title }) => `${fault}: ${title}`);
    expect(titles.filter((title, at) => titles.indexOf(title) !== at)).toEqual([]);
  });

  test("is played on a registry that gets secrets", async () => {
    const [row] = rows;
    if (row === undefined) throw new Error("the table is empty");
    const stage = await stageFor({ ...row, faults: [] });
    expect(await outcomeOf(stage)).toBe("heals");
    const text = stage.registry.seen.map((one) => one.text).join("\n");
    for (const secret of [password, ...stage.registry.tokens]) expect(text).toContain(secret);
    expect(stage.registry.tokens.length).toBeGreaterThan(0);
  });
});
