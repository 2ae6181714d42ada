import type { Finding, FindingSink } from "./finding.ts";

/** Keeps the first findings and counts all of them. */
export class CollectingSink implements FindingSink {
  /** The findings that were kept. */
  readonly findings: Finding[] = [];
  /** Findings of severity `error`, kept or not. */
  errors = 0;
  /** The codes of all errors. */
  readonly codes: Set<Finding["code"]> = new Set();
  /** What `qemu-img check` counts as corruptions. */
  corruptions = 0;
  /** Leaked clusters. */
  leaks = 0;
  readonly #maxFindings: number;
  readonly #clusterSize: number;

  constructor(maxFindings: number, clusterSize: number) {
    this.#maxFindings = maxFindings;
    this.#clusterSize = clusterSize;
  }

  /** {@inheritDoc FindingSink.error} */
  error(finding: Finding, corruptions: number): void {
    this.errors++;
    this.codes.add(finding.code);
    this.corruptions += corruptions;
    this.#keep(finding);
  }

  /** {@inheritDoc FindingSink.leak} */
  leak(offset: number, clusters: number): void {
    this.leaks += clusters;
    const end = offset + clusters * this.#clusterSize;
    this.#keep({
      severity: "leak",
      code: "QCOW2_LEAK",
      offset,
      structure: "refcount block",
      message: `${clusters} clusters from byte ${offset} to byte ${end} have refcounts higher than their use`,
    });
  }

  #keep(finding: Finding): void {
    if (this.findings.length < this.#maxFindings) this.findings.push(finding);
  }
}
