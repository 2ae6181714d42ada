import { describe, expect, test } from "vitest";
import { shorten } from "../src/shorten.ts";

const id = "0123456789abcdef".repeat(2);
const key = "fedcba9876543210".repeat(4);

describe("shorten", () => {
  test("writes HOME for the home's path, wherever it stands", () => {
    expect(shorten("made /tmp/h/a on /tmp/h/b", "/tmp/h")).toBe("made HOME/a on HOME/b");
  });

  test("keeps 8 digits of an identifier and 12 of a key", () => {
    expect(shorten(`boxes/${id}/x on ${key}.ext4`, "/tmp/h")).toBe(
      "boxes/01234567…/x on fedcba987654….ext4",
    );
  });

  test("leaves shorter numbers as they are", () => {
    const line = "262144 bytes, magic 0x514649fb, corrupt-152cd378617ea201";
    expect(shorten(line, "/tmp/h")).toBe(line);
  });
});
