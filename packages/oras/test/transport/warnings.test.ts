import { RegistryClient, type RegistryWarning, RemoteRepository } from "@box/oras";
import { scriptedServer } from "@box/test-support";
import { expect, onTestFinished, test } from "vitest";
import { collect } from "../collect.ts";

/** What is told of a registry that replies with these headers each time, after it was asked twice. */
async function warningsOf(headerOf: (count: number) => string | string[]): Promise<string[]> {
  const server = await scriptedServer((_request, response, count) => {
    response.setHeader("warning", headerOf(count));
    // A body of bytes lets the header be sent as it is.
    response.end(Buffer.from(JSON.stringify({ tags: [] })));
  });
  const told: RegistryWarning[] = [];
  const client = new RegistryClient({ onWarning: (warning) => told.push(warning) });
  onTestFinished(() => client.close());
  const repository = new RemoteRepository(client, server.host, "app");
  for (let asked = 0; asked < 2; asked++) await collect(repository.tags());
  expect(told.every(({ host }) => host === server.host)).toBe(true);
  return told.map(({ text }) => text);
}

test.each([
  ["one warning", '299 - "we close in May"', ["we close in May"]],
  ["several headers", ['299 - "one"', '299 - "two"'], ["one", "two"]],
  ["several in one header", '299 - "one, \\"two\\"", 299 - "three"', ['one, "two"', "three"]],
  ["those of caches", '110 - "stale", 199 cache "299 - x"', []],
  ["no quotes", "299 - text", []],
  ["an open quote", '299 - "text', []],
  ["nothing", '299 - " "', []],
  ["control characters", '299 - "a\tb\u009bc\u0085"', ["a b c"]],
  ["a long text", `299 - "${"x".repeat(1000)}"`, [`${"x".repeat(400)}...`]],
  ["a header beyond all measure", `299 - "${"x".repeat(5000)}"`, []],
])("a registry that sends %s is quoted once", async (_name, header, texts) => {
  expect(await warningsOf(() => header)).toEqual(texts);
});

test("a registry that warns of something new each time is quoted 20 times", async () => {
  const many = (count: number) =>
    Array.from({ length: 15 }, (_, index) => `299 - "${count}.${index}"`);
  expect(await warningsOf(many)).toHaveLength(20);
});
