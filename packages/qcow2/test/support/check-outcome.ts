import { MemoryFile } from "@box/io";
import { checkImage, type Finding, Qcow2Error } from "@box/qcow2";
import type { ExpectedFindings, Fixture } from "@box/qcow2/fixtures";

/** Offsets that an expectation lists. */
const maxOffsets = 8;

/** More findings than any fixture has. */
const maxFindings = 100_000;

/** What `checkImage` says of a fixture's input, as `expect.json` records it; `undefined` when there is no file to check. */
export async function checkOutcome(
  fixture: Pick<Fixture, "operation" | "build">,
): Promise<Record<string, ExpectedFindings> | undefined> {
  const bytes = fixture.operation === "createOverlay" ? undefined : fixture.build();
  if (!(bytes instanceof Uint8Array)) return undefined;
  try {
    const { findings } = await checkImage(new MemoryFile(bytes), { maxFindings });
    return byCode(findings);
  } catch (error) {
    if (!(error instanceof Qcow2Error)) throw error;
    const offsets = error.offset === undefined ? [] : [error.offset];
    return { [error.code]: { severity: "refused", offsets } };
  }
}

function byCode(findings: readonly Finding[]): Record<string, ExpectedFindings> {
  const groups: Record<string, ExpectedFindings> = {};
  for (const { code, severity } of findings) {
    if (groups[code] !== undefined) continue;
    const same = findings.filter((finding) => finding.code === code);
    expectOneSeverity(same);
    const offsets = same.slice(0, maxOffsets).map(({ offset }) => offset);
    const count = same.length > maxOffsets ? { count: same.length } : {};
    groups[code] = { severity, offsets, ...count };
  }
  return groups;
}

function expectOneSeverity([first, ...others]: readonly Finding[]): void {
  const other = others.find(({ severity }) => severity !== first?.severity);
  if (other) throw new Error(`${other.code} is an error here and a leak there`);
}
