import { library, type Options } from "@box/tsup-config";

const options: Options = library({
  index: "src/index.ts",
  "node/index": "src/node/index.ts",
  fixtures: "fixtures/index.ts",
});
export default options;
