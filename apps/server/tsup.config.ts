import { application, type Options } from "@box/tsup-config";

const options: Options = application({ index: "src/index.ts" });
export default options;
