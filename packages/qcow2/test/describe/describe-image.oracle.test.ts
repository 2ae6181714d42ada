import { join } from "node:path";
import { openFile } from "@box/io/node";
import { describeImage, toQemuInfo } from "@box/qcow2";
import { describe, expect, it } from "vitest";
import { imageMatrix } from "../support/image-matrix.ts";
import { hasQemuImg, qemuImg, temporaryFolder } from "../support/qemu.ts";

describe.skipIf(!hasQemuImg)("toQemuInfo of describeImage equals qemu-img info", () => {
  it.for(imageMatrix)("$name", async ({ make }) => {
    using folder = temporaryFolder();
    make(folder.path);
    await using source = await openFile(join(folder.path, "i.qcow2"));
    const description = await describeImage(source);
    const theirs = JSON.parse(
      qemuImg(folder.path, "info", "--output=json", "-f", "qcow2", "i.qcow2"),
    );
    const { "actual-size": actualSizeBytes } = theirs;
    expect(toQemuInfo(description, { filename: "i.qcow2", actualSizeBytes })).toEqual(theirs);
  });
});

it
  .skipIf(!hasQemuImg)
  .each(["tab\there", "\u001b[31mred", "family \u{1F468}\u200d\u{1F469}", "private \ue000"])(
  "shows the name %j as it is, in JSON that needs no replacement",
  async (name) => {
    using folder = temporaryFolder();
    const path = join(folder.path, "i.qcow2");
    qemuImg(folder.path, "create", "-q", "-f", "qcow2", path, "1M");
    qemuImg(folder.path, "snapshot", "-c", name, path);
    qemuImg(folder.path, "bitmap", "--add", path, name);
    qemuImg(folder.path, "rebase", "-u", "-F", "raw", "-b", name, path);
    await using source = await openFile(path);
    const theirs = JSON.parse(qemuImg(folder.path, "info", "--output=json", path));
    const ours = toQemuInfo(await describeImage(source), {
      filename: path,
      actualSizeBytes: theirs["actual-size"],
      fullBackingFilename: theirs["full-backing-filename"],
    });
    expect(ours).toEqual(theirs);
  },
);

it.skipIf(!hasQemuImg).each([
  ["aes-128", "cbc", "essiv", "encrypt.ivgen-hash-alg=sha256"],
  ["serpent-256", "xts", "plain64", "encrypt.hash-alg=sha512"],
])("describes LUKS with %s, %s and %s", async (cipher, mode, ivGenerator, more) => {
  using folder = temporaryFolder();
  const secret = ["--object", "secret,id=s,data=pass"];
  const options = `encrypt.format=luks,encrypt.key-secret=s,encrypt.iter-time=100,encrypt.cipher-alg=${cipher},encrypt.cipher-mode=${mode},encrypt.ivgen-alg=${ivGenerator},${more}`;
  qemuImg(folder.path, "create", "-q", "-f", "qcow2", ...secret, "-o", options, "i.qcow2", "1M");
  await using source = await openFile(join(folder.path, "i.qcow2"));
  const ours = toQemuInfo(await describeImage(source), { filename: "i.qcow2" });
  const theirs = JSON.parse(qemuImg(folder.path, "info", "--output=json", "i.qcow2"));
  expect(ours["format-specific"]).toEqual(theirs["format-specific"]);
});
