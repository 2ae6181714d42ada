import type { HostOptions } from "@box/oras";
import * as z from "zod";
import { CliError } from "../errors.ts";

/** What the file says about one host; paths count from the file's folder. */
export type RegistryHost = Omit<HostOptions, "ca"> & { readonly caFile?: string };

/** What the file says. */
export interface Registries {
  /** By the host that references name. */
  readonly hosts: Readonly<Record<string, RegistryHost>>;
  /** Certificates that are trusted for all hosts. */
  readonly caFile?: string;
}

const schema = z.strictObject({
  hosts: z
    .record(
      z.string(),
      z.strictObject({
        scheme: z.enum(["http", "https", "skip-verify"]).exactOptional(),
        caFile: z.string().min(1).exactOptional(),
        mirrors: z
          .array(
            z.strictObject({
              location: z.string().min(1),
              prefix: z.string().min(1).exactOptional(),
              isProxy: z.boolean().exactOptional(),
            }),
          )
          .exactOptional(),
        mirrorMode: z.enum(["fallback", "replace"]).exactOptional(),
        tokenServers: z.array(z.string().min(1)).exactOptional(),
      }),
    )
    .default({}),
  caFile: z.string().min(1).exactOptional(),
});

/**
 * Parses the file that says how registries are reached.
 *
 * @throws {@link CliError} `CLI_INVALID_ARGUMENT` naming the field.
 */
export function parseRegistries(text: string, path: string): Registries {
  let value: unknown;
  try {
    value = JSON.parse(text);
  } catch (cause) {
    throw invalid(path, "it is not JSON", cause);
  }
  const result = schema.safeParse(value);
  if (result.success) return result.data;
  const issue = result.error.issues[0];
  throw invalid(path, `${issue?.path.join(".") || "it"}: ${issue?.message}`);
}

function invalid(path: string, why: string, cause?: unknown): CliError {
  return new CliError({
    code: "CLI_INVALID_ARGUMENT",
    message: `cannot use ${path}: ${why}`,
    hint: 'it looks like {"hosts": {"docker.io": {"mirrors": [{"location": "mirror.example/hub"}]}}}',
    ...(cause === undefined ? {} : { cause }),
  });
}
