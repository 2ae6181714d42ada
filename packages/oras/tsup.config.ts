import { library, type Options } from "@box/tsup-config";

const options: Options = library({
  index: "src/index.ts",
  "registry-server/index": "src/registry-server/index.ts",
});
export default options;
