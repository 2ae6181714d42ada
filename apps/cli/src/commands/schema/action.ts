import { toJSONSchema } from "zod";
import type { CommandContext } from "../../command/define-command.ts";
import { commandName } from "../../command/define-command.ts";
import { findCommand } from "../../command/find.ts";
import { formatJson } from "../../output/json.ts";
import type { SchemaInput, SchemaOutput } from "./schemas.ts";

/** Makes JSON schemas of a command's zod schemas. */
export async function run(
  { command }: SchemaInput,
  context: CommandContext,
): Promise<SchemaOutput> {
  const spec = findCommand(command, context.commands);
  const schemas = await spec.schemas();
  return {
    command: commandName(spec),
    input: { ...toJSONSchema(schemas.input, { io: "input" }) },
    output: { ...toJSONSchema(schemas.output, { io: "output" }) },
  };
}

/** Schemas are JSON for people, too. */
export function text(output: SchemaOutput): string {
  return formatJson(output);
}
