import { join } from "node:path";
import { attach, copy, OciLayout } from "@box/oras";
import { drain, hasTool, run } from "@box/test-support";
import { expect, test } from "vitest";
import { sampleImage } from "../sample-image.ts";
import { temporaryFolder } from "../temporary-folder.ts";

test.skipIf(!hasTool("skopeo"))(
  "skopeo reads an image by its name with something attached, and that by its own",
  async () => {
    const layout = await OciLayout.ensure(join(await temporaryFolder(), "layout"));
    const { target } = await sampleImage();
    const root = await copy(target, "v1", layout);
    const report = await attach(layout, root, { artifactType: "application/x.report" });
    const inspect = (name: string): Promise<string> =>
      run("skopeo", ["inspect", "--raw", `oci:${layout.directory}:${name}`]);
    const textOf = async (descriptor: typeof root): Promise<string> =>
      new TextDecoder().decode(await drain(layout.fetch(descriptor)));
    expect((await inspect("v1")).trim()).toBe(await textOf(root));
    await layout.tag(report, "report");
    expect((await inspect("report")).trim()).toBe(await textOf(report));
    expect((await inspect("v1")).trim()).toBe(await textOf(root));
  },
);
