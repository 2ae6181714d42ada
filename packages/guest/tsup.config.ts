import { library, type Options } from "@box/tsup-config";

const options: Options = {
  ...library({
    index: "src/index.ts",
    "boot/index": "src/boot/index.ts",
    "calls/index": "src/calls/index.ts",
    "protocol/index": "src/protocol/index.ts",
  }),
  onSuccess: "node --conditions=@box/source agent/build.ts dist",
};
export default options;
