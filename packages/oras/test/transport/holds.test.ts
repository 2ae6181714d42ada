import type { Pacing, RegistryClient, RegistryClientOptions, RegistryRequest } from "@box/oras";
import { type ScriptedServer, scriptedServer } from "@box/test-support";
import { describe, expect, test, vi } from "vitest";
import { expectCode } from "../expect-code.ts";
import { testClient } from "../test-client.ts";

/** Time that goes on only when the test says so. */
interface ManualPacing extends Pacing {
  /** How many wait. */
  readonly waiting: () => number;
  advance(ms: number): void;
}

function manualPacing(): ManualPacing {
  let nowMs = Date.UTC(2026, 0, 1);
  const sleepers = new Map<() => void, number>();
  return {
    now: () => nowMs,
    random: () => 0.5,
    sleep: (ms, signal) =>
      new Promise((done, fail) => {
        const end = () => sleepers.delete(end) && done();
        sleepers.set(end, nowMs + ms);
        signal?.addEventListener("abort", () => sleepers.delete(end) && fail(signal.reason));
      }),
    waiting: () => sleepers.size,
    advance: (ms) => {
      nowMs += ms;
      for (const [end, atMs] of sleepers) if (atMs <= nowMs) end();
    },
  };
}

interface Held {
  readonly server: ScriptedServer;
  readonly pacing: ManualPacing;
  readonly client: RegistryClient;
  readonly ask: (path: string, options?: Partial<RegistryRequest>) => Promise<number>;
  /** Waits until so many wait. */
  readonly untilWaiting: (count: number) => Promise<void>;
}

/** A registry whose first reply asks for patience. */
async function held(
  status: number,
  retryAfter: string,
  options: RegistryClientOptions = {},
): Promise<Held> {
  const server = await scriptedServer((_request, response, count) => {
    if (count === 1) response.writeHead(status, { "retry-after": retryAfter });
    response.end();
  });
  const pacing = manualPacing();
  const client = testClient({ pacing, ...options });
  const ask: Held["ask"] = async (target, more = {}) => {
    const endpoint = client.endpoint(server.host);
    const request = {
      endpoint,
      target,
      method: "GET",
      expect: [200],
      what: `get ${target}`,
    } as const;
    const response = await client.request({ ...request, ...more });
    response.discard();
    return response.status;
  };
  const untilWaiting = (count: number): Promise<void> =>
    vi.waitFor(() => expect(pacing.waiting()).toBe(count));
  return { server, pacing, client, ask, untilWaiting };
}

describe("a host that asks for patience", () => {
  test.each([
    [429, "7"],
    [503, "7"],
    [429, new Date(Date.UTC(2026, 0, 1) + 7000).toUTCString()],
  ])("with %i and %j is asked nothing by other requests either", async (status, retryAfter) => {
    const { server, pacing, ask, untilWaiting } = await held(status, retryAfter);
    const first = ask("/first");
    await untilWaiting(1);
    const others = [ask("/second"), ask("/third", { method: "PUT", isRepeatable: false })];
    await untilWaiting(3);
    pacing.advance(6999);
    expect(server.seen.map(({ path }) => path)).toEqual(["/first"]);
    expect(pacing.waiting()).toBe(3);
    pacing.advance(1);
    expect(await Promise.all([first, ...others])).toEqual([200, 200, 200]);
    expect(server.seen).toHaveLength(4);
  });

  test("does not hold back requests to another host", async () => {
    const { server, pacing, client, ask, untilWaiting } = await held(429, "7");
    const first = ask("/first");
    await untilWaiting(1);
    const other = await scriptedServer((_request, response) => response.end());
    expect(await ask("/other", { endpoint: client.endpoint(other.host) })).toBe(200);
    expect(server.seen).toHaveLength(1);
    pacing.advance(7000);
    await first;
  });

  test("lets go who is stopped, and everybody when the client is closed", async () => {
    const { server, client, ask, untilWaiting } = await held(429, "7");
    const controller = new AbortController();
    const { signal } = controller;
    const first = expectCode(ask("/first", { signal }), "ORAS_ABORTED");
    await untilWaiting(1);
    const stopped = expectCode(ask("/stopped", { signal }), "ORAS_ABORTED");
    const waiting = expectCode(ask("/waiting"), "ORAS_ABORTED");
    await untilWaiting(3);
    controller.abort();
    await Promise.all([first, stopped]);
    await untilWaiting(1);
    await client.close();
    await waiting;
    expect(server.seen).toHaveLength(1);
  });

  test.each(["86400", "0", "soon"])("for %j holds back nobody", async (retryAfter) => {
    const { server, ask } = await held(429, retryAfter, { retry: { attempts: 1 } });
    await expectCode(ask("/first"), "ORAS_RATE_LIMITED");
    expect(await ask("/second")).toBe(200);
    expect(server.seen).toHaveLength(2);
  });

  test("is waited for when the failure itself is not tried again", async () => {
    const { pacing, ask, untilWaiting } = await held(429, "7");
    await expectCode(ask("/first", { isRepeatable: false }), "ORAS_RATE_LIMITED");
    const second = ask("/second");
    await untilWaiting(1);
    pacing.advance(7000);
    expect(await second).toBe(200);
  });

  test("with another status holds back nobody", async () => {
    const { ask } = await held(500, "7");
    await expectCode(ask("/first", { isRepeatable: false }), "ORAS_HTTP_STATUS");
    expect(await ask("/second")).toBe(200);
  });

  test("again and again holds a request back no longer than the limit", async () => {
    const replies: (() => void)[] = [];
    const server = await scriptedServer((request, response) => {
      if (request.url === "/last") return response.end();
      response.writeHead(429, { "retry-after": "100" });
      return replies.push(() => response.end());
    });
    const { pacing, client, ask, untilWaiting } = await held(429, "0");
    const endpoint = client.endpoint(server.host);
    const once = { endpoint, isRepeatable: false };
    const refused = ["/one", "/two"].map((path) => ask(path, once));
    await vi.waitFor(() => expect(replies).toHaveLength(2));
    replies[0]?.();
    await expectCode(Promise.race(refused), "ORAS_RATE_LIMITED");
    const last = ask("/last", once);
    await untilWaiting(1);
    pacing.advance(50_000);
    replies[1]?.();
    await Promise.allSettled(refused);
    pacing.advance(50_000);
    await untilWaiting(1);
    pacing.advance(19_999);
    expect(pacing.waiting()).toBe(1);
    pacing.advance(1);
    expect(await last).toBe(200);
  });

  test("after a redirect is held back itself, not the host that led there", async () => {
    const elsewhere = await held(429, "7");
    const { server, pacing, client, untilWaiting } = elsewhere;
    const registry = await scriptedServer((request, response) => {
      if (request.url === "/plain") return response.end();
      return response.writeHead(307, { location: `${server.origin}/blob` }).end();
    });
    const endpoint = client.endpoint(registry.host);
    const first = elsewhere.ask("/first", { endpoint });
    await untilWaiting(1);
    expect(await elsewhere.ask("/plain", { endpoint })).toBe(200);
    const second = elsewhere.ask("/second", { endpoint });
    await untilWaiting(2);
    expect(server.seen).toHaveLength(1);
    pacing.advance(7000);
    expect(await Promise.all([first, second])).toEqual([200, 200]);
  });
});
