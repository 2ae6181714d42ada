import type { BoxExecRequest } from "@box/runtime";
import * as z from "zod";

/** What a command line says about a command of a box. */
export interface ExecInput {
  readonly interactive?: boolean | undefined;
  readonly tty?: boolean | undefined;
  readonly user?: string | undefined;
  readonly workdir?: string | undefined;
  /** Texts such as `A=b`. */
  readonly env?: readonly string[] | undefined;
}

/** The shape of {@link ExecInput} in a schema. */
export const execShape: {
  readonly [Name in keyof Required<ExecInput>]: z.ZodType<ExecInput[Name]>;
} = {
  interactive: z.boolean().optional(),
  tty: z.boolean().optional(),
  user: z.string().min(1).optional(),
  workdir: z.string().startsWith("/", "must be an absolute path of the box").optional(),
  env: z.array(z.string().min(1)).optional(),
};

/** A command as the runtime takes it. A variable without a value has that of this process. */
export function execRequest(
  command: readonly string[],
  { user, workdir, env = [] }: ExecInput,
  own: Readonly<Record<string, string | undefined>>,
): BoxExecRequest {
  const environment = env.flatMap((text): [string, string][] => {
    const at = text.indexOf("=");
    if (at > 0) return [[text.slice(0, at), text.slice(at + 1)]];
    const value = own[text];
    return value === undefined ? [] : [[text, value]];
  });
  return {
    command,
    environment,
    ...(user === undefined ? {} : { user }),
    ...(workdir === undefined ? {} : { workingDirectory: workdir }),
  };
}
