import { describe, expect, test } from "vitest";
import type { Decision, Forecast } from "../../kernel/decision.ts";
import type { ReplayedAction } from "../engine/engine.ts";
import { readLabels } from "../input/labels.ts";
import { showTime } from "../output/time.ts";
import { historyOf, ramp, targetNamed } from "../replay.testkit.ts";
import { timeTicks, valueTicks } from "./axis.ts";
import { renderSvg } from "./svg.ts";
import { createTracer } from "./trace.ts";

const MOST_PANELS = 24;

/** Names of the elements, checked for balance, with their attributes. */
function elements(svg: string): { name: string; attributes: string }[] {
  const open: string[] = [];
  const found: { name: string; attributes: string }[] = [];
  for (const [, close, name = "", attributes = "", alone] of svg.matchAll(
    /<(\/?)([a-zA-Z]+)((?:\s+[\w:-]+="[^"<]*")*)\s*(\/?)>/g,
  )) {
    if (close === "/") expect(open.pop()).toBe(name);
    else {
      found.push({ name, attributes });
      if (alone !== "/") open.push(name);
    }
  }
  expect(open).toEqual([]);
  expect(svg.replace(/<\/?[a-zA-Z]+(?:\s+[\w:-]+="[^"<]*")*\s*\/?>/g, "")).not.toMatch(/[<>]/);
  return found;
}

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
      { predictor: full.predictor, forecast: full, probability: 0, trigger: undefined, quiet: "below_slo" },
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

describe("renderSvg", () => {
  const samples = ramp({ fromS: T0, count: 100, rampAt: 40, perStep: 20 });

  test("draws the series, its forecast and interval, thresholds, actions and incidents, well-formed whatever the names", () => {
    const name = `a<b>&"c"\u0007`;
    const history = historyOf([{ target: name, samples }]);
    const tracer = createTracer(history, 180_000);
    for (let i = 0; i < 100; i++)
      tracer.take(decisionOf(name, { value: 200 + i, low: 150 + i, high: 250 + i }), (T0 + 30 * i) * 1000);
    const svg = renderSvg({
      history,
      targets: [targetNamed(name)],
      actions: [action(name, T0 + 1500)],
      labels: readLabels(`target,signal,onset,breach\n"a<b>&""c"" x",p95_latency,1,2\n`, "l"),
      trace: tracer.trace(),
      horizonS: 180,
    });
    const names = elements(svg).map((e) => e.name);
    expect(names.filter((n) => n === "path").length).toBeGreaterThanOrEqual(5);
    expect(svg).toContain("a&lt;b&gt;&amp;&quot;c&quot;\uFFFD / p95_latency, ms");
    expect(svg).toContain("SLO 300 ms");
    expect(svg).toContain("hard limit 1000 ms");
    expect(svg).toContain("strong, forecast 812 ms, probability 0.73");
    expect(svg).toContain('fill="url(#hatch)"/>');
    expect(svg).toContain("2026-01-05 12:00");
    expect(svg).not.toContain("NaN");
    expect(svg).not.toContain("Infinity");
  });

  test("marks onset and breach, and draws no interval where none is known", () => {
    const history = historyOf([{ target: "a", samples }]);
    const svg = renderSvg({
      history,
      targets: [targetNamed("a")],
      actions: [],
      labels: readLabels(`target,signal,onset,breach\na,p95_latency,${T0 + 600},${T0 + 2000}\n`, "l"),
      trace: createTracer(history, 180_000).trace(),
      horizonS: 180,
    });
    elements(svg);
    expect(svg).toMatch(/>onset<.*>breach</s);
    expect(svg.match(/fill="url\(#hatch\)"/g)).toHaveLength(1);
  });

  test("shows at most 24 panels, those with an action first, and says how many are left out", () => {
    const given = Array.from({ length: 30 }, (_, i) => ({ target: `t${i}`, samples }));
    const history = historyOf(given);
    const svg = renderSvg({
      history,
      targets: given.map((g) => targetNamed(g.target)),
      actions: [action("t29", T0 + 900), action("t29", T0 + 910)],
      labels: undefined,
      trace: createTracer(history, 180_000).trace(),
      horizonS: 180,
    });
    elements(svg);
    const titles = [...svg.matchAll(/>(t\d+) \/ p95_latency/g)].map((m) => m[1]);
    expect(titles).toHaveLength(MOST_PANELS);
    expect(titles.slice(0, 2)).toEqual(["t29", "t0"]);
    expect(svg).toContain("6 more series are left out (at most 24 panels)");
  });

  test("one sample, values that are all missing, and a thousand times too many samples all draw", () => {
    const draw = (list: [number, number][]) => {
      const history = historyOf([{ target: "a", samples: list }]);
      const trace = createTracer(history, 180_000).trace();
      return renderSvg({
        history,
        targets: [targetNamed("a")],
        actions: [],
        labels: undefined,
        trace,
        horizonS: 180,
      });
    };
    for (const list of [
      [[5, 1]],
      [
        [5, Number.NaN],
        [35, Number.NaN],
      ],
    ] as [number, number][][]) {
      elements(draw(list));
      expect(draw(list)).not.toMatch(/NaN|Infinity/);
    }
    const long = draw(Array.from({ length: 100_000 }, (_, i): [number, number] => [i, 100 + (i % 50)]));
    elements(long);
    expect(long.length).toBeLessThan(200_000);
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

describe("axes", () => {
  test("round values inside the range", () => {
    expect(valueTicks(0, 700, 5)).toEqual([0, 200, 400, 600]);
    expect(valueTicks(0, 0.11, 5).map((v) => v.toFixed(2))).toEqual(["0.00", "0.05", "0.10"]);
    expect(valueTicks(3, 3, 5)).toEqual([3]);
  });

  test("round times, the first with its date; small ones count from zero", () => {
    expect(timeTicks((T0 + 60) * 1000, (T0 + 7200) * 1000, 4).map((t) => t.text)).toEqual([
      "2026-01-05 12:30",
      "13:00",
      "13:30",
      "14:00",
    ]);
    expect(timeTicks(0, 7_200_000, 4).map((t) => t.text)).toEqual(["0:00", "0:30", "1:00", "1:30", "2:00"]);
  });

  test("dates agree with the calendar", () => {
    for (let ms = 1e11; ms < 5e12; ms += 86_399_000 * 37)
      expect(showTime(ms)).toBe(new Date(ms).toISOString().slice(0, 19).replace("T", " "));
  });
});
