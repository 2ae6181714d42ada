import type { FastifyInstance } from "fastify";

/** The paths of an application and what may be asked of them. */
export interface KnownPaths {
  /** The methods of a path, sorted; none when there is no such path. */
  methodsOf(path: string): readonly string[];
}

/** Takes note of every route that is added to an application from now on. */
export function watchRoutes(app: FastifyInstance): KnownPaths {
  const methods = new Map<string, Set<string>>();
  app.addHook("onRoute", ({ url, method }) => {
    const known = methods.get(url) ?? new Set();
    for (const one of [method].flat()) known.add(one);
    methods.set(url, known);
  });
  return {
    methodsOf: (path) => {
      const found = [...methods].filter(([pattern]) => matches(pattern, path));
      return [...new Set(found.flatMap(([, known]) => [...known]))].sort();
    },
  };
}

/** Whether a path is one of a pattern's, whose parameters are whole segments such as `:name`. */
function matches(pattern: string, path: string): boolean {
  const segments = path.split("/");
  const wanted = pattern.split("/");
  return (
    wanted.length === segments.length &&
    wanted.every((part, at) => part.startsWith(":") || part === segments[at])
  );
}
