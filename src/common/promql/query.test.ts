import { describe, expect, it } from "vitest";
import { readQuery, readSelector, unquoted } from "./query.ts";

const P95 =
  'histogram_quantile(0.95, sum by ($by, le) (rate(d_bucket{job=~"$jobs", env!="x"}[$window]))) * 1000';
const RATIO = '(sum by ($by) (rate(errors{job=~"$jobs"}[$window])) / sum by ($by) (rate(all[5m])))';
const at = (text: string, span: { from: number; to: number } | undefined) =>
  span && text.slice(span.from, span.to);

describe("a query", () => {
  it("tells what it selects, where, with which matchers, range and functions around", () => {
    const [selector, ...more] = readQuery(P95)?.selectors ?? [];
    expect(more).toEqual([]);
    expect(at(P95, selector)).toBe('d_bucket{job=~"$jobs", env!="x"}');
    expect(selector).toMatchObject({
      metric: "d_bucket",
      matchers: [
        { name: "job", op: "=~", literal: '"$jobs"' },
        { name: "env", op: "!=", literal: '"x"' },
      ],
      range: "$window",
      moved: false,
      within: ["rate", "histogram_quantile"],
    });
  });

  it("tells selectors that are read at another time", () => {
    const moved = (text: string) => readQuery(text)?.selectors.map((s) => s.moved);
    expect(moved("a - a offset 5m")).toEqual([false, true]);
    expect(moved("a @ 12 + max_over_time(b[5m:30s])")).toEqual([true, true]);
    expect(readQuery("m[5m] offset 3m")?.selectors[0]).toMatchObject({ range: "5m", moved: true });
  });

  it("tells a name that is written otherwise", () => {
    const metric = (text: string) => readQuery(text)?.selectors[0]?.metric;
    expect(metric('{__name__="a.b"}')).toBe("a.b");
    expect(metric('{"a.b", x="1"}')).toBe("a.b");
    expect(metric('{__name__=~"a|b"}')).toBeUndefined();
  });

  it.each(["sum(", "", "rate(a)[", "a b", "$jobs"])("that does not parse is none: %s", (text) => {
    expect(readQuery(text)).toBeUndefined();
  });
});

describe("a quantile", () => {
  it.each([
    [P95, 0.95, 1000, 'sum by ($by, le) (rate(d_bucket{job=~"$jobs", env!="x"}[$window]))'],
    ["1000 * max by (a) ((histogram_quantile(0.5, x)))", 0.5, 1000, "x"],
    ["histogram_quantile(0.99, x) / 4", 0.99, 0.25, "x"],
  ])("is found with its factor: %s", (text, q, factor, of) => {
    const { quantile } = readQuery(text) ?? {};
    expect(quantile).toMatchObject({ q, factor });
    expect(at(text, quantile?.of)).toBe(of);
  });

  it.each([
    "a",
    "sum(histogram_quantile(0.9, x))",
    "histogram_quantile(0.9, x) + 1",
    "4 / histogram_quantile(0.9, x)",
  ])("is not what this comes to: %s", (text) => expect(readQuery(text)?.quantile).toBeUndefined());
});

describe("a division", () => {
  it("is told by both its sides", () => {
    const { division } = readQuery(RATIO) ?? {};
    expect(at(RATIO, division?.numerator)).toBe('sum by ($by) (rate(errors{job=~"$jobs"}[$window]))');
    expect(at(RATIO, division?.denominator)).toBe("sum by ($by) (rate(all[5m]))");
  });

  it.each(["a / on (job) b", "a / 2", "a * b", "1 - a / b"])("is not what this is: %s", (text) => {
    expect(readQuery(text)?.division).toBeUndefined();
  });
});

describe("a selector", () => {
  it("is a name with matchers and nothing else", () => {
    expect(readSelector("a_total{code=~\"5..\",m!='GET'}")).toMatchObject({
      metric: "a_total",
      matchers: [
        { name: "code", op: "=~", literal: '"5.."' },
        { name: "m", op: "!=", literal: "'GET'" },
      ],
    });
    for (const text of ["a[5m]", "rate(a[5m])", "a + b", " a", "a offset 5m", '{__name__=~"a"}', "", "a{"])
      expect(readSelector(text), text).toBeUndefined();
  });

  it("says what its literals stand for", () => {
    expect(['"a\\"b\\n"', "'it\"s \\' \\x41'", "`\\d+`", '"5.."'].map(unquoted)).toEqual([
      'a"b\n',
      "it\"s ' A",
      "\\d+",
      "5..",
    ]);
    expect(unquoted('"\\d"')).toBeUndefined();
  });
});
