import { describe as describeContent, RemoteRepository } from "@box/oras";
import { serveRegistry } from "@box/oras/registry-server";
import { drain } from "@box/test-support";
import { describe, expect, test } from "vitest";
import { noise } from "../sample-image.ts";
import { testClient } from "../test-client.ts";

describe("a push", () => {
  test.each([400_000, 5_000_000])(
    "gives the memory of what it sends back when it may, in parts of %i",
    async (chunkBytes) => {
      await using registry = await serveRegistry();
      const content = noise(1_300_000);
      const blob = describeContent("application/octet-stream", content);
      for (const ownsNoChunks of [true, false]) {
        const handed: Uint8Array[] = [];
        const source = {
          ownsNoChunks,
          open: async (offset: number) =>
            (async function* () {
              for (let at = offset; at < content.byteLength; at += 600_000) {
                const chunk = content.slice(at, at + 600_000);
                handed.push(chunk);
                yield chunk;
              }
            })(),
        };
        const repository = new RemoteRepository(
          testClient(),
          registry.host,
          `team/${ownsNoChunks}`,
        );
        await repository.push(blob, source, { chunkBytes });
        expect(Buffer.compare(await drain(repository.fetch(blob)), content)).toBe(0);
        const isGone = handed.some((chunk) => chunk.byteLength === 0);
        expect(isGone).toBe(ownsNoChunks);
      }
    },
  );
});
