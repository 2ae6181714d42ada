import { discoveryRequirements } from "./discovery-requirements.ts";
import { managementRequirements } from "./management-requirements.ts";
import { pullRequirements } from "./pull-requirements.ts";
import { pushRequirements } from "./push-requirements.ts";
import type { Requirement } from "./requirement.ts";

/**
 * What the OCI distribution specification 1.1 asks of registries, endpoint by endpoint: every MUST, and the SHOULDs that
 * clients see.
 */
export const requirements: readonly Requirement[] = [
  ...pullRequirements,
  ...pushRequirements,
  ...discoveryRequirements,
  ...managementRequirements,
];

/** A requirement as the title of a test. */
export function titleOf({ category, section, level, claim }: Requirement): string {
  return `${category}, ${section}: ${level}: ${claim}`;
}
