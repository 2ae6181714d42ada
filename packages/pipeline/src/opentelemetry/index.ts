export { activeTrace } from "./active-trace.ts";
export { traceTo } from "./trace-to.ts";
