import fc from "fast-check";
import { describe, expect, it } from "vitest";
import { ExpositionError, parseExposition } from "./parser.ts";

const wanted = new Set(["up", "x", "h_bucket"]);
const one = (line: string) => parseExposition(`${line}\n`, wanted).samples[0];

describe("a correct page", () => {
  it("is read as the format's own description shows it", () => {
    const page = [
      "# HELP http_requests_total The total number of HTTP requests.",
      "# TYPE h histogram",
      '\t x{method="post",code="200"} 1027 1395066363000',
      "",
      "# Escaping in label values:",
      'x{path="C:\\\\DIR\\\\FILE.TXT",error="Cannot find file:\\n\\"FILE.TXT\\""} 1.458255915e9',
      "up 12.47",
      'other{a="} 1"} 3',
      'x{problem="division by zero"} +Inf -3982045',
      'h_bucket { le="0.5" , } .5e-1',
    ].join("\n");
    const { samples, declared } = parseExposition(`${page}\n`, wanted);
    expect(samples).toEqual([
      {
        name: "x",
        labels: [
          ["code", "200"],
          ["method", "post"],
        ],
        value: 1027,
        timestampMs: 1395066363000,
      },
      {
        name: "x",
        labels: [
          ["error", 'Cannot find file:\n"FILE.TXT"'],
          ["path", "C:\\DIR\\FILE.TXT"],
        ],
        value: 1458255915,
        timestampMs: undefined,
      },
      { name: "up", labels: [], value: 12.47, timestampMs: undefined },
      {
        name: "x",
        labels: [["problem", "division by zero"]],
        value: Number.POSITIVE_INFINITY,
        timestampMs: -3982045,
      },
      { name: "h_bucket", labels: [["le", "0.5"]], value: 0.05, timestampMs: undefined },
    ]);
    expect([...declared]).toEqual(["h_bucket"]);
  });

  it.each([
    ["NaN", Number.NaN],
    ["-Inf", Number.NEGATIVE_INFINITY],
    ["+1.5E+3", 1500],
    ["-0", -0],
  ])("reads the value %s", (text, value) => {
    expect(one(`up ${text}`)?.value).toBe(value);
  });

  it("gives back whatever labels and value were written", () => {
    const label = fc.tuple(fc.stringMatching(/^[a-zA-Z_][a-zA-Z0-9_]{0,8}$/), fc.string({ unit: "binary" }));
    const labels = fc.uniqueArray(label, { selector: ([name]) => name, maxLength: 5 });
    fc.assert(
      fc.property(
        labels,
        fc.double(),
        fc.option(fc.integer(), { nil: undefined }),
        (pairs, value, timestampMs) => {
          const written = pairs.map(([name, text]) => {
            const escaped = text.replaceAll("\\", "\\\\").replaceAll('"', '\\"').replaceAll("\n", "\\n");
            return `${name}="${escaped}"`;
          });
          const number = Number.isFinite(value)
            ? Object.is(value, -0)
              ? "-0"
              : String(value)
            : String(value).replace("Infinity", "Inf");
          const sample = one(
            `x{${written.join(",")}} ${number}${timestampMs === undefined ? "" : ` ${timestampMs}`}`,
          );
          expect(sample?.labels).toEqual([...pairs].sort(([a], [b]) => (a < b ? -1 : 1)));
          expect(sample?.value).toEqual(value);
          expect(sample?.timestampMs).toBe(timestampMs);
        },
      ),
    );
  });
});

describe("a broken page", () => {
  it.each([
    ["up", 'space or "{"'],
    ["up ", "number"],
    ["up one", "number"],
    ["up 0x10", "number"],
    ["up 1_000", "number"],
    ["up 1 2 3", "unexpected text"],
    ["up 1 1.5", "whole milliseconds"],
    ["9up 1", "metric name"],
    ["up-time 1", 'space or "{"'],
    ['x{a="1" 2', '"," or "}"'],
    ['x{a="1} 2', "closing quote"],
    ["x{a=1} 2", "quoted value"],
    ['x{a "1"} 2', '"="'],
    ['x{0a="1"} 2', "label name"],
    ['x{,a="1"} 2', "label name"],
    ['x{a="1",a="2"} 2', "given twice"],
    ["# TYPE x meter", "type must be one of"],
    ["<html>", "metric name"],
  ])("%s is refused with its line number", (line, problem) => {
    const parse = () => parseExposition(`up 1\n\n${line}\nup 2\n`, wanted);
    expect(parse).toThrow(ExpositionError);
    expect(parse).toThrow(`line 3: `);
    expect(parse).toThrow(problem);
  });

  it("is refused also where the broken line is of a family nobody wants", () => {
    expect(() => parseExposition('other{a="1} 2\n', wanted)).toThrow("line 1");
  });

  it("is refused when it was cut off, even after a digit", () => {
    expect(() => parseExposition("up 1\nx 12", wanted)).toThrow("line 2: no line feed at the end");
  });

  it("never throws anything but its own error", () => {
    const unit = fc.constantFrom(...'xup{}=",\\# \n\t01.eNaInf+-');
    fc.assert(
      fc.property(fc.string({ unit, maxLength: 60 }), (text) => {
        try {
          parseExposition(text, wanted);
        } catch (error) {
          expect(error).toBeInstanceOf(ExpositionError);
        }
      }),
      { numRuns: 2000 },
    );
  });
});
