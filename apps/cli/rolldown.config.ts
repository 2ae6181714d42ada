import { join } from "node:path";
import { type ProgramSettings, program } from "@box/tsup-config/program";

const options: ProgramSettings = program({
  main: "src/main.ts",
  // The agent of virtual machines, which is no JavaScript.
  afterwards: [
    "--conditions=@box/source",
    join(import.meta.dirname, "../../packages/guest/agent/build.ts"),
  ],
  together: {
    start: [
      "/cli/src/command/run.ts",
      "/cli/src/commands/table.ts",
      "/cli/src/host/process-host.ts",
    ],
    parse: ["/cli/src/command/parse.ts"],
    schemas: ["/zod/index.js"],
    disks: ["/qcow2/src/index.ts", "/qcow2/src/node/index.ts"],
    images: ["/oras/src/index.ts", "/oci-images/src/index.ts"],
    boxes: [
      "/runtime/src/index.ts",
      "/cli/src/boxes/describe-box.ts",
      "/cli/src/boxes/open-runtime.ts",
      "/cli/src/boxes/choose-guest.ts",
    ],
  },
});
export default options;
