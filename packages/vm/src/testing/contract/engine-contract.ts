import { execCases, lostCases } from "./exec.ts";
import { lifeCases } from "./life.ts";
import { hostCases, networkCases, programCases, streamCases } from "./streams.ts";
import type { ContractCase } from "./subject.ts";

/**
 * What every engine does, as tests without a test runner:
 * `test.each(engineContract)("$title", ({ run }) => run(subject))`.
 */
export const engineContract: readonly ContractCase[] = [
  ...lifeCases,
  ...lostCases,
  ...programCases,
  ...networkCases,
  ...[...execCases, ...streamCases, ...hostCases].map((each) => ({ ...each, sharesMachine: true })),
];
