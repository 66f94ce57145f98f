import { Script } from "node:vm";
import { describe, expect, test } from "vitest";
import type { Decision, Forecast } from "../../kernel/decision.ts";
import { plotPage } from "../../web/assets.ts";
import type { ReplayedAction } from "../engine/engine.ts";
import { readLabels } from "../input/labels.ts";
import { historyOf, ramp, targetNamed } from "../replay.testkit.ts";
import { plotOf } from "./panels.ts";
import { createTracer } from "./trace.ts";

const MOST_PANELS = 24;

function decisionOf(target: string, forecast: Partial<Forecast> & { low?: number; high?: number }): Decision {
  const full = { predictor: "linear", value: 1, slopePerSecond: 0, r2: 1, sampleCount: 9, ...forecast };
  return {
    target,
    signal: "p95_latency",
    act: false,
    reason: "below_slo",
    trigger: undefined,
    predictor: "linear",
    source: "replay",
    current: 1,
    verdicts: [
      {
        predictor: full.predictor,
        forecast: full,
        probability: 0,
        trigger: undefined,
        noTriggerReason: "below_slo",
      },
    ],
    slo: 300,
    limit: 1000,
    inRisk: false,
    cooldownActive: false,
    untilMs: undefined,
    detail: undefined,
  };
}

const T0 = 1_767_614_400;
const action = (target: string, atS: number): ReplayedAction => ({
  target,
  signal: "p95_latency",
  atMs: atS * 1000,
  reason: "strong",
  predictor: "linear",
  forecast: 812,
  probability: 0.73,
});

describe("plotOf", () => {
  const samples = ramp({ fromS: T0, count: 100, rampAt: 40, perStep: 20 });
  const plot = (history: ReturnType<typeof historyOf>, over: Partial<Parameters<typeof plotOf>[0]> = {}) =>
    plotOf({
      ...{
        history,
        targets: history.series.map((s) => targetNamed(s.target)),
        actions: [],
        labels: undefined,
      },
      ...{ trace: createTracer(history, 180_000).trace(), horizonS: 180, ...over },
    });

  test("has the series, its forecast and interval, thresholds, actions and incidents", () => {
    const history = historyOf([{ target: "shop", samples }]);
    const tracer = createTracer(history, 180_000);
    for (let i = 0; i < 100; i++)
      tracer.take(decisionOf("shop", { value: 200 + i, low: 150 + i, high: 250 + i }), (T0 + 30 * i) * 1000);
    const labels = `target,signal,onset,breach\nshop,p95_latency,${T0 + 600},${T0 + 2000}\n`;
    const { title, panels } = plot(history, {
      actions: [action("shop", T0 + 1500)],
      labels: readLabels(labels, "l"),
      trace: tracer.trace(),
    });
    expect(title).toBe("Replay: 1 series, 1 action");
    const [panel] = panels;
    expect(panel).toMatchObject({
      ...{ target: "shop", metric: "p95_latency", slo: 300, limit: 1000, window: [T0, T0 + 2970] },
      marks: [
        { at: T0 + 600, text: "onset" },
        { at: T0 + 1500, mark: "◆", text: "strong" },
        { at: T0 + 2000, text: "breach" },
      ],
      actions: [
        {
          ...{ time: "2026-01-05 12:25:00", because: "forecast over the SLO" },
          ...{ forecast: 812, probability: 0.73 },
        },
      ],
    });
    expect(panel?.observed.at).toEqual(samples.map(([at]) => at));
    expect(panel?.observed.values).toEqual(samples.map(([, value]) => Number(value.toPrecision(5))));
    const { at = [], value = [], low = [], high = [] } = panel?.forecast ?? {};
    expect([value.at(-1), low.at(-1), high.at(-1)]).toEqual([299, 249, 349]);
    // A forecast stands at the time that it is for, to the width of a column.
    expect(Math.abs((at.at(-1) ?? 0) - (T0 + 2970 + 180))).toBeLessThan(5);
  });

  test("has no interval where none is known, and a gap where samples or forecasts pause", () => {
    const paused: [number, number][] = [...samples.slice(0, 20), ...samples.slice(60)];
    const history = historyOf([{ target: "a", samples: paused }]);
    const tracer = createTracer(history, 180_000);
    for (const i of [0, 1, 90, 91]) tracer.take(decisionOf("a", { value: 7 }), (T0 + 30 * i) * 1000);
    const [panel] = plot(history, { trace: tracer.trace() }).panels;
    expect(panel?.observed.values.filter((v) => v === null)).toHaveLength(1);
    expect(panel?.observed.values[20]).toBeNull();
    expect(panel?.forecast.value).toEqual([7, 7, null, 7, 7]);
    expect(panel?.forecast.low).toEqual([null, null, null, null, null]);
  });

  test("has at most 24 panels, those with an action first, and says how many are left out", () => {
    const given = Array.from({ length: 30 }, (_, i) => ({ target: `t${i}`, samples }));
    const { panels, note } = plot(historyOf(given), {
      actions: [action("t29", T0 + 900), action("t29", T0 + 910)],
    });
    expect(panels).toHaveLength(MOST_PANELS);
    expect(panels.slice(0, 2).map((p) => p.target)).toEqual(["t29", "t0"]);
    expect(note).toContain("6 more series are left out (at most 24 are drawn)");
  });

  test("one sample, values that are all missing, and a thousand times too many samples all draw", () => {
    for (const list of [
      [[5, 1]],
      [
        [5, Number.NaN],
        [35, Number.NaN],
      ],
    ] as [number, number][][]) {
      const [panel] = plot(historyOf([{ target: "a", samples: list }])).panels;
      const numbers = [...(panel?.window ?? []), ...(panel?.range ?? []), ...(panel?.observed.at ?? [])];
      expect(numbers.every(Number.isFinite)).toBe(true);
      expect(panel?.observed.values.every((v) => v === 1)).toBe(true);
    }
    const many = Array.from({ length: 100_000 }, (_, i): [number, number] => [i, 100 + (i % 50)]);
    const long = plot(historyOf([{ target: "a", samples: many }]));
    expect(plotPage(long).length).toBeLessThan(200_000);
    // The lowest and the highest of each column stay.
    const values = long.panels[0]?.observed.values ?? [];
    expect([Math.min(...values.map(Number)), Math.max(...values.map(Number))]).toEqual([100, 149]);
  });
});

describe("the page of a plot", () => {
  test("stands in one file that asks for nothing, whatever the names", () => {
    const name = `a</script><b>&"c"\u0007`;
    const history = historyOf([{ target: name, samples: [[5, 1]] }]);
    const trace = createTracer(history, 180_000).trace();
    const targets = [targetNamed(name)];
    const html = plotPage(plotOf({ history, targets, actions: [], labels: undefined, trace, horizonS: 180 }));
    const scripts = [...html.matchAll(/<script([^>]*)>([\s\S]*?)<\/script>/g)];
    expect(scripts.map(([, attributes]) => attributes)).toEqual([
      ' id="data" type="application/json"',
      "",
      "",
    ]);
    expect(JSON.parse(scripts[0]?.[2] ?? "").panels[0].target).toBe(name);
    for (const [, , script = ""] of scripts.slice(1)) expect(() => new Script(script)).not.toThrow();
    expect(scripts[2]?.[2]).not.toMatch(/^(import|export) /m);
    expect(html).not.toMatch(/(src|href)=|@import|url\(/);
  });
});

describe("createTracer", () => {
  test("puts a forecast where it speaks of, and prefers one with an interval", () => {
    const history = historyOf([
      {
        target: "a",
        samples: [
          [0, 1],
          [720, 1],
        ],
      },
    ]);
    const tracer = createTracer(history, 180_000);
    const plain = decisionOf("a", { value: 5 });
    const sure = decisionOf("a", { predictor: "trend", value: 7, low: 6, high: 8 });
    tracer.take({ ...plain, verdicts: [...plain.verdicts, ...sure.verdicts] }, 360_000);
    const trace = tracer.trace().get("a/p95_latency");
    if (trace === undefined) throw new Error("no trace");
    const at = trace.forecast.findIndex((v) => !Number.isNaN(v));
    const spokenOf = 360_000 + 180_000;
    expect(trace.fromMs + at * trace.columnMs).toBeLessThanOrEqual(spokenOf);
    expect(trace.fromMs + (at + 1) * trace.columnMs).toBeGreaterThan(spokenOf);
    expect([trace.forecast[at], trace.low[at], trace.high[at]]).toEqual([7, 6, 8]);
  });
});
