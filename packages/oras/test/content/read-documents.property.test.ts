import fc from "fast-check";
import { expect, test } from "vitest";
import * as z from "zod";
import { readDescriptor, withoutNulls } from "../../src/content/descriptor.ts";
import { isDigest } from "../../src/content/digest.ts";
import { Misfit } from "../../src/json/read-value.ts";

// The same rules once more, by another reader of them.
const text = z.string().max(255);
const annotations = z.record(z.string(), z.string());
const platform = z.looseObject({
  architecture: text,
  os: text,
  "os.version": text.exactOptional(),
  "os.features": z.array(text).max(100).exactOptional(),
  variant: text.exactOptional(),
});
const descriptor = z.preprocess(
  withoutNulls,
  z.looseObject({
    mediaType: z.string().min(1).max(255),
    digest: z.custom<string>((value) => typeof value === "string" && isDigest(value)),
    size: z.int().nonnegative(),
    urls: z.array(z.string().max(4096)).max(100).exactOptional(),
    annotations: annotations.exactOptional(),
    artifactType: text.exactOptional(),
    platform: platform.exactOptional(),
    data: z.string().exactOptional(),
  }),
);

const digest = `sha256:${"0".repeat(64)}`;
const odd = fc.oneof(
  fc.constantFrom(null, true, 0, -1, 1.5, 2 ** 53, Number.NaN, "", "a", "a".repeat(256), [], {}),
  fc.jsonValue({ maxDepth: 2 }),
);
const good = {
  mediaType: fc.constantFrom("application/vnd.oci.image.layer.v1.tar", "a".repeat(255)),
  digest: fc.constant(digest),
  size: fc.nat(),
  urls: fc.array(fc.string(), { maxLength: 3 }),
  annotations: fc.dictionary(fc.string({ minLength: 1 }), fc.string(), { maxKeys: 3 }),
  artifactType: fc.string(),
  platform: fc.record(
    {
      architecture: fc.string(),
      os: fc.string(),
      "os.version": fc.oneof(fc.string(), odd),
      "os.features": fc.oneof(fc.array(fc.string(), { maxLength: 2 }), odd),
      variant: fc.string(),
    },
    { requiredKeys: ["architecture", "os"] },
  ),
  data: fc.string(),
  other: odd,
};
/** A descriptor in which one field or none is something else, or away. */
const nearly = fc
  .tuple(
    fc.record(good, { requiredKeys: ["mediaType", "digest", "size"] }),
    fc.constantFrom("", "", ...Object.keys(good)),
    fc.option(odd, { nil: undefined }),
  )
  .map(([value, key, instead]) => {
    if (key === "") return value;
    const { [key]: _away, ...rest } = value as Record<string, unknown>;
    return instead === undefined ? rest : { ...rest, [key]: instead };
  });

test("a descriptor is read as a schema with the same rules reads it", () => {
  let taken = 0;
  let refused = 0;
  fc.assert(
    fc.property(
      fc.oneof({ weight: 9, arbitrary: nearly }, { weight: 1, arbitrary: odd }),
      (value) => {
        // Such a key does not get through parseJson.
        fc.pre(JSON.stringify(value)?.includes('"__proto__":') !== true);
        const wanted = descriptor.safeParse(value);
        try {
          expect(readDescriptor(value)).toEqual(wanted.success ? wanted.data : "a refusal");
          taken++;
        } catch (error) {
          if (!(error instanceof Misfit)) throw error;
          expect({ value, path: error.path }).toEqual({
            value,
            path: wanted.error?.issues[0]?.path,
          });
          refused++;
        }
      },
    ),
    { numRuns: 3000 },
  );
  expect(Math.min(taken, refused)).toBeGreaterThan(300);
});
