// `node src/lab/bench/score.ts`: what keeping score of every forecast costs a series a cycle, and in memory.
import { median } from "simple-statistics";
import { textTable } from "../../common/text/table.ts";
import { noteAlarm } from "../../monitor/forecast/score/alarms.ts";
import { createScoreBank, type ScoreBank } from "../../monitor/forecast/score/bank.ts";
import { judgement } from "../../monitor/forecast/score/judgement.ts";
import { noteForecast, noteSample } from "../../monitor/forecast/score/note.ts";
import { summary } from "../../monitor/forecast/score/summary.ts";
import { createRandom } from "./decisions/random.ts";

const SIZES = [100, 1000, 10_000];
const PREDICTORS = 2;
const CYCLE_S = 30;
const HORIZON_S = 180;
const SIGNALS = ["p95_latency", "error_rate", "memory", "backlog"];

interface Figures {
  readonly size: number;
  /** Nanoseconds a series a cycle, median of the cycles: the sample (which scores both predictors), both forecasts. */
  readonly sample: number;
  readonly forecasts: number;
  /** Microseconds: all summaries and judgements, once a cycle. */
  readonly report: number;
  readonly bytes: number;
}

function report(bank: ScoreBank): number {
  let poor = 0;
  for (let w = 0; w < PREDICTORS; w++)
    for (let g = 0; g < SIGNALS.length; g++) {
      if (judgement(bank, w, g).verdict === "poor") poor++;
      poor += summary(bank, w, g).scored < 0 ? 1 : 0;
    }
  return poor;
}

function measure(size: number): Figures {
  const random = createRandom(`score/${size}`);
  const bank = createScoreBank({
    size,
    predictors: [{ name: "linear" }, { name: "trend", nominalCoverage: 0.9 }],
    groups: SIGNALS,
    groupOf: Int32Array.from({ length: size }, (_, i) => i % SIGNALS.length),
    horizonS: HORIZON_S,
    cycleS: CYCLE_S,
  });
  const cycles = Math.max(60, Math.min(600, Math.ceil(1_000_000 / size)));
  const value = Float64Array.from({ length: size }, () => random.between(50, 320));
  const [sample, forecasts, reports]: number[][] = [[], [], []];
  for (let c = 0; c < cycles; c++) {
    const timeS = 1_766_000_000 + c * CYCLE_S;
    for (let i = 0; i < size; i++) value[i] = (value[i] as number) * random.between(0.97, 1.031);
    const t0 = performance.now();
    for (let i = 0; i < size; i++) noteSample(bank, i, { timeS, value: value[i] as number, slo: 300 });
    const t1 = performance.now();
    for (let i = 0; i < size; i++) {
      const v = value[i] as number;
      const probability = Math.min(1, v / 400);
      const dueS = timeS + HORIZON_S;
      noteForecast(bank, i, 0, { madeS: timeS, dueS, value: v, probability });
      noteForecast(bank, i, 1, { madeS: timeS, dueS, value: v, low: 0.8 * v, high: 1.25 * v, probability });
      if (v > 290) noteAlarm(bank, i, 1, { timeS });
    }
    const t2 = performance.now();
    report(bank);
    const t3 = performance.now();
    // The first cycles have nothing to score yet, and warm the compiler up.
    if (c < 20) continue;
    sample?.push(((t1 - t0) / size) * 1e6);
    forecasts?.push(((t2 - t1) / size) * 1e6);
    reports?.push((t3 - t2) * 1e3);
  }
  const { scored } = summary(bank, 1);
  if (scored < size * (cycles - 10))
    throw new Error(`only ${scored} forecasts scored: the measurement is not one`);
  const arrays = [bank.rows, bank.aggregates, bank.lastS, bank.lastValue, bank.aboveS, bank.forgottenS];
  return {
    size,
    sample: median(sample ?? []),
    forecasts: median(forecasts ?? []),
    report: median(reports ?? []),
    bytes: arrays.reduce((sum, a) => sum + a.byteLength, bank.groupOf.byteLength),
  };
}

const rows = SIZES.map(measure);
console.log(
  textTable([
    ["", ...rows.map((r) => `${r.size} series`)],
    ["noteSample, scoring two predictors, ns a series", ...rows.map((r) => r.sample.toFixed(0))],
    ["noteForecast twice (and alarms), ns a series", ...rows.map((r) => r.forecasts.toFixed(0))],
    ["8 summaries and 8 judgements, us a cycle", ...rows.map((r) => r.report.toFixed(0))],
    ["memory, bytes a series", ...rows.map((r) => (r.bytes / r.size).toFixed(0))],
    ["memory, MB", ...rows.map((r) => (r.bytes / 1e6).toFixed(1))],
  ]),
);
