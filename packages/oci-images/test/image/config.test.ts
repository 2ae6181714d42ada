import { parseImageConfig } from "@box/oci-images";
import { describe, expect, test } from "vitest";
import { expectCode } from "../expect-code.ts";
import { encodeJson } from "../sample-image.ts";

const options = { what: "config", maxBytes: 10_000 };
const diffId = `sha256:${"a".repeat(64)}`;

describe("image configs", () => {
  test("are typed, with everything an image may say", () => {
    const config = parseImageConfig(
      encodeJson({
        architecture: "arm64",
        os: "linux",
        variant: "v8",
        created: "2026-01-01T00:00:00Z",
        author: "ann",
        config: {
          Env: ["A=1", "B", "A=2"],
          Entrypoint: ["/init"],
          Cmd: ["run"],
          WorkingDir: "/srv",
          User: "1000:1000",
          ExposedPorts: { "80/tcp": {} },
          Volumes: { "/data": {} },
          Labels: { a: "b" },
          StopSignal: "SIGINT",
        },
        rootfs: { type: "layers", diff_ids: [diffId] },
        history: [{ created_by: "RUN x", empty_layer: true, comment: "c" }, {}],
      }),
      options,
    );
    expect(config).toEqual({
      platform: { os: "linux", architecture: "arm64", variant: "v8" },
      created: "2026-01-01T00:00:00Z",
      author: "ann",
      env: ["A=1", "B", "A=2"],
      entrypoint: ["/init"],
      cmd: ["run"],
      workingDir: "/srv",
      user: "1000:1000",
      exposedPorts: ["80/tcp"],
      volumes: ["/data"],
      labels: { a: "b" },
      stopSignal: "SIGINT",
      diffIds: [diffId],
      history: [{ createdBy: "RUN x", comment: "c", isEmptyLayer: true }, { isEmptyLayer: false }],
    });
  });

  test("of Docker with nulls are empty there", () => {
    const config = parseImageConfig(
      encodeJson({
        architecture: "amd64",
        os: "linux",
        config: { Env: null, Entrypoint: null, Cmd: null, Labels: null, Volumes: null },
        rootfs: { diff_ids: null },
        history: null,
      }),
      options,
    );
    expect(config).toMatchObject({ env: [], entrypoint: [], cmd: [], labels: {}, diffIds: [] });
  });

  test("without a platform say so", () => {
    const config = parseImageConfig(encodeJson({ rootfs: {} }), options);
    expect(config.platform).toEqual({ os: "linux", architecture: "unknown" });
  });

  test.each([
    {},
    { rootfs: { diff_ids: ["sha256:../x"] } },
    { rootfs: {}, config: { Env: "A=1" } },
    { rootfs: {}, config: { Env: [1] } },
    { rootfs: {}, config: { Labels: { a: 1 } } },
    [],
    null,
  ])("that are malformed are refused: %j", async (value) => {
    await expectCode(() => parseImageConfig(encodeJson(value), options), "OCI_INVALID_CONFIG");
  });
});
