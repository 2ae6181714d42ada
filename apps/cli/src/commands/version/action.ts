import packageJson from "../../../package.json" with { type: "json" };
import { formatFields } from "../../output/table.ts";
import type { VersionOutput } from "./schemas.ts";

/** Tells the versions. */
export async function run(): Promise<VersionOutput> {
  return {
    version: packageJson.version,
    node: process.version,
    platform: process.platform,
    architecture: process.arch,
  };
}

/** One line each. */
export function text({ version, node, platform, architecture }: VersionOutput): string {
  return formatFields([
    ["box", version],
    ["node", node],
    ["platform", `${platform} ${architecture}`],
  ]);
}
