import { library, type Options } from "@box/tsup-config";

const options: Options = library({
  index: "src/index.ts",
  "qemu/index": "src/qemu/index.ts",
  "qemu/supervisor": "src/qemu/supervisor/main.ts",
  "testing/index": "src/testing/index.ts",
});
export default options;
