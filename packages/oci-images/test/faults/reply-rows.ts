import type { FaultRow } from "./fault-row.ts";
import type { Exchange, Injection, Place } from "./faulty-registry.ts";
import {
  breakAfter,
  document,
  endless,
  endlessHeader,
  redirect,
  relay,
  status,
} from "./injections.ts";

const places = ["token", "index", "manifest", "config", "layer"] as const;
type Fault = FaultRow["fault"];

/** The first faults are those of the place that is counted. */
function row(
  fault: Fault,
  title: string,
  at: Place,
  inject: Injection | readonly Injection[],
  outcome: FaultRow["outcome"],
  tries: number,
  rest: Partial<FaultRow> = {},
): FaultRow {
  const faults = Array.isArray(inject)
    ? inject.map((one: Injection, position) => ({ at, on: [position + 1], inject: one }))
    : [{ at, inject: inject as Injection }];
  return { fault, title: `${title}, at the ${at}`, faults, outcome, tries, ...rest };
}

/** What a client that waits for half of its longest time waits between six tries. */
const backoffMs = [125, 250, 500, 1000, 2000];

const server: readonly FaultRow[] = places.flatMap((at) => [
  row("408", "once", at, [status(408)], "heals", 2),
  row("408", "for ever", at, status(408), "ORAS_HTTP_STATUS", 6),
  row("5xx once", "500", at, [status(500)], "heals", 2),
  row("5xx once", "502, 503 and 504", at, [status(502), status(503), status(504)], "heals", 4),
  row("5xx for ever", "500", at, status(500), "ORAS_HTTP_STATUS", 6, { waitsMs: backoffMs }),
  row("5xx for ever", "503 with a body without end", at, endless(503), "ORAS_HTTP_STATUS", 6),
  row("403", "for ever", at, status(403), "ORAS_AUTH_DENIED", 1),
  row("429 with seconds", "once", at, [status(429, { "retry-after": "7" })], "heals", 2, {
    waitsMs: [7000],
  }),
  row(
    "429 with seconds",
    "more than anybody waits",
    at,
    status(429, { "retry-after": "86400" }),
    "ORAS_RATE_LIMITED",
    1,
    { waitsMs: [] },
  ),
  row("429 with a date", "once", at, [inDate(30)], "heals", 2, { waitsMs: [30_000] }),
  row("429 with a date", "of the past", at, [inDate(-30)], "heals", 2, { waitsMs: [125] }),
  row("429 with a date", "for ever", at, inDate(100), "ORAS_RATE_LIMITED", 6),
]);

function inDate(seconds: number): Injection {
  return (exchange) => {
    const date = new Date(exchange.pacing.nowMs + seconds * 1000).toUTCString();
    status(429, { "retry-after": date })(exchange);
  };
}

/** A registry that wants to be asked at its own token server. */
const challenge: Injection = (exchange) =>
  status(401, { "www-authenticate": `Bearer realm="${exchange.origin}/token",service="x"` })(
    exchange,
  );
const foreignChallenge: Injection = (exchange) =>
  status(401, { "www-authenticate": `Bearer realm="${exchange.elsewhere}/token",service="x"` })(
    exchange,
  );
const basicChallenge = status(401, { "www-authenticate": 'Basic realm="x"' });

const authorization: readonly FaultRow[] = (["manifest", "config", "layer"] as const).flatMap(
  (at) => [
    row("401 in mid-pull", "once", at, [challenge], "heals", 2),
    row("401 in mid-pull", "for ever", at, challenge, "ORAS_AUTH_DENIED", 2),
    row("401 in mid-pull", "without a challenge", at, status(401), "ORAS_AUTH_DENIED", 1),
    row("401 in mid-pull", "by a foreign realm", at, foreignChallenge, "ORAS_REALM_REFUSED", 1),
    // The registry may have both; the password goes where it belongs, and to nobody else.
    row("401 in mid-pull", "by another scheme", at, basicChallenge, "ORAS_AUTH_DENIED", 2),
  ],
);

const brokenRange: readonly FaultRow[] = [
  row("416", "for a Range", "layer", [breakAfter(100_000), status(416)], "heals", 3),
  row("416", "without a Range", "layer", status(416), "ORAS_HTTP_STATUS", 1),
  row(
    "416",
    "for each Range, and each whole layer breaks off",
    "layer",
    (exchange) =>
      (exchange.request.headers.range === undefined ? breakAfter(1000) : status(416))(exchange),
    "ORAS_NETWORK",
    // Six that break off, and the one Range that is refused.
    7,
  ),
];

/** Where a blob really is, behind a URL that is a secret of its own. */
const away = ({ elsewhere }: Exchange): string => `${elsewhere}/blob?signature=of-the-test`;
const blob: Injection = ({ response, whole }) => response.end(whole);
/** Passes on to itself, until it has done so often enough. */
function hops(count: number): Injection {
  return (exchange) =>
    exchange.count < count
      ? redirect(({ elsewhere }) => `${elsewhere}/hop-${exchange.count}`)(exchange)
      : blob(exchange);
}
const home: Injection = redirect(({ origin }) => `${origin}/v2/team/app/blobs/back`);

const redirects: readonly FaultRow[] = [
  row("redirect chains", "of two", "layer", redirect(away), "heals", 1, { elsewhere: blob }),
  row("redirect chains", "of ten", "layer", redirect(away), "heals", 1, { elsewhere: hops(10) }),
  row("redirect chains", "of eleven", "layer", redirect(away), "ORAS_REDIRECT_REFUSED", 1, {
    elsewhere: hops(11),
  }),
  row(
    "redirect chains",
    "that break off, and begin at the registry again",
    "layer",
    redirect(away),
    "heals",
    2,
    {
      elsewhere: ({ request, response, whole }) => {
        const start = Number(/\d+/.exec(request.headers.range ?? "")?.[0] ?? 0);
        if (start === 0) {
          response.writeHead(200, { "content-length": whole.byteLength });
          return response.write(whole.subarray(0, 100_000), () => response.destroy());
        }
        const range = `bytes ${start}-${whole.byteLength - 1}/${whole.byteLength}`;
        return response.writeHead(206, { "content-range": range }).end(whole.subarray(start));
      },
    },
  ),
  row("redirect chains", "to a URL that has expired", "layer", redirect(away), "heals", 2, {
    elsewhere: (exchange) => (exchange.count === 1 ? status(403) : blob)(exchange),
  }),
  row("403", "elsewhere, for ever", "layer", redirect(away), "ORAS_AUTH_DENIED", 2, {
    elsewhere: status(403),
  }),
  row(
    "redirect chains",
    "to one that asks who it is",
    "layer",
    redirect(away),
    "ORAS_AUTH_DENIED",
    1,
    {
      elsewhere: basicChallenge,
    },
  ),
  row("redirect chains", "to wrong bytes", "layer", redirect(away), "OCI_DIGEST_MISMATCH", 2, {
    elsewhere: ({ response, whole }) => response.end(Buffer.alloc(whole.byteLength)),
  }),
  row("redirect chains", "with what was sent", "token", redirect(away), "ORAS_REDIRECT_REFUSED", 1),
  row(
    "redirect chains",
    "to files",
    "layer",
    redirect(() => "file:///etc/passwd"),
    "ORAS_REDIRECT_REFUSED",
    1,
  ),
  row(
    "redirect chains",
    "with a password",
    "layer",
    redirect(({ elsewhere }) => elsewhere.replace("//", "//a:b@")),
    "ORAS_REDIRECT_REFUSED",
    1,
  ),
  ...(["index", "manifest", "config", "layer"] as const).map((at) =>
    row("redirect loops", "elsewhere", at, redirect(away), "ORAS_REDIRECT_REFUSED", 1, {
      elsewhere: redirect(away),
    }),
  ),
  ...(["index", "manifest", "config", "layer"] as const).map((at) =>
    row(
      "redirect loops",
      "at the registry",
      at,
      redirect(({ request }) => request.url ?? ""),
      "ORAS_REDIRECT_REFUSED",
      11,
    ),
  ),
  row("redirect loops", "that lead home", "layer", redirect(away), "ORAS_AUTH_DENIED", 2, {
    elsewhere: home,
  }),
  ...(["index", "manifest", "config", "layer"] as const).map((at) =>
    row("redirect downgrades", "to http", at, redirect(away), "ORAS_REDIRECT_REFUSED", 1, {
      isSecure: true,
      elsewhere: blob,
    }),
  ),
  row(
    "redirect downgrades",
    "to a token server over http",
    "manifest",
    foreignChallenge,
    "ORAS_REALM_REFUSED",
    1,
    { isSecure: true },
  ),
];

const endlessReplies: readonly FaultRow[] = [
  row("endless tokens", "a body", "token", endless(), "OCI_TOO_LARGE", 1),
  row("endless tokens", "a header", "token", endlessHeader, "ORAS_BAD_RESPONSE", 1),
  row("endless manifests", "a body", "index", endless(), "OCI_TOO_LARGE", 1),
  row("endless manifests", "a body", "manifest", endless(), "OCI_TOO_LARGE", 1),
  row("endless manifests", "a header", "manifest", endlessHeader, "ORAS_BAD_RESPONSE", 1),
  row("endless manifests", "a config", "config", endless(), "OCI_SIZE_MISMATCH", 2),
  row("endless manifests", "a layer", "layer", endless(), "OCI_SIZE_MISMATCH", 2),
];

const page = (tags: unknown): Uint8Array => new TextEncoder().encode(JSON.stringify({ tags }));
const link = (to: string): Record<string, string> => ({ link: `<${to}>; rel="next"` });
const listing = (
  fault: Fault,
  title: string,
  inject: Injection | readonly Injection[],
  outcome: FaultRow["outcome"],
  tries: number,
): FaultRow => row(fault, title, "tags", inject, outcome, tries, { asks: "tags" });
const list = "/v2/team/app/tags/list";

const pages: readonly FaultRow[] = [
  listing(
    "wrong pagination",
    "that is right",
    [document(page(["a"]), link(`${list}?last=a`)), document(page(["b"]))],
    "heals",
    2,
  ),
  listing(
    "wrong pagination",
    "in the middle of which 503 comes",
    [document(page(["a"]), link(`${list}?last=a`)), status(503), relay],
    "heals",
    3,
  ),
  listing(
    "wrong pagination",
    "to another origin",
    (exchange) => document(page([]), link(`${exchange.elsewhere}${list}`))(exchange),
    "ORAS_BAD_RESPONSE",
    1,
  ),
  listing(
    "wrong pagination",
    "to what is no URL",
    document(page([]), link("http://[")),
    "ORAS_BAD_RESPONSE",
    1,
  ),
  listing(
    "wrong pagination",
    "with pages of another kind",
    document(page([7])),
    "ORAS_BAD_RESPONSE",
    1,
  ),
  listing("wrong pagination", "with a page without end", endless(), "OCI_TOO_LARGE", 1),
  listing(
    "wrong pagination",
    "with a page that is no JSON",
    document(Buffer.from("[")),
    "OCI_INVALID_JSON",
    1,
  ),
  listing(
    "looping pagination",
    "to itself",
    document(page([]), link(`${list}?n=1000`)),
    "ORAS_BAD_RESPONSE",
    1,
  ),
  listing(
    "looping pagination",
    "in a circle",
    (exchange) => document(page([]), link(`${list}?last=${exchange.count % 3}`))(exchange),
    "ORAS_BAD_RESPONSE",
    4,
  ),
  listing(
    "looping pagination",
    "to a new page each time",
    (exchange) => document(page([]), link(`${list}?last=${exchange.count}`))(exchange),
    "ORAS_BAD_RESPONSE",
    50,
  ),
  {
    ...row(
      "looping pagination",
      "to itself",
      "referrers",
      (exchange) =>
        document(
          new TextEncoder().encode('{"schemaVersion":2,"manifests":[]}'),
          link(exchange.request.url ?? ""),
        )(exchange),
      "ORAS_BAD_RESPONSE",
      1,
    ),
    asks: "referrers",
  },
];

/** What goes wrong in statuses, headers and where they lead. */
export const replyRows: readonly FaultRow[] = [
  ...server,
  ...authorization,
  ...brokenRange,
  ...redirects,
  ...endlessReplies,
  ...pages,
];
