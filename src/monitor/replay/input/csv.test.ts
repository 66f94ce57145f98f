import fc from "fast-check";
import { describe, expect, test } from "vitest";
import { createLineSplitter, readHeader, readName, readTime, readValue, splitFields } from "./csv.ts";
import { ReplayInputError } from "./error.ts";

const where = { file: "in.csv", number: 7 };

function cut(chunks: readonly string[]): string[] {
  const lines: string[] = [];
  const splitter = createLineSplitter("in.csv", (line, number) => {
    expect(number).toBe(lines.length + 1);
    lines.push(line);
  });
  for (const chunk of chunks) splitter.push(chunk);
  splitter.end();
  return lines;
}

describe("createLineSplitter", () => {
  test("cuts at LF and CRLF wherever the text is cut, drops the byte order mark, keeps a last bare line", () => {
    fc.assert(
      fc.property(
        fc.array(fc.string({ unit: fc.constantFrom("a", ",", '"', "é", " ") }), { minLength: 1 }),
        fc.array(fc.nat(40)),
        fc.constantFrom("\n", "\r\n"),
        fc.boolean(),
        (lines, cuts, end, bom) => {
          const text = `${bom ? "\uFEFF" : ""}${lines.join(end)}x`;
          const chunks: string[] = [];
          let rest = text;
          for (const n of cuts) {
            chunks.push(rest.slice(0, n));
            rest = rest.slice(n);
          }
          expect(cut([...chunks, rest])).toEqual([...lines.slice(0, -1), `${lines.at(-1)}x`]);
        },
      ),
    );
  });

  test("refuses a line without end before it fills the memory", () => {
    const splitter = createLineSplitter("in.csv", () => {});
    expect(() => {
      for (let i = 0; i < 100; i++) splitter.push("x".repeat(1000));
    }).toThrow("in.csv: line 1: longer than 65536 characters");
  });
});

describe("splitFields", () => {
  test("reads back what is quoted as RFC 4180 says", () => {
    fc.assert(
      fc.property(fc.array(fc.string(), { minLength: 1 }), (values) => {
        const clean = values.map((v) => v.replace(/[\r\n]/g, ""));
        const line = clean.map((v) => `"${v.replaceAll('"', '""')}"`).join(",");
        expect(splitFields(line, where)).toEqual(clean);
      }),
    );
  });

  test.each([
    ['"a,b', "not closed"],
    ['a,"b"x,c', "text after the closing quote"],
    ['a,b"c,d', "a quote inside the bare field"],
  ])("refuses %s", (line, message) => {
    expect(() => splitFields(line, where)).toThrow(ReplayInputError);
    expect(() => splitFields(line, where)).toThrow(/^in\.csv: line 7: /);
    expect(() => splitFields(line, where)).toThrow(message);
  });

  test("mixes bare, quoted and empty fields", () => {
    expect(splitFields('"a ""b"", c",,x,""', where)).toEqual(['a "b", c', "", "x", ""]);
  });
});

describe("readHeader", () => {
  const wanted = ["target", "value"];
  const read = (line: string) => readHeader({ line, number: 1, file: "in.csv", wanted });

  test("takes the columns in any order", () => {
    expect(read('value,"target"')).toEqual({ value: 0, target: 1 });
  });

  test.each([
    ["target", "column value is missing"],
    ["a,1,2", "column target, value is missing"],
    ["target,value,more", 'unknown column "more"'],
    ["target,value,value", "a column is named twice"],
  ])("refuses %s", (line, message) => {
    expect(() => read(line)).toThrow(`in.csv: line 1: ${message}`);
  });
});

describe("fields", () => {
  test("times are seconds, kept to the millisecond", () => {
    expect(readTime("0", "timestamp", where)).toBe(0);
    expect(readTime(" 1767614400.1234 ", "timestamp", where)).toBe(1_767_614_400_123);
    expect(readTime("1.5e3", "timestamp", where)).toBe(1_500_000);
  });

  test.each([
    ["-1", "must not be negative"],
    ["", "must be a number of seconds"],
    ["2026-01-05", "must be a number of seconds"],
    ["0x10", "must be a number of seconds"],
    ["NaN", "must be a number of seconds"],
    ["1767614400000", "must be in seconds, not milliseconds"],
  ])("refuses the time %j", (text, message) => {
    expect(() => readTime(text, "timestamp", where)).toThrow(`in.csv: line 7: timestamp ${message}`);
  });

  test.each(["", "  ", "NaN", "nan", "Inf", "+Inf", "-Inf", "Infinity", "-infinity", "1e999"])(
    "%j is missing, never zero",
    (text) => {
      expect(readValue(text, where)).toBeNaN();
    },
  );

  test("any finite number is a value", () => {
    fc.assert(
      fc.property(fc.double({ noNaN: true, noDefaultInfinity: true }), (v) => {
        expect(readValue(`${v}`, where)).toBe(Number(`${v}`));
      }),
    );
  });

  test.each(["null", "1,5", "12ms", "0x1F", "1_000", "--1", "∞"])("%j is no value", (text) => {
    expect(() => readValue(text, where)).toThrow("in.csv: line 7: value must be a number");
  });

  test("names are trimmed, not empty, printable and short", () => {
    expect(readName(" a b ", "target", where)).toBe("a b");
    expect(() => readName(" ", "target", where)).toThrow("target must not be empty");
    expect(() => readName("a\u0007", "target", where)).toThrow("control characters");
    expect(() => readName("x".repeat(201), "target", where)).toThrow("at most 200");
  });
});
