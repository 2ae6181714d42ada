import * as z from "zod";
import { problemType } from "../problem.ts";
import { problem } from "./schemas.ts";

/** What a route may answer, for Fastify and for the document. */
export interface RouteResponses {
  /** By status. */
  readonly [status: string]: unknown;
}

/** The answers of a route: its own, and a problem for every error. */
export function responses(own: Readonly<Record<string, Answer>>): RouteResponses {
  const entries = Object.entries(own).map(([status, { description, schema }]) => [
    status,
    schema === undefined
      ? { description, content: { "application/json": { schema: z.null() } } }
      : { description, content: { "application/json": { schema } } },
  ]);
  return {
    ...Object.fromEntries(entries),
    "4xx": {
      description: "The request was refused",
      content: { [problemType]: { schema: problem } },
    },
    "5xx": { description: "It failed", content: { [problemType]: { schema: problem } } },
  };
}

/** One answer. */
export interface Answer {
  /** What it means. */
  readonly description: string;
  /** Its body. */
  readonly schema?: z.ZodType;
}
