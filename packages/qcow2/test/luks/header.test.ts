import { MemoryFile } from "@box/io";
import { openImage } from "@box/qcow2";
import { describe, expect, it } from "vitest";
import { luksImage } from "../../fixtures/luks.ts";
import { luksHeaderBytes, parseLuksHeader } from "../../src/luks/header.ts";
import { unlockLuks } from "../../src/luks/unlock.ts";

const slot = 208;

function headerWith(change: (view: DataView, at: number) => void): Uint8Array {
  let start = 0;
  const image = luksImage((view, at) => {
    start = at;
    change(view, at);
  });
  return image.subarray(start, start + luksHeaderBytes);
}

function putText(view: DataView, at: number, text: string): void {
  for (const [index, char] of [...text].entries()) view.setUint8(at + index, char.charCodeAt(0));
  view.setUint8(at + text.length, 0);
}

describe("a LUKS header", () => {
  it.each([
    ["a volume key of 15 bytes", 108, 15, 108],
    ["a volume key of 65 bytes", 108, 65, 108],
    ["no rounds for the digest", 164, 0, 164],
    ["no rounds for a slot", slot + 4, 0, slot + 4],
    ["a slot without stripes", slot + 44, 0, slot + 44],
    ["a slot of 4,001 stripes", slot + 44, 4001, slot + 44],
    ["a slot that is neither active nor inactive", slot, 1, slot],
    ["a cipher name with a control character", 8, 0x61017300, 8],
    ["a hash name that is not ASCII", 72, 0x6180_7300, 72],
  ])("with %s is refused at its place", (_, at, value, offset) => {
    const bytes = headerWith((view, base) => view.setUint32(base + at, value));
    expect(() => parseLuksHeader(bytes, 1000)).toThrow(
      expect.objectContaining({ code: "QCOW2_LUKS_INVALID", offset: 1000 + offset }),
    );
  });

  it.each([
    ["16 bytes and 64 bytes of key", 108, 16],
    ["4,000 stripes", slot + 44, 4000],
  ])("with %s is read", (_, at, value) => {
    const bytes = headerWith((view, base) => view.setUint32(base + at, value));
    expect(parseLuksHeader(bytes, 0).slots).toHaveLength(1);
  });

  it("may fill the whole field of a name", () => {
    const bytes = headerWith((view, base) => {
      for (let index = 0; index < 32; index++) view.setUint8(base + 40 + index, 0x78);
    });
    expect(parseLuksHeader(bytes, 0).cipherMode).toBe("x".repeat(32));
  });

  it("may not ask for more rounds with all its slots than anybody would wait for", () => {
    const withRounds = (rounds: number): Uint8Array =>
      headerWith((view, base) => {
        view.setUint32(base + 164, 1000);
        for (let index = 0; index < 8; index++) {
          view.setUint32(base + slot + index * 48, 0x00ac71f3);
          view.setUint32(base + slot + index * 48 + 4, rounds);
          view.setUint32(base + slot + index * 48 + 44, 4000);
        }
      });
    expect(parseLuksHeader(withRounds(24_999_000), 0).slots).toHaveLength(8);
    expect(() => parseLuksHeader(withRounds(24_999_001), 1000)).toThrow(
      expect.objectContaining({ code: "QCOW2_LUKS_LIMIT", offset: 1000 }),
    );
  });

  it("is not tried any further once the caller has given up", async () => {
    const header = parseLuksHeader(
      headerWith(() => {}),
      0,
    );
    const [first] = header.slots;
    if (first === undefined) throw new Error("it has a slot");
    let looks = 0;
    const unlocking = unlockLuks(
      { ...header, slots: [first, first, first] },
      new Uint8Array(8),
      async (_, length) => new Uint8Array(length),
      () => {
        if (++looks === 4) throw new Error("given up");
      },
    );
    await expect(unlocking).rejects.toThrow("given up");
    expect(looks).toBe(4);
  });

  it.each([
    ["hash", 72, "whirlpool", "the hash whirlpool"],
    ["hash that objects have", 72, "constructor", "the hash constructor"],
    ["hash that all objects have", 72, "__proto__", "the hash __proto__"],
    ["cipher", 8, "twofish", "the cipher twofish"],
    ["mode", 40, "ctr-plain64", "aes-ctr-plain64"],
    ["mode without a vector", 40, "xts", "aes-xts"],
    ["vector", 40, "xts-null", "aes-xts-null"],
    ["length of key", 40, "cbc-plain64", "with a key of 64 bytes"],
    ["length of key in XTS", 40, "xts-plain64", "with a key of 24 bytes"],
  ])("with an unsupported %s says so before a key is derived", async (what, at, text, message) => {
    const bytes = headerWith((view, base) => {
      putText(view, base + at, text);
      if (what.endsWith("XTS")) view.setUint32(base + 108, 24);
    });
    const read = async () => expect.fail("no key material is needed");
    const unlocking = unlockLuks(parseLuksHeader(bytes, 0), new Uint8Array(1), read);
    await expect(unlocking).rejects.toMatchObject({
      code: "QCOW2_UNSUPPORTED_ENCRYPTION",
      message: expect.stringContaining(message),
    });
  });

  it("is refused when the image has none, or one that is too short", async () => {
    const missing = luksImage();
    // The type of the extension that points to it, so that it is one that nobody knows.
    const at = Buffer.from(missing).indexOf(Buffer.from("0537be77", "hex"));
    new DataView(missing.buffer).setUint32(at, 0x12345678);
    const short = luksImage();
    new DataView(short.buffer).setBigUint64(at + 16, 591n);
    for (const bytes of [missing, short]) {
      const opening = openImage(new MemoryFile(bytes), { passphrase: "x" });
      await expect(opening).rejects.toMatchObject({ kind: "corrupt" });
    }
  });
});
