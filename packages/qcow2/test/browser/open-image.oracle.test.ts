import { readFileSync, truncateSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { openFile } from "@box/io/node";
import type { OpenImageOptions } from "@box/qcow2";
import { nodeCodec } from "@box/qcow2/node";
import type { Browser, Page } from "playwright-core";
import { build } from "tsup";
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { hasChromium, startChromium } from "../support/chromium.ts";
import { imageMatrix } from "../support/image-matrix.ts";
import { hasQemuImg, qemuImg, qemuIo, temporaryFolder } from "../support/qemu.ts";
import { reportOnImage } from "./image-report.ts";
import type { PageFunctions } from "./page.ts";

const minute = 60_000;
const brokenFile = "a file that ends inside its tables";

const images: Readonly<Record<string, (folder: string) => void>> = {
  ...fromMatrix("compat=0.10"),
  ...fromMatrix("compat=1.1"),
  ...fromMatrix("compression_type=zstd"),
  ...fromMatrix("extended_l2=on,cluster_size=16k"),
  ...fromMatrix("refcount_bits=64,cluster_size=1k"),
  ...fromMatrix("an odd size"),
  ...fromMatrix("snapshots"),
  ...fromMatrix("bitmaps"),
  ...fromMatrix("LUKS"),
  "a sparse file of 1 TiB": makeHuge,
  [brokenFile]: makeCut,
};

describe.skipIf(!hasChromium || !hasQemuImg)("in Chromium, a file that was chosen", () => {
  const folder = temporaryFolder();
  let browser: Browser | undefined;
  let page: Page | undefined;

  beforeAll(async () => {
    const script = await bundle(folder.path);
    browser = await startChromium();
    page = await browser.newPage();
    page.setDefaultTimeout(4 * minute);
    // A page of this origin may derive keys; nothing is asked of a network.
    await page.route("**/*", (route) =>
      route.fulfill({ contentType: "text/html", body: "<!doctype html><input type=file>" }),
    );
    await page.goto("http://localhost/");
    await page.addScriptTag({ content: script });
  }, 6 * minute);

  afterAll(async () => {
    await browser?.close();
    folder[Symbol.dispose]();
  }, 2 * minute);

  it.each(Object.keys(images))(
    "reads as in Node: %s",
    async (name) => {
      using images = temporaryFolder();
      makers(name)(images.path);
      const path = join(images.path, "i.qcow2");
      const options = { passphrase: "pass" };
      await using file = await openFile(path);
      const expected = await reportOnImage(file, { ...options, codec: nodeCodec });
      const found = JSON.parse(await inPage(path, "reportOnFile", options));
      expect(found).toEqual(JSON.parse(expected));
      expect(found).toHaveProperty(name === brokenFile ? "code" : "info");
    },
    5 * minute,
  );

  it(
    "reads as in Node from a Blob in memory",
    async () => {
      using images = temporaryFolder();
      makers("compression_type=zstd")(images.path);
      const path = join(images.path, "i.qcow2");
      await using file = await openFile(path);
      const found = JSON.parse(await inPage(path, "reportOnCopy"));
      expect(found).toEqual(JSON.parse(await reportOnImage(file, { codec: nodeCodec })));
      expect(found.reads.length).toBeGreaterThan(2);
    },
    5 * minute,
  );

  it(
    "is an I/O error once it has changed, and not corrupt",
    async () => {
      using images = temporaryFolder();
      const path = join(images.path, "i.qcow2");
      qemuImg(images.path, "create", "-q", "-f", "qcow2", path, "8M");
      await choose(path);
      // The browser notes the state of a file some time after it was chosen, and by the first read at the latest.
      expect(JSON.parse(await call("reportOnFile", {}))).toHaveProperty("info");
      writeFileSync(path, readFileSync(path).subarray(0, 70_000));
      expect(JSON.parse(await call("reportOnFile", {}))).toMatchObject({
        code: "QCOW2_IO",
        kind: "io",
      });
    },
    5 * minute,
  );

  async function inPage(
    path: string,
    report: keyof PageFunctions,
    options: OpenImageOptions = {},
  ): Promise<string> {
    await choose(path);
    return call(report, options);
  }

  async function choose(path: string): Promise<void> {
    await page?.locator("input").setInputFiles(path);
  }

  async function call(report: keyof PageFunctions, options: OpenImageOptions): Promise<string> {
    if (page === undefined) throw new Error("there is no page");
    return page.locator("input").evaluate(
      (input, [name, given]) => {
        const [chosen] = (input as unknown as { files: Blob[] }).files;
        if (chosen === undefined) throw new Error("no file was chosen");
        return (globalThis as unknown as PageFunctions)[name](chosen, given);
      },
      [report, options] as const,
    );
  }
});

describe("the bundle for browsers", () => {
  it("holds nothing of Node", async () => {
    using folder = temporaryFolder();
    const script = await bundle(folder.path);
    expect(script).toContain("QCOW2_BAD_MAGIC");
    expect(script).not.toMatch(/node:|require\(|\bprocess\.|\bBuffer\b/);
  });
});

function fromMatrix(name: string): Record<string, (folder: string) => void> {
  const image = imageMatrix.find((candidate) => candidate.name === name);
  if (image === undefined) throw new Error(`no image ${name} in the matrix`);
  return { [name]: (folder) => image.make(folder) };
}

function makers(name: string): (folder: string) => void {
  const make = images[name];
  if (make === undefined) throw new Error(`no image ${name}`);
  return make;
}

/** A disk of 1 TiB whose clusters are all there, nearly all of them holes: its offsets need more than 32 bits. */
function makeHuge(folder: string): void {
  const options = ["-o", "cluster_size=2M,preallocation=metadata"];
  qemuImg(folder, "create", "-q", "-f", "qcow2", ...options, "i.qcow2", "1T");
  qemuIo(
    folder,
    "i.qcow2",
    "write -q -P 5 0 64k",
    "write -q -P 6 700G 1M",
    "write -q -P 7 1023G 64k",
  );
}

function makeCut(folder: string): void {
  qemuImg(folder, "create", "-q", "-f", "qcow2", "i.qcow2", "8M");
  qemuIo(folder, "i.qcow2", "write -q -P 5 0 64k");
  truncateSync(join(folder, "i.qcow2"), 300_000);
}

/** The script of the page as one text. */
async function bundle(folder: string): Promise<string> {
  await build({
    entry: { page: join(import.meta.dirname, "page.ts") },
    format: ["iife"],
    platform: "browser",
    target: "es2022",
    config: false,
    silent: true,
    noExternal: [/.*/],
    outDir: folder,
    outExtension: () => ({ js: ".js" }),
    esbuildOptions: (options) => {
      options.conditions = ["@box/source"];
    },
  });
  return readFileSync(join(folder, "page.js"), "utf8");
}
