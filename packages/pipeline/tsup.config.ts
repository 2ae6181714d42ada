import { library, type Options } from "@box/tsup-config";

const options: Options = library({
  index: "src/index.ts",
  "opentelemetry/index": "src/opentelemetry/index.ts",
});
export default options;
