import { eraseCredentials } from "@box/oras";
import { credentialFiles } from "../../boxes/credentials.ts";
import type { CommandContext } from "../../command/define-command.ts";
import type { LogoutInput, LogoutOutput } from "./schemas.ts";

/** Forgets a registry's credentials in every file that is looked into. */
export async function run(
  { host = "docker.io" }: LogoutInput,
  { env }: CommandContext,
): Promise<LogoutOutput> {
  const files: string[] = [];
  for (const file of credentialFiles(env)) {
    if (await eraseCredentials(file, host, { env })) files.push(file);
  }
  return { host, files };
}

/** One line. */
export function text({ host, files }: LogoutOutput): string {
  return files.length === 0
    ? `there was no login to ${host}`
    : `forgot the login to ${host} in ${files.join(", ")}`;
}
