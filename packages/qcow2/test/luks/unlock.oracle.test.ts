import { execFileSync } from "node:child_process";
import { mkdtempSync, readFileSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterAll, describe, expect, test } from "vitest";
import { luksHeaderBytes, parseLuksHeader } from "../../src/luks/header.ts";
import type { SectorCipher } from "../../src/luks/sector-cipher.ts";
import { unlockLuks } from "../../src/luks/unlock.ts";

const hasQemu = spawnable("qemu-img") && spawnable("qemu-io");

const folder = mkdtempSync(join(tmpdir(), "box-luks-"));
afterAll(() => rmSync(folder, { recursive: true, force: true }));

const secret = ["--object", "secret,id=s,data=hunter2"];

describe.skipIf(!hasQemu)("unlockLuks, on images made by qemu-img", { timeout: 120_000 }, () => {
  test.each([
    ["aes-256", "xts", "plain64", "sha256", "sha256"],
    ["aes-128", "xts", "plain", "sha256", "sha1"],
    ["aes-192", "xts", "plain64", "sha256", "sha256"],
    ["aes-256", "cbc", "essiv:sha256", "sha256", "sha512"],
    ["aes-128", "cbc", "plain64", "sha256", "sha256"],
  ])("decrypts %s-%s-%s with hash %s/%s", async (cipher, mode, vector, ivHash, hash) => {
    const path = join(folder, `${cipher}-${mode}-${hash}.qcow2`);
    create(path, {
      "cipher-alg": cipher,
      "cipher-mode": mode,
      "ivgen-alg": vector.split(":")[0] ?? "",
      "hash-alg": hash,
      ...(vector.startsWith("essiv") ? { "ivgen-hash-alg": ivHash } : {}),
    });
    qemuIo(path, "write -P 0xa5 0 64k");
    const { image, cipher: sectors } = await unlock(path, "hunter2");
    const cluster = firstDataCluster(image);
    const bytes = image.subarray(cluster, cluster + 65536).slice();
    sectors.decryptSectors(bytes, cluster / 512);
    expect(bytes.every((byte) => byte === 0xa5)).toBe(true);
  });

  test("refuses a wrong passphrase as auth, and a cipher that it does not have by name", async () => {
    const path = join(folder, "wrong.qcow2");
    create(path, {});
    await expect(unlock(path, "hunter3")).rejects.toMatchObject({
      code: "QCOW2_PASSPHRASE_WRONG",
      kind: "auth",
    });
    const other = join(folder, "serpent.qcow2");
    create(other, { "cipher-alg": "serpent-256" });
    await expect(unlock(other, "hunter2")).rejects.toMatchObject({
      code: "QCOW2_UNSUPPORTED_ENCRYPTION",
      message: expect.stringContaining("serpent"),
    });
  });
});

function create(path: string, options: Readonly<Record<string, string>>): void {
  const all = { format: "luks", "key-secret": "s", "iter-time": "10", ...options };
  const text = Object.entries(all)
    .map(([name, value]) => `encrypt.${name}=${value}`)
    .join(",");
  const args = ["create", "-q", "-f", "qcow2", ...secret, "-o", text, path, "1M"];
  // qemu-img times its key derivation and gives up when the clock is too coarse for a short run.
  for (let attempt = 1; ; attempt++) {
    try {
      execFileSync("qemu-img", args, { stdio: "pipe" });
      return;
    } catch (error) {
      if (attempt === 10) throw error;
    }
  }
}

function qemuIo(path: string, command: string): void {
  const opts = `driver=qcow2,file.filename=${path},encrypt.key-secret=s`;
  execFileSync("qemu-io", [...secret, "--image-opts", opts, "-c", command]);
}

async function unlock(
  path: string,
  passphrase: string,
): Promise<{ image: Uint8Array; cipher: SectorCipher }> {
  const image = Uint8Array.from(readFileSync(path));
  const base = cryptoHeaderOffset(image);
  const header = parseLuksHeader(image.subarray(base, base + luksHeaderBytes), base);
  const cipher = await unlockLuks(
    header,
    new TextEncoder().encode(passphrase),
    async (offset, length) => image.slice(base + offset, base + offset + length),
  );
  return { image, cipher };
}

/** From the header extension 0x0537be77, qcow2 specification, "Full disk encryption header pointer". */
function cryptoHeaderOffset(image: Uint8Array): number {
  const view = new DataView(image.buffer);
  for (let at = view.getUint32(100); ; ) {
    const type = view.getUint32(at);
    if (type === 0x0537be77) return Number(view.getBigUint64(at + 8));
    if (type === 0) throw new Error("no encryption header pointer");
    at += 8 + Math.ceil(view.getUint32(at + 4) / 8) * 8;
  }
}

function firstDataCluster(image: Uint8Array): number {
  const view = new DataView(image.buffer);
  const mask = 0x00fffffffffffe00n;
  const l2 = Number(view.getBigUint64(Number(view.getBigUint64(40))) & mask);
  return Number(view.getBigUint64(l2) & mask);
}

function spawnable(command: string): boolean {
  try {
    execFileSync(command, ["--version"]);
    return true;
  } catch {
    return false;
  }
}
