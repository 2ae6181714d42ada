import { library, type Options, script } from "@box/tsup-config";

const options: Options[] = [
  library({
    index: "src/index.ts",
    "qemu/index": "src/qemu/index.ts",
    "testing/index": "src/testing/index.ts",
  }),
  script({ "qemu/supervisor": "src/qemu/supervisor/main.ts" }),
];
export default options;
