// What every command needs, loaded in one go.
export { runBox } from "../command/run.ts";
export { commands } from "../commands/table.ts";
export { createProcessHost } from "./process-host.ts";
