import { describe, expect, test } from "vitest";
import { renderErrorPages } from "../../src/docs/error-pages.ts";
import { loadCatalog, loadSources } from "../../src/explain/catalog.ts";
import { runBoxHere } from "../support/run-box.ts";

const sources = await loadSources();

describe.each(sources.map((source) => [source.package, source] as const))("%s", (_name, source) => {
  test("has a page for every code and no page without a code", () => {
    expect(Object.keys(source.pages).sort()).toEqual(Object.keys(source.kinds).sort());
  });

  test("has pages that say something", () => {
    for (const page of Object.values(source.pages)) {
      expect(page.meaning).toMatch(/^[A-Z`].{20,}\.$/s);
      expect(page.advice).toMatch(/^[A-Za-z`].{8,}\.$/s);
    }
  });
});

test("no code belongs to two packages", async () => {
  const codes = (await loadCatalog()).map((entry) => entry.code);
  expect(new Set(codes).size).toBe(codes.length);
});

test("the page in docs/ is the one made from the catalog", async () => {
  await expect(renderErrorPages(await loadCatalog())).toMatchFileSnapshot("../../docs/errors.md");
});

describe("box explain", () => {
  test("prints the page of a code, whatever its case", async () => {
    const run = await runBoxHere(["explain", "io_no_space"]);
    expect(run.stdout).toContain("kind no-space, exit code 6, HTTP status 507, from @box/io");
    expect(run.stdout).toContain("is full");
  });

  test("lists all codes without one, and only the codes when quiet", async () => {
    expect((await runBoxHere(["explain"])).stdout).toMatch(/^CODE +KIND +EXIT +HTTP\n/);
    expect((await runBoxHere(["explain", "-q"])).stdout).toMatch(/^ABORTED\n/);
  });

  test("refuses an unknown code and names those that start like it", async () => {
    const near = await runBoxHere(["explain", "IO_NOPE"]);
    expect(near.exitCode).toBe(3);
    expect(near.stderr).toContain("IO_NO_SPACE");
    expect((await runBoxHere(["explain", "nope"])).stderr).toContain("run: box explain");
  });

  test("prints what its schema says", async () => {
    const { output } = await import("../../src/commands/explain/schemas.ts");
    const { stdout } = await runBoxHere(["explain", "--format", "json"]);
    expect(output.safeParse(JSON.parse(stdout)).success).toBe(true);
  });
});
