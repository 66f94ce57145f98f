import fc from "fast-check";
import { describe, expect, test } from "vitest";
import { createRecorder, type SeriesHistory } from "../input/history.ts";
import { tickTimes } from "./schedule.ts";

const options = { cycleMs: 30_000, silenceMs: 300_000 };

function series(
  name: string,
  timesS: readonly number[],
  value: (s: number) => number = () => 1,
): SeriesHistory {
  const recorder = createRecorder();
  const at = recorder.seriesAt(name, "memory");
  for (const s of timesS) recorder.add(at, s * 1000, value(s));
  return recorder.end().series[0] as SeriesHistory;
}

const every = (stepS: number, count: number, fromS = 0) =>
  Array.from({ length: count }, (_, i) => fromS + i * stepS);
const seconds = (ticks: Float64Array) => [...ticks].map((t) => t / 1000);

describe("tickTimes", () => {
  test("data as fine as the cycle or finer ticks every cycle from the first sample", () => {
    expect(seconds(tickTimes([series("a", every(30, 5, 7))], options))).toEqual([7, 37, 67, 97, 127]);
    expect(seconds(tickTimes([series("a", every(5, 14))], options))).toEqual([0, 30, 60, 90]);
  });

  test("coarser data ticks when a sample comes", () => {
    expect(seconds(tickTimes([series("a", [0, 60, 121, 180, 300])], options))).toEqual([
      0, 60, 121, 180, 210, 240, 270, 300,
    ]);
    expect(seconds(tickTimes([series("a", every(900, 4))], options))).toEqual([0, 900, 1800, 2700]);
  });

  test("a gap is ticked through on the cycle; what is left of a silence is skipped", () => {
    expect(seconds(tickTimes([series("a", [0, 30, 60, 150, 180])], options))).toEqual([
      0, 30, 60, 90, 120, 150, 180,
    ]);
    const ticks = seconds(tickTimes([series("a", [0, 30, 60, 86_400, 86_430])], options));
    expect(ticks).toEqual([0, ...every(30, 12, 30), 86_400, 86_430]);
    expect(ticks.filter((t) => t > 60 && t < 86_400)).toHaveLength(10);
  });

  test("missing values are a gap: they call for no tick, but hide none on the cycle", () => {
    const holes = series("a", every(30, 6), (s) => (s === 60 || s === 90 ? Number.NaN : 1));
    expect(seconds(tickTimes([holes], options))).toEqual([0, 30, 60, 90, 120, 150]);
    const all = series("a", every(30, 6), () => Number.NaN);
    expect(seconds(tickTimes([all], options))).toEqual([]);
  });

  test("every sample is seen within a cycle; ticks go forward, at most one a cycle while data flows", () => {
    const times = fc
      .array(fc.integer({ min: 1, max: 400 }), { minLength: 1, maxLength: 60 })
      .map((steps) => steps.map((_, i) => steps.slice(0, i + 1).reduce((sum, s) => sum + s, 0)));
    fc.assert(
      fc.property(fc.array(times, { minLength: 1, maxLength: 4 }), (all) => {
        const list = all.map((t, i) => series(`s${i}`, t));
        const ticks = seconds(tickTimes(list, options));
        const samples = [...new Set(all.flat())].sort((a, b) => a - b);
        expect(ticks[0]).toBe(samples[0]);
        for (const s of samples) {
          const seen = ticks.find((t) => t >= s);
          expect(seen).toBeDefined();
          expect((seen as number) - s).toBeLessThan(30);
        }
        for (let i = 1; i < ticks.length; i++)
          expect((ticks[i] as number) - (ticks[i - 1] as number)).toBeGreaterThanOrEqual(30);
      }),
    );
  });
});
