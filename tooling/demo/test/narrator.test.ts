import { describe, expect, test } from "vitest";
import { Narrator, wrap } from "../src/narrator.ts";

function tell(isTTY: boolean, story: (narrator: Narrator) => void): string {
  let text = "";
  story(new Narrator({ isTTY, write: (part) => (text += part) }));
  return text;
}

const everything = (narrator: Narrator): void => {
  narrator.title("title");
  narrator.step("first");
  narrator.say("words", "good");
  narrator.show(["line", ""], "quiet");
  narrator.pause();
  narrator.step("second");
};

describe("Narrator", () => {
  test("numbers its steps and indents what belongs to them", () => {
    expect(tell(false, everything)).toBe("title\n\n1. first\n   words\n   line\n\n\n\n2. second\n");
  });

  test("uses colours on a terminal only", () => {
    expect(tell(false, everything)).not.toContain("\x1b");
    expect(tell(true, everything)).toContain("\x1b[1m1. first\x1b[22m");
  });

  test("keeps lines of words within 92 columns", () => {
    const text = tell(false, (narrator) => narrator.say("a word ".repeat(60)));
    const lengths = text
      .trimEnd()
      .split("\n")
      .map(({ length }) => length);
    expect(Math.max(...lengths)).toBeLessThanOrEqual(92);
    expect(lengths.length).toBe(5);
  });
});

test("quote puts a bar before what it quotes and wraps only a line that is too long", () => {
  const text = tell(false, (narrator) => {
    narrator.quote("  as  it  is");
    narrator.quote(`${"w".repeat(80)} ${"x".repeat(20)}`);
  });
  expect(text).toBe(`   │   as  it  is\n   │ ${"w".repeat(80)}\n   │ ${"x".repeat(20)}\n`);
});

describe("wrap", () => {
  test("breaks at spaces and loses no word", () => {
    expect(wrap(" one two  three\nfour ", 9)).toEqual(["one two", "three", "four"]);
  });

  test("fills a line to its last column", () => {
    expect(wrap("one two", 7)).toEqual(["one two"]);
    expect(wrap("one two", 6)).toEqual(["one", "two"]);
  });

  test("gives a word that is too long a line of its own", () => {
    expect(wrap("a longer b", 3)).toEqual(["a", "longer", "b"]);
  });

  test("makes no line of nothing", () => {
    expect(wrap("  ", 10)).toEqual([]);
  });
});
