export { cliPages } from "./cli.ts";
export { generalPages } from "./general.ts";
export { ioPages } from "./io.ts";
