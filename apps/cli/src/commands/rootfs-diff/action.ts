import type { CommandContext } from "../../command/define-command.ts";
import { visible } from "../../output/visible.ts";
import { compareRootfs } from "../../rootfs/compare-rootfs.ts";
import { withRootfs } from "../../rootfs/open-rootfs.ts";
import type { RootfsDifference, RootfsDiffInput } from "./schemas.ts";

/** Compares the two file systems. */
export async function run(
  input: RootfsDiffInput,
  context: CommandContext,
): Promise<readonly RootfsDifference[]> {
  return withRootfs(input.a, input, context, (a) =>
    withRootfs(input.b, input, context, (b) => compareRootfs(a, b, context.signal)),
  );
}

/** One line each. */
export function text(differences: readonly RootfsDifference[]): string {
  return differences
    .map(({ path, change, what }) => {
      const ways = what === undefined ? "" : `  (${what.join(", ")})`;
      return `${marks[change]} ${visible(path)}${ways}`;
    })
    .join("\n");
}

/** The paths. */
export function identifiers(differences: readonly RootfsDifference[]): readonly string[] {
  return differences.map(({ path }) => visible(path));
}

/** 1 when there is a difference, as `diff` has it. */
export function exitCode(differences: readonly RootfsDifference[]): number {
  return differences.length === 0 ? 0 : 1;
}

const marks: Readonly<Record<RootfsDifference["change"], string>> = {
  added: "+",
  removed: "-",
  modified: "M",
};
