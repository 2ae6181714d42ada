import { OrasError, RemoteRepository } from "@box/oras";
import { scriptedServer } from "@box/test-support";
import { expect, test } from "vitest";
import { limitInformational } from "../../src/transport/limit-informational.ts";
import { expectCode } from "../expect-code.ts";
import { sampleImage } from "../sample-image.ts";
import { fakePacing, testClient } from "../test-client.ts";

const { manifestBytes, root } = await sampleImage();

test("informational replies end a request after the time that a header may take", () => {
  let now = 0;
  let isSending = true;
  const failure = new OrasError({ code: "ORAS_STALLED", message: "too long" });
  const limit = limitInformational({
    now: () => now,
    limitMs: 1000,
    isSending: () => isSending,
    tooLong: () => failure,
  });
  for (; now < 5000; now += 500) limit();
  isSending = false;
  for (; now < 5500; now += 100) limit();
  expect(limit).toThrow(failure);
});

test("a few informational replies do no harm, and without end are ORAS_STALLED", async () => {
  const pacing = fakePacing();
  let isEndless = false;
  const server = await scriptedServer((_request, response) => {
    const next = (count: number): void => {
      pacing.nowMs += 100;
      if (response.destroyed) return;
      if (count > 5 && !isEndless) response.end(manifestBytes);
      else
        response.writeEarlyHints({ link: "</x>; rel=preload" }, () =>
          setTimeout(next, 2, count + 1),
        );
    };
    next(0);
  });
  const client = testClient({ pacing, headersTimeoutMs: 1000, retry: { attempts: 2 } });
  const repository = new RemoteRepository(client, server.host, "app");
  expect((await repository.fetchReference("v1")).descriptor).toEqual(root);
  isEndless = true;
  await expectCode(repository.fetchReference("v1"), "ORAS_STALLED");
  expect(server.seen).toHaveLength(3);
});
