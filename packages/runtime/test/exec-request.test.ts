import { expect, test } from "vitest";
import type { ImageConfig } from "../src/boxes/box.ts";
import { completeRequest } from "../src/machines/exec-request.ts";

/** The environment that a command has in a box of an image with one of its own. */
function environmentIn(
  environment: ImageConfig["environment"],
  request: Parameters<typeof completeRequest>[1],
) {
  const imageConfig = { environment } as ImageConfig;
  const box = { imageConfig, guestRootfs: { type: "initramfs" } } as unknown as Parameters<
    typeof completeRequest
  >[0];
  return completeRequest(box, request).environment;
}

const path = ["PATH", "/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin"];
const terminal = { rows: 24, columns: 80 };

test("a command has a path, and at a terminal the name of one, unless the image or who asks says otherwise", () => {
  expect(environmentIn([], { command: ["env"] })).toEqual([path]);
  expect(environmentIn([], { command: ["env"], terminal })).toEqual([path, ["TERM", "xterm"]]);
  const own = [["PATH", "/bin"]] as const;
  expect(environmentIn(own, { command: ["env"] })).toEqual(own);
  const asked = [["TERM", "dumb"]] as const;
  expect(environmentIn(own, { command: ["env"], terminal, environment: asked })).toEqual([
    ...own,
    ...asked,
  ]);
});
