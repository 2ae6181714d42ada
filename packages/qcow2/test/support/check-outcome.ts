import { MemoryFile } from "@box/io";
import { checkImage, Qcow2Error } from "@box/qcow2";
import type { Fixture } from "@box/qcow2/fixtures";

/** What `checkImage` says of a fixture's input, as `expect.json` records it; `undefined` when there is no file to check. */
export async function checkOutcome(
  fixture: Pick<Fixture, "operation" | "build">,
): Promise<Record<string, string> | undefined> {
  const bytes = fixture.operation === "createOverlay" ? undefined : fixture.build();
  if (!(bytes instanceof Uint8Array)) return undefined;
  try {
    const { findings } = await checkImage(new MemoryFile(bytes));
    return Object.fromEntries(findings.map(({ code, severity }) => [code, severity]));
  } catch (error) {
    if (error instanceof Qcow2Error) return { [error.code]: "refused" };
    throw error;
  }
}
