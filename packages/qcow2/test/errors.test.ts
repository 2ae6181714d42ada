import { MemoryFile } from "@box/io";
import {
  denyAll,
  inspectImage,
  openImage,
  Qcow2Error,
  qcow2ErrorHints,
  qcow2ErrorKinds,
} from "@box/qcow2";
import { fixtures } from "@box/qcow2/fixtures";
import { describe, expect, it } from "vitest";

describe("the hints of errors", () => {
  it("say what to do next about every code that a person can do something about", () => {
    const without = Object.keys(qcow2ErrorKinds).filter((code) => !(code in qcow2ErrorHints));
    expect(without).toEqual(["QCOW2_INVALID_ARGUMENT", "QCOW2_ABORTED"]);
  });

  it("are one line without a full stop, and name no function and no option", () => {
    for (const hint of Object.values(qcow2ErrorHints)) {
      expect(hint).toMatch(/^[a-z][^\n()]{10,110}[^.]$/);
      expect(hint).not.toMatch(/[a-z][A-Z]|\boption\b/);
    }
  });

  it("come with errors that have none of their own, and give way to those that have", async () => {
    const refused = inspectImage(new MemoryFile(new Uint8Array(512)));
    await expect(refused).rejects.toMatchObject({
      code: "QCOW2_BAD_MAGIC",
      hint: qcow2ErrorHints.QCOW2_BAD_MAGIC,
    });
    const build = fixtures.find(({ name }) => name === "valid/backing-shorter")?.build;
    const image = new MemoryFile((await build?.()) as Uint8Array);
    await expect(openImage(image, { backing: denyAll })).rejects.toMatchObject({
      code: "QCOW2_BACKING_DENIED",
      hint: "pass a resolver that allows it as the option backing",
    });
    const error = new Qcow2Error({ code: "QCOW2_ABORTED", message: "stopped" });
    expect(error.hint).toBeUndefined();
  });
});
