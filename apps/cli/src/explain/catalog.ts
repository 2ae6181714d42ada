import type { ErrorKind } from "@box/errors";
import { kindOutcomes } from "@box/errors";
import type { CodePage, CodePages } from "./pages/page.ts";

/** Everything that is known about an error code. */
export interface CatalogEntry extends CodePage {
  /** The code. */
  readonly code: string;
  /** Which package throws it. */
  readonly package: string;
  /** Its kind. */
  readonly kind: ErrorKind;
  /** Exit code of the command. */
  readonly exitCode: number;
  /** HTTP status of the server. */
  readonly httpStatus: number;
}

/** A package's codes with their kinds, and the pages written for them. */
export interface CatalogSource {
  /** The package. */
  readonly package: string;
  /** What it can throw. */
  readonly kinds: Readonly<Record<string, ErrorKind>>;
  /** What is written about it. */
  readonly pages: CodePages;
}

/** Loads the codes of every package, with their pages. Heavy: every package is imported. */
export async function loadSources(): Promise<readonly CatalogSource[]> {
  const [cli, io, pages] = await Promise.all([
    import("../errors.ts"),
    import("@box/io"),
    import("./pages/all.ts"),
  ]);
  return [
    {
      package: "box",
      kinds: { INTERNAL: "internal", ABORTED: "aborted" },
      pages: pages.generalPages,
    },
    { package: "@box/cli", kinds: cli.cliErrorKinds, pages: pages.cliPages },
    { package: "@box/io", kinds: io.ioErrorKinds, pages: pages.ioPages },
  ];
}

/** Every code of every package, by code. */
export async function loadCatalog(): Promise<readonly CatalogEntry[]> {
  return (await loadSources())
    .flatMap((source) =>
      Object.entries(source.kinds).map(([code, kind]): CatalogEntry => {
        const page = source.pages[code] ?? { meaning: "", advice: "" };
        return { code, package: source.package, kind, ...kindOutcomes[kind], ...page };
      }),
    )
    .sort((a, b) => (a.code < b.code ? -1 : 1));
}
