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
  const [
    pages,
    cli,
    io,
    qcow2,
    ext4,
    tar,
    pipeline,
    oras,
    guest,
    images,
    vm,
    rootfs,
    runtime,
    server,
  ] = await Promise.all([
    import("./pages/all.ts"),
    import("../errors.ts"),
    import("@box/io"),
    import("@box/qcow2"),
    import("@box/ext4"),
    import("@box/tar"),
    import("@box/pipeline"),
    import("@box/oras"),
    import("@box/guest"),
    import("@box/oci-images"),
    import("@box/vm"),
    import("@box/rootfs"),
    import("@box/runtime"),
    import("@box/server"),
  ]);
  const general: CatalogSource["kinds"] = { INTERNAL: "internal", ABORTED: "aborted" };
  return [
    { package: "box", kinds: general, pages: pages.generalPages },
    { package: "@box/cli", kinds: cli.cliErrorKinds, pages: pages.cliPages },
    { package: "@box/ext4", kinds: ext4.ext4ErrorKinds, pages: pages.ext4Pages },
    { package: "@box/guest", kinds: guest.guestErrorKinds, pages: pages.guestPages },
    { package: "@box/io", kinds: io.ioErrorKinds, pages: pages.ioPages },
    { package: "@box/oci-images", kinds: images.imageErrorKinds, pages: pages.imagePages },
    { package: "@box/oras", kinds: oras.orasErrorKinds, pages: pages.orasPages },
    { package: "@box/pipeline", kinds: pipeline.pipelineErrorKinds, pages: pages.pipelinePages },
    { package: "@box/qcow2", kinds: qcow2.qcow2ErrorKinds, pages: pages.qcow2Pages },
    { package: "@box/rootfs", kinds: rootfs.rootfsErrorKinds, pages: pages.rootfsPages },
    { package: "@box/runtime", kinds: runtime.runtimeErrorKinds, pages: pages.runtimePages },
    { package: "@box/server", kinds: server.serverErrorKinds, pages: pages.serverPages },
    { package: "@box/tar", kinds: tar.tarErrorKinds, pages: pages.tarPages },
    { package: "@box/vm", kinds: vm.vmErrorKinds, pages: pages.vmPages },
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
