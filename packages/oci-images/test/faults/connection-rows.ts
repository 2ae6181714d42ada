import type { FaultRow } from "./fault-row.ts";
import type { Injection, Place } from "./faulty-registry.ts";
import {
  breakAfter,
  corrupted,
  cut,
  drip,
  drop,
  dropInHeader,
  lengthened,
  onlyInformational,
  rawHeaders,
  reset,
  stall,
  withHeaders,
} from "./injections.ts";
import { layer } from "./sample.ts";

/** Where everything is tried. */
const places = ["token", "index", "manifest", "config", "layer"] as const;

type Fault = FaultRow["fault"];
type Rest = Partial<Pick<FaultRow, "tries" | "isImpatient" | "waitsMs">>;

function once(
  fault: Fault,
  at: Place,
  title: string,
  inject: Injection,
  rest: Rest = {},
): FaultRow {
  const faults = [{ at, on: [1], inject }];
  return { fault, title: `${title}, once, at the ${at}`, faults, outcome: "heals", ...rest };
}

function always(
  fault: Fault,
  at: Place,
  title: string,
  inject: Injection,
  outcome: FaultRow["outcome"],
  rest: Rest = {},
): FaultRow {
  const faults = [{ at, inject }];
  return { fault, title: `${title}, for ever, at the ${at}`, faults, outcome, ...rest };
}

const impatient = { isImpatient: true };

/** Connections that end or stand still. */
const brokenConnections: readonly FaultRow[] = places.flatMap((at) => [
  once("drops", at, "before the header", drop),
  once("drops", at, "in the header", dropInHeader),
  always("drops", at, "before the header", drop, "ORAS_NETWORK", { tries: 6 }),
  once("resets", at, "before the header", reset),
  once(
    "resets",
    at,
    "in the body",
    breakAfter(1000, ({ request }) => request.socket.resetAndDestroy()),
  ),
  always("resets", at, "before the header", reset, "ORAS_NETWORK", { tries: 6 }),
  once("stalls", at, "before the header", stall, impatient),
  once("stalls", at, "in the body", breakAfter(1000, stall), impatient),
  once("truncation with the right length", at, "after some bytes", breakAfter(1000)),
  always(
    "truncation with the right length",
    at,
    "after some bytes",
    breakAfter(1000),
    "ORAS_NETWORK",
    {
      tries: 6,
    },
  ),
]);

const stalls: readonly FaultRow[] = [
  always("stalls", "index", "before the header", stall, "ORAS_STALLED", { tries: 6, ...impatient }),
  always("stalls", "layer", "in the body", breakAfter(1000, stall), "ORAS_STALLED", {
    tries: 6,
    ...impatient,
  }),
  // A byte at a time never runs into an idle time-out.
  ...places.map((at) => once("stalls", at, "a byte every twenty seconds", drip, { tries: 2 })),
  ...places.map((at) =>
    always("stalls", at, "a byte every twenty seconds", drip, "ORAS_STALLED", { tries: 6 }),
  ),
  // Each informational reply restarts the library's header time-out.
  ...places.map((at) => once("stalls", at, "only informational", onlyInformational, { tries: 2 })),
  ...places.map((at) =>
    always("stalls", at, "only informational", onlyInformational, "ORAS_STALLED", { tries: 6 }),
  ),
];

/** Wrong bytes below the right status. A token has no digest: what is no JSON cannot be healed. */
function wrongBytes(
  fault: Fault,
  title: string,
  inject: Injection,
  config: FaultRow["outcome"],
  rest: Rest = { tries: 2 },
): readonly FaultRow[] {
  const twice = { tries: 2 };
  return [
    always(fault, "token", title, inject, "OCI_INVALID_JSON", { tries: 1 }),
    once(fault, "index", title, inject, twice),
    always(fault, "index", title, inject, "OCI_INVALID_JSON", twice),
    once(fault, "manifest", title, inject, twice),
    always(fault, "manifest", title, inject, "OCI_DIGEST_MISMATCH", twice),
    ...(["config", "layer"] as const).flatMap((at) => [
      once(fault, at, title, inject, twice),
      always(fault, at, title, inject, config, rest),
    ]),
  ];
}

const six = { tries: 6 };

const truncations: readonly FaultRow[] = [
  ...wrongBytes(
    "truncation without the right length",
    "with the length of what comes",
    cut(1000, true),
    "OCI_SIZE_MISMATCH",
  ),
  ...wrongBytes(
    "truncation without the right length",
    "without a length",
    cut(1000, false),
    "ORAS_TRUNCATED",
    six,
  ),
];

const extraBytes: readonly FaultRow[] = [
  ...wrongBytes("extra bytes", "with their length", lengthened(true), "OCI_SIZE_MISMATCH"),
  ...wrongBytes("extra bytes", "without a length", lengthened(false), "OCI_SIZE_MISMATCH"),
];

/** The last byte, so that documents are no JSON any more. */
const corruption: readonly FaultRow[] = wrongBytes(
  "one corrupt byte always",
  "the last one",
  corrupted(-1),
  "OCI_DIGEST_MISMATCH",
).map((row) => (row.outcome === "heals" ? { ...row, fault: "one corrupt byte once" } : row));

const lengths: readonly FaultRow[] = [
  once("wrong lengths", "index", "larger", rawHeaders("content-length: 9999"), { tries: 2 }),
  once("wrong lengths", "index", "smaller", rawHeaders("content-length: 10"), { tries: 2 }),
  once("wrong lengths", "index", "no number", rawHeaders("content-length: many"), { tries: 2 }),
  once("wrong lengths", "manifest", "smaller", rawHeaders("content-length: 10"), { tries: 2 }),
  once("wrong lengths", "config", "larger", rawHeaders("content-length: 9999"), { tries: 2 }),
  once("wrong lengths", "layer", "smaller", rawHeaders("content-length: 10"), { tries: 2 }),
  always(
    "wrong lengths",
    "layer",
    "larger",
    rawHeaders("content-length: 9999999"),
    "OCI_SIZE_MISMATCH",
    {
      tries: 2,
    },
  ),
  always(
    "wrong lengths",
    "layer",
    "no number",
    rawHeaders("content-length: -5"),
    "ORAS_BAD_RESPONSE",
    six,
  ),
  always(
    "wrong lengths",
    "layer",
    "two of them",
    rawHeaders("content-length: 10", "content-length: 20"),
    "ORAS_NETWORK",
    six,
  ),
  always(
    "wrong lengths",
    "layer",
    "and chunks",
    rawHeaders("content-length: 10", "transfer-encoding: chunked"),
    "ORAS_NETWORK",
    six,
  ),
];

const ranges: readonly FaultRow[] = [
  {
    fault: "200 for a Range",
    title: "the whole layer after it broke off",
    faults: [
      { at: "layer", on: [1], inject: breakAfter(100_000) },
      {
        at: "layer",
        on: [2],
        inject: (exchange) => exchange.response.writeHead(200).end(exchange.whole),
      },
    ],
    outcome: "heals",
    tries: 2,
  },
  {
    fault: "200 for a Range",
    title: "each time, and each time it breaks off a little later",
    faults: [
      {
        at: "layer",
        inject: ({ response, whole, count }) => {
          response.writeHead(200, { "content-length": whole.byteLength });
          response.write(whole.subarray(0, count * 90_000), () => {
            if (count * 90_000 < whole.byteLength) response.destroy();
          });
        },
      },
    ],
    outcome: "heals",
    tries: 5,
  },
  ...[
    ["another start", `bytes 200000-${layer.size - 1}/${layer.size}`],
    ["the start of all", `bytes 0-${layer.size - 1}/${layer.size}`],
    ["a start past the end", `bytes 900000-900001/${layer.size}`],
    ["another total", `bytes 100000-${layer.size - 1}/${layer.size + 1}`],
    ["no start", `bytes */${layer.size}`],
    ["nothing", "bytes"],
  ].map(
    ([title = "", range = ""]): FaultRow => ({
      fault: "206 with a wrong start",
      title,
      faults: [
        { at: "layer", on: [1], inject: breakAfter(100_000) },
        { at: "layer", on: [2], inject: withHeaders({ "content-range": range }) },
      ],
      outcome: "heals",
      tries: 3,
    }),
  ),
  {
    fault: "206 with a wrong start",
    title: "another start, and the bytes from there",
    faults: [
      { at: "layer", on: [1], inject: breakAfter(100_000) },
      {
        at: "layer",
        on: [2],
        inject: ({ response, whole }) => {
          const range = `bytes 200000-${layer.size - 1}/${layer.size}`;
          response.writeHead(206, { "content-range": range }).end(whole.subarray(200_000));
        },
      },
    ],
    outcome: "heals",
    tries: 3,
  },
  {
    fault: "206 with a wrong start",
    title: "the right range, and the bytes of another one",
    faults: [
      { at: "layer", on: [1], inject: breakAfter(100_000) },
      {
        at: "layer",
        on: [2],
        inject: ({ response, real, whole }) =>
          response.writeHead(206, real.headers).end(whole.subarray(0, real.body.byteLength)),
      },
    ],
    outcome: "heals",
    tries: 3,
  },
  {
    fault: "206 with a wrong start",
    title: "for the whole layer, for ever",
    faults: [{ at: "layer", inject: ({ response, whole }) => response.writeHead(206).end(whole) }],
    outcome: "ORAS_HTTP_STATUS",
    tries: 1,
  },
];

/** What goes wrong below HTTP, and with the bytes of bodies. */
export const connectionRows: readonly FaultRow[] = [
  ...brokenConnections,
  ...stalls,
  ...truncations,
  ...extraBytes,
  ...corruption,
  ...lengths,
  ...ranges,
];
