import fc from "fast-check";
import { describe, expect, test } from "vitest";
import { figuresOf } from "./figures.ts";
import { answersOf, recordingOf } from "./recording.testkit.ts";

const act = (atS: number, target = "telemetry-gateway") => ({ atS, target, what: "x", carriedOut: true });
/** `value` from `from` to before `to`, else 0; a look a second for a minute. */
const step = (value: number, from: number, to: number) =>
  Array.from({ length: 61 }, (_, s) => (s >= from && s < to ? value : 0));

describe("detection", () => {
  test("is the first act on a target of the drill after the onset", () => {
    const acts = [act(-5), act(3, "product-api"), act(12), act(40)];
    expect(figuresOf(recordingOf({ acts })).detectS).toBe(12);
    expect(figuresOf(recordingOf({ acts: [act(-5), act(61)] })).detectS).toBeUndefined();
  });

  test("knows the queue there was", () => {
    const levels = Array.from({ length: 61 }, (_, s) => 2 * s);
    expect(figuresOf(recordingOf({ levels, acts: [act(12.4)] })).queueAtDetection).toBe(24);
  });
});

describe("containment", () => {
  test("is where the level stops growing, from detection on", () => {
    const levels = [9, 5, 1, 10, 30, 50, 60, 51, 40, 30, 20, 10, 5, 5, 5, 5, 5, 5];
    expect(figuresOf(recordingOf({ levels, acts: [act(4)] })).containS).toBe(6);
    // A rise of a twentieth of the SLO is none.
    expect(figuresOf(recordingOf({ levels: levels.with(9, 65), acts: [act(4)] })).containS).toBe(6);
    expect(figuresOf(recordingOf({ levels: levels.with(9, 66), acts: [act(4)] })).containS).toBe(9);
  });

  test("is not there without detection, nor while the level grows", () => {
    const growing = Array.from({ length: 61 }, (_, s) => s * s);
    expect(figuresOf(recordingOf({ levels: step(50, 10, 20) })).containS).toBeUndefined();
    expect(figuresOf(recordingOf({ levels: growing, acts: [act(10)] })).containS).toBeUndefined();
    // It has to be seen for five cycles.
    expect(
      figuresOf(recordingOf({ levels: growing.toSpliced(58, 3, 0, 0, 0), acts: [act(10)] })).containS,
    ).toBe(undefined);
  });

  test("of answers is the last invalid one", () => {
    const level = { title: "", unit: "ratio", slo: 0.05, contained: "last_invalid" as const };
    const of = (pattern: string) => figuresOf(recordingOf({ level, predictions: answersOf(pattern) }));
    expect(of(`${"10".repeat(10)}${"1".repeat(40)}`).containS).toBe(19);
    expect(of("10".repeat(30)).containS).toBeUndefined();
    // An answer that did not come is not invalid.
    expect(of(`1-0-${"1".repeat(50)}`)).toMatchObject({ containS: 2, predictionAvailability: 52 / 54 });
  });
});

describe("recovery", () => {
  test("is the first look back within the SLO for good", () => {
    const figures = figuresOf(recordingOf({ levels: step(150, 10, 20), acts: [act(12)] }));
    expect(figures).toMatchObject({ recoverS: 20, recoverCycles: 8, secondsAbove: 10, maxLevel: 150 });
    const twice = step(150, 10, 20).with(40, 101);
    expect(figuresOf(recordingOf({ levels: twice })).recoverS).toBe(41);
  });

  test("is 0 where the level never left its SLO, and unknown where nobody looked or it never came back", () => {
    expect(figuresOf(recordingOf({ levels: step(100, 10, 20) })).recoverS).toBe(0);
    expect(figuresOf(recordingOf({})).recoverS).toBeUndefined();
    expect(figuresOf(recordingOf({ levels: step(150, 10, 61) })).recoverS).toBeUndefined();
  });

  test("counts no cycles where it came before detection", () => {
    expect(figuresOf(recordingOf({ levels: step(150, 10, 20), acts: [act(30)] })).recoverCycles).toBe(0);
  });
});

describe("time above the SLO", () => {
  test("is split at containment", () => {
    const levels = step(150, 10, 30).with(15, 200);
    expect(figuresOf(recordingOf({ levels, acts: [act(12)] }))).toMatchObject({
      containS: 15,
      secondsAbove: 20,
      secondsAboveAfter: 14,
    });
  });

  test("lasts to the end where it did not end, and a look that knows nothing is none", () => {
    expect(figuresOf(recordingOf({ levels: step(150, 50, 61) })).secondsAbove).toBe(10);
    expect(figuresOf(recordingOf({ levels: [0, 150, undefined, undefined, 0] })).secondsAbove).toBe(3);
  });
});

test("shares are of what was asked while the incident lasted", () => {
  const before = { atS: -1, ok: false, valid: false };
  const pages = [before, ...answersOf("11-1")].map((page) => ({ ...page, whole: page.atS === 0 }));
  expect(figuresOf(recordingOf({ pages }))).toMatchObject({
    availability: 0.75,
    wholePages: 1 / 3,
    invalidRatio: 0,
    predictionAvailability: undefined,
  });
  expect(figuresOf(recordingOf({})).availability).toBeUndefined();
});

test("whatever was seen, the figures hold together", () => {
  const level = fc.option(fc.double({ min: 0, max: 1000, noNaN: true }), { nil: undefined });
  fc.assert(
    fc.property(
      fc.array(level, { maxLength: 61 }),
      fc.option(fc.nat(60), { nil: undefined }),
      (levels, at) => {
        const f = figuresOf(recordingOf({ levels, acts: at === undefined ? [] : [act(at)] }));
        expect(f.secondsAbove).toBeGreaterThanOrEqual(0);
        expect(f.secondsAbove).toBeLessThanOrEqual(60);
        expect(f.secondsAboveAfter ?? 0).toBeLessThanOrEqual(f.secondsAbove + 1e-9);
        if (f.containS !== undefined) expect(f.containS).toBeGreaterThanOrEqual(f.detectS ?? Number.NaN);
        expect(f.recoverS === 0).toBe(f.maxLevel !== undefined && f.maxLevel <= 100);
      },
    ),
  );
});
