import { type CommandSpec, commandName } from "../command/define-command.ts";
import { failureExitCodes } from "../command/failures.ts";
import { globalFlags } from "../command/global-flags.ts";
import {
  argumentLabel,
  argumentText,
  exitCodeMeanings,
  flagLabel,
  flagText,
  usageLine,
} from "../command/help.ts";

/** The reference of all commands as one Markdown page. */
export function renderCommandPages(commands: readonly CommandSpec[]): string {
  return `${[
    "# Commands",
    "Made from the command table by the tests of `@box/cli`; run them with `-u` after a change.",
    "## Global flags",
    "They work before and after the command.",
    rows(globalFlags.map((flag) => [flagLabel(flag), flagText(flag)])),
    "## Exit codes",
    rows(Object.entries(exitCodeMeanings)),
    ...commands.map(renderPage),
  ].join("\n\n")}\n`;
}

function renderPage(spec: CommandSpec): string {
  const codes = failureExitCodes(spec);
  return [
    `## box ${commandName(spec)}`,
    `${sentence(spec.summary)}${spec.mutates ? "" : " Changes nothing."}`,
    ...(spec.description === undefined ? [] : [`\`\`\`text\n${spec.description}\n\`\`\``]),
    `\`\`\`sh\n${usageLine(spec)}\n\`\`\``,
    rows([
      ...spec.args.map((argument) => [argumentLabel(argument), argumentText(argument)] as const),
      ...spec.flags.map((flag) => [flagLabel(flag), flagText(flag, spec)] as const),
    ]),
    rows(Object.entries(spec.exitCodes ?? {}).map(([code, text]) => [`exit code ${code}`, text])),
    ...(codes.length === 0 ? [] : [`Fails with ${codes.join(", ")}.`]),
    `\`\`\`sh\n${spec.examples.map(({ command, summary }) => `# ${summary}\n${command}`).join("\n")}\n\`\`\``,
  ]
    .filter((part) => part !== "")
    .join("\n\n");
}

function rows(entries: readonly (readonly [string, string])[]): string {
  return entries.map(([name, text]) => `- \`${name}\`: ${text}`).join("\n");
}

function sentence(text: string): string {
  return `${text.charAt(0).toUpperCase()}${text.slice(1)}.`;
}
