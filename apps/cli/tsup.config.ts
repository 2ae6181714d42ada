import { type Options, program } from "@box/tsup-config";

const options: Options = program({ main: "src/main.ts" });
export default options;
