export { BoxError, type BoxErrorOptions, isBoxError, kindOf } from "./box-error.ts";
export { type ErrorKind, type KindOutcome, kindOutcomes } from "./kinds.ts";
export { type ErrorReport, exitCodeOf, httpStatusOf, toErrorReport } from "./report.ts";
