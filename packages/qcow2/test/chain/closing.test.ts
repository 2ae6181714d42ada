import { MemoryFile, type RandomAccess } from "@box/io";
import { commitImage, createImage, openImage, rebaseImage } from "@box/qcow2";
import { describe, expect, it } from "vitest";
import { systemError } from "../../fixtures/faults.ts";

const virtualSizeBytes = 2 ** 20;

async function imageOn(...names: readonly string[]): Promise<MemoryFile> {
  const file = new MemoryFile();
  const [name] = names;
  const backing = name === undefined ? {} : { backing: { name, format: "qcow2" } };
  await createImage(file, { virtualSizeBytes, ...backing });
  return file;
}

/** A file whose `close` fails, and notes that it was called. */
function unclosable(file: RandomAccess, name: string, closed: string[]) {
  return {
    ...readable(file),
    close: async () => {
      closed.push(name);
      throw systemError("EIO");
    },
  };
}

function readable(file: RandomAccess): RandomAccess {
  const { write, truncate } = file;
  return {
    size: () => file.size(),
    read: (offset, length) => file.read(offset, length),
    ...(write && { write: write.bind(file) }),
    ...(truncate && { truncate: truncate.bind(file) }),
  };
}

const closeFailed = { name: "Qcow2Error", code: "QCOW2_IO", kind: "io" };

describe("a file that fails to close", () => {
  it("does not hide why the image could not be opened", async () => {
    const closed: string[] = [];
    const broken = new MemoryFile(new Uint8Array(4096));
    const backing = async () => ({ source: unclosable(broken, "base", closed) });
    await expect(openImage(await imageOn("base"), { backing })).rejects.toMatchObject({
      code: "QCOW2_BAD_MAGIC",
      kind: "corrupt",
    });
    expect(closed).toEqual(["base"]);
  });

  it("is a typed error of closing, after all others were closed", async () => {
    const closed: string[] = [];
    const files = new Map([
      ["middle", await imageOn("base")],
      ["base", await imageOn()],
    ]);
    const image = await openImage(await imageOn("middle"), {
      backing: async ({ name = "" }) => ({
        source: unclosable(files.get(name) ?? new MemoryFile(), name, closed),
      }),
    });
    await expect(image.close()).rejects.toMatchObject(closeFailed);
    expect(closed).toEqual(["middle", "base"]);
    await expect(image.close()).rejects.toMatchObject(closeFailed);
    expect(closed).toEqual(["middle", "base"]);
    await image[Symbol.asyncDispose]();
  });

  it("fails a commit and a rebase that have done their work", async () => {
    const closed: string[] = [];
    const base = await imageOn();
    const top = await imageOn("base");
    const resolver = async () => ({ source: unclosable(base, "base", closed) });
    await expect(commitImage(top, { target: resolver })).rejects.toMatchObject(closeFailed);
    const rebase = rebaseImage(top, { newBacking: null, backing: resolver });
    await expect(rebase).rejects.toMatchObject(closeFailed);
    expect(closed).toEqual(["base", "base"]);
  });

  it("does not hide why a commit failed", async () => {
    const top = await imageOn("base");
    const image = await openImage(top, {
      mode: "rw",
      backing: async () => ({ source: await imageOn() }),
    });
    await image.write(0, new Uint8Array(512).fill(1));
    await image.close();
    // The data that was written last is lost.
    await top.truncate((await top.size()) - 65536);
    const target = async () => ({ source: unclosable(await imageOn(), "base", []) });
    await expect(commitImage(top, { target })).rejects.toMatchObject({ kind: "corrupt" });
  });
});

describe("methods of a source that throw instead of rejecting", () => {
  const fail = (): never => {
    throw systemError("EIO");
  };

  it("identity: an I/O error", async () => {
    const source = { ...readable(await imageOn()), identity: fail };
    await expect(openImage(source)).rejects.toMatchObject(closeFailed);
  });

  it("punchHole: the space stays taken", async () => {
    const file = await imageOn();
    const image = await openImage({ ...readable(file), punchHole: fail }, { mode: "rw" });
    await image.write(0, new Uint8Array(virtualSizeBytes).fill(1));
    await image.flush();
    await image.discard(0, virtualSizeBytes);
    await image.flush();
    expect(await image.read(0, 1)).toEqual(new Uint8Array(1));
    await image.close();
  });

  it("close: a typed error", async () => {
    const source = { ...readable(await imageOn()), close: fail };
    const image = await openImage(await imageOn("base"), { backing: async () => ({ source }) });
    await expect(image.close()).rejects.toMatchObject(closeFailed);
  });
});
