import type { RegistryUnderTest } from "./registry-under-test.ts";

/** The workflow categories of the distribution specification 1.1, "Requirements". */
export type Category = "pull" | "push" | "content discovery" | "content management";

/** One requirement of the distribution specification 1.1. */
export interface Requirement {
  /** Its name in lists of differences. */
  readonly id: string;
  /** The category that it belongs to; every registry must support pulls. */
  readonly category: Category;
  /** The section of the specification, and the endpoints that it is about. */
  readonly section: string;
  /** How binding it is; `must if` where it holds for registries that do what is optional. */
  readonly level: "must" | "must if" | "should";
  /** What a registry does that conforms. */
  readonly claim: string;
  /** Fails unless the registry does so. */
  readonly check: (registry: RegistryUnderTest) => Promise<void>;
}
