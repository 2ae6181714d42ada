import { createReadStream } from "node:fs";
import { readFile, stat } from "node:fs/promises";
import { createServer } from "node:http";
import type { AddressInfo } from "node:net";
import { join } from "node:path";

/** A registry that gives out one image, over http. */
export interface LayoutRegistry extends AsyncDisposable {
  /** Where it listens, such as `127.0.0.1:5000`. */
  readonly host: string;
}

/** Serves the image `latest` of an OCI layout as every repository's tag `latest`: just enough to be pulled from. */
export async function serveLayout(layout: string): Promise<LayoutRegistry> {
  const blob = (digest: string): string =>
    join(layout, "blobs", "sha256", digest.slice("sha256:".length));
  const index = JSON.parse(await readFile(join(layout, "index.json"), "utf8")) as {
    manifests: { mediaType: string; digest: string; size: number }[];
  };
  const [manifest = { mediaType: "", digest: "", size: 0 }] = index.manifests;
  const server = createServer((request, response) => {
    const [, kind, reference = ""] = /^\/v2\/.+\/(manifests|blobs)\/([\w:]+)$/.exec(
      request.url ?? "",
    ) ?? [undefined, "", ""];
    const isManifest = kind === "manifests";
    const digest = isManifest ? manifest.digest : reference;
    if (kind === "") {
      response.writeHead(request.url?.startsWith("/v2") ? 200 : 404).end("{}");
      return;
    }
    stat(blob(digest)).then(
      ({ size }) => {
        response.writeHead(200, {
          "content-type": isManifest ? manifest.mediaType : "application/octet-stream",
          "content-length": size,
          "docker-content-digest": digest,
        });
        if (request.method === "HEAD") response.end();
        else createReadStream(blob(digest), { highWaterMark: 2 ** 20 }).pipe(response);
      },
      () => response.writeHead(404).end(),
    );
  });
  await new Promise<void>((resolve) => server.listen(0, "127.0.0.1", resolve));
  const { port } = server.address() as AddressInfo;
  return {
    host: `127.0.0.1:${port}`,
    [Symbol.asyncDispose]: async () => {
      server.closeAllConnections();
      await new Promise((resolve) => server.close(resolve));
    },
  };
}
