const prefix = "#/components/schemas/";

/** The parts of an OpenAPI document that {@link withoutUnusedSchemas} looks at. */
interface Document {
  readonly components?: { readonly schemas?: Readonly<Record<string, unknown>> };
}

/**
 * An OpenAPI document without the schemas that nothing in it leads to. Each named schema is made once for what comes in
 * and once for what goes out, and most are used one way only.
 */
export function withoutUnusedSchemas<Given extends object>(document: Given): Given {
  const { schemas = {}, ...components } = (document as Document).components ?? {};
  const used = new Set<string>();
  const visit = (value: unknown): void => {
    for (const name of namesIn(value)) {
      if (used.has(name)) continue;
      used.add(name);
      visit(schemas[name]);
    }
  };
  visit({ ...document, components });
  const kept = Object.entries(schemas).filter(([name]) => used.has(name));
  return { ...document, components: { ...components, schemas: Object.fromEntries(kept) } };
}

function namesIn(value: unknown): string[] {
  if (typeof value !== "object" || value === null) return [];
  return Object.entries(value).flatMap(([key, inner]) =>
    key === "$ref" && typeof inner === "string" && inner.startsWith(prefix)
      ? [inner.slice(prefix.length)]
      : namesIn(inner),
  );
}
