import { join } from "node:path";
import { type ProgramSettings, program, script } from "@box/tsup-config/program";

const box: ProgramSettings = program({
  main: { box: "src/host/main.ts" },
  // The agent of virtual machines, which is no JavaScript.
  afterwards: [
    "--conditions=@box/source",
    join(import.meta.dirname, "../../packages/guest/agent/build.ts"),
  ],
  together: {
    start: ["/cli/src/host/start.ts", "/helpers/esm/usingCtx.js"],
    parse: ["/cli/src/command/parse.ts"],
    schemas: ["/zod/index.js"],
    // What disks, registries and machines want of boxes' own code, without the boxes.
    parts: [
      "/io/src/node/index.ts",
      "/qcow2/src/create/overlay.ts",
      "/vm/src/index.ts",
      "/oci-images/src/reference/image-reference.ts",
    ],
    boxes: ["/cli/src/commands/create/action.ts", "/cli/src/boxes/describe-box.ts"],
    disks: ["/qcow2/src/index.ts", "/qcow2/src/node/index.ts"],
    images: ["/oras/src/index.ts", "/oci-images/src/index.ts"],
    more: ["/runtime/src/index.ts"],
  },
});
// What is run: it loads the program, and code of it that was kept.
const main: ProgramSettings = script({ main: "src/main.ts" }, { isModule: true });
// What looks after a machine, where the engine looks for it.
const supervisor: ProgramSettings = script({
  supervisor: "../../packages/vm/src/qemu/supervisor/main.ts",
});
const programs: readonly ProgramSettings[] = [box, main, supervisor];
export default programs;
