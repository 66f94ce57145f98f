import { loadConfig } from "../../../monitor/config/load.ts";
// One size, in a process of its own, so that its memory is its own: `worker.ts SIZE PROMETHEUS_URL`.

import { median } from "simple-statistics";
import { Agent, request } from "undici";
import { makePlan } from "../../../monitor/cycle/state.ts";
import { createLoop } from "../../../monitor/cycle/tick.ts";
import type { LoopSettings } from "../../../monitor/cycle/types.ts";
import { createLinearBank, forecastLinear, pushLinear } from "../../../monitor/forecast/linear/linear.ts";
import {
  createTrendBank,
  evaluate,
  pushSample,
  type TrendVerdict,
} from "../../../monitor/forecast/predictor.ts";
import type { Forecast, Verdict } from "../../../monitor/kernel/decision.ts";
import type { MetricSource, Observation } from "../../../monitor/kernel/observation.ts";
import type { Target } from "../../../monitor/kernel/target.ts";
import { decideSeries } from "../../../monitor/rules/decide.ts";
import { FRESH_LINEAR_MEMORY, judgeLinear } from "../../../monitor/rules/linear.ts";
import { FRESH_TREND_MEMORY, judgeTrend } from "../../../monitor/rules/trend.ts";
import { signalPlugins } from "../../../monitor/signals/index.ts";
import { parseAnswer, readRow } from "../../../monitor/sources/prometheus/answer.ts";
import { createPrometheusSource } from "../../../monitor/sources/prometheus/index.ts";
import { readTargets } from "../../../monitor/sources/prometheus/readings.ts";
import { createMemoryStore } from "../../../monitor/store/memory/index.ts";
import { jobName, LARGEST, SAMPLES, STEP_S, sampleValue } from "./backfill.ts";

/** Figures of one size; times are medians, microseconds a series unless said otherwise. */
export interface SizeFigures {
  readonly size: number;
  readonly parse: number;
  /** One new sample taken and a forecast made, by each predictor. */
  readonly forecastOfLinear: number;
  readonly forecastOfTrend: number;
  readonly decide: number;
  /** A whole tick without the network. */
  readonly tick: number;
  /** Reading the instant vector from Prometheus, with its freshness query: what a cycle waits for. */
  readonly observe: number;
  /** Prometheus answering predict_linear(x[10m], 180) for the same series, as JSON over HTTP. */
  readonly predictLinear: number;
  /** Resident memory of this process after the ticks, and before any series, bytes. */
  readonly rss: number;
  readonly rssEmpty: number;
}

const [sizeText = "", url = ""] = process.argv.slice(2);
const size = Number(sizeText);
const definition = signalPlugins[0];
if (definition === undefined) throw new Error("no signal is defined");
const rssEmpty = settledRss();
const rules = { horizonS: 180, probStrong: 0.6, probConfirmMin: 0.3, minR2: 0.2, preTimeoutRatio: 0.9 };
const signal = {
  ...definition.create({}),
  promql: 'max by ($by) (bench_signal{job=~"$jobs"})',
  linear: true,
  trend: true,
};
const targets: Target[] = Array.from({ length: size }, (_, i) => ({
  name: jobName(i),
  job: jobName(i),
  instances: [{ name: "i", url: "http://127.0.0.1:1" }],
  mitigation: { action: "mitigate" },
  aggregate: "job",
  signals: [signal],
  cooldownMs: 300_000,
  autoHeal: true,
}));
const plan = makePlan(targets);

/** Median microseconds a series over `rounds` runs, after two that are not counted. */
async function perSeries(rounds: number, run: (round: number) => unknown): Promise<number> {
  const times: number[] = [];
  for (let k = -2; k < rounds; k++) {
    const began = performance.now();
    await run(k + 2);
    if (k >= 0) times.push((1000 * (performance.now() - began)) / size);
  }
  return median(times);
}

function settledRss(): number {
  globalThis.gc?.();
  return process.memoryUsage.rss();
}

let step = 0;
const clock = {
  bootId: "bench",
  now: () => ({ wallMs: 1e12 + step * STEP_S * 1000, monoMs: step * STEP_S * 1000 }),
};
const canned: MetricSource = {
  name: "canned",
  observe: async () =>
    plan.map(
      (s): Observation => ({
        status: "ok",
        source: "canned",
        value: sampleValue(s.index, step),
        timestampMs: clock.now().wallMs,
      }),
    ),
};
const defaults = loadConfig({ file: undefined, env: {}, flags: {} });
const settings: LoopSettings = {
  targets,
  rules,
  sensitivity: "default",
  constants: {},
  linearWindow: SAMPLES,
  rateWindowMs: 60_000,
  maxSampleAgeMs: 60_000,
  autoHeal: false,
  cycleMs: STEP_S * 1000,
  observeDeadlineMs: 10_000,
  warmUpMs: 0,
  warmUpDeadlineMs: 10_000,
  actDeadlineMs: 10_000,
  intentTtlMs: 60_000,
  playbooks: [],
  alertStaleMs: 900_000,
  regionWindowS: 20,
  guards: defaults.guards,
  verification: defaults.verification,
  escalation: { resendMs: 60_000, lastsMs: 300_000, timeoutMs: 5000, externalUrl: undefined },
};
const noTriggerReason = { cycle() {}, action() {}, reconciled() {}, notice() {} };
const loop = createLoop(
  {
    clock,
    sources: [canned],
    store: createMemoryStore(),
    actions: new Map(),
    reporter: noTriggerReason,
    newId: () => `${step}`,
    deadline: (ms) => AbortSignal.timeout(ms),
  },
  settings,
);
const tick = await perSeries(40, async () => {
  step += 1;
  await loop.tick();
});
const rss = settledRss();

const agent = new Agent({ connections: 2 });
async function query(promql: string): Promise<string> {
  const { body, statusCode } = await request(`${url}/api/v1/query`, {
    method: "POST",
    headers: { "content-type": "application/x-www-form-urlencoded" },
    body: new URLSearchParams({ query: promql }).toString(),
    dispatcher: agent,
  });
  const text = await body.text();
  if (statusCode !== 200) throw new Error(`Prometheus answered ${statusCode}: ${text.slice(0, 200)}`);
  return text;
}

const own = size >= LARGEST ? "bench_signal" : `bench_signal{job=~"${targets.map((t) => t.job).join("|")}"}`;
const rounds = size >= LARGEST ? 15 : 40;

const answer = await query(own);
const parse = await perSeries(rounds, () => {
  const vector = parseAnswer(answer, "vector");
  const rows = vector.ok ? vector.rows.flatMap((row) => readRow(row, { names: ["job"] }) ?? []) : [];
  if (readTargets(rows, "job").size !== size) throw new Error("the answer has not every series");
});

const bank = createLinearBank({ size, window: SAMPLES });
for (let k = 0; k < SAMPLES; k++)
  for (let i = 0; i < size; i++) pushLinear(bank, i, k * STEP_S, sampleValue(i, k));
const forecasts: (Forecast | undefined)[] = new Array(size);
const forecastOfLinear = await perSeries(60, (round) => {
  for (let i = 0; i < size; i++) {
    pushLinear(bank, i, (SAMPLES + round) * STEP_S, sampleValue(i, round));
    forecasts[i] = forecastLinear(bank, i, rules.horizonS);
  }
});

const trendBank = createTrendBank(
  plan.map(() => ({
    kind: "latency" as const,
    ...signal.thresholds,
    horizonS: rules.horizonS,
    cycleS: STEP_S,
    rateWindowS: 60,
    sensitivity: "default" as const,
  })),
);
const readings: TrendVerdict[] = new Array(size);
const forecastOfTrend = await perSeries(60, (round) => {
  const timeS = round * STEP_S;
  for (let i = 0; i < size; i++) {
    pushSample(trendBank, i, { timeS, value: sampleValue(i, round), support: 600 });
    readings[i] = evaluate(trendBank, i, timeS);
  }
});

const now = { wallMs: Date.now(), monoMs: performance.now() };
let acting = 0;
const decide = await perSeries(60, () => {
  for (const series of plan) {
    const { verdict }: { verdict: Verdict } = judgeLinear({
      forecast: forecasts[series.index],
      thresholds: series.signal.thresholds,
      rules,
      memory: FRESH_LINEAR_MEMORY,
      fresh: true,
      on: true,
    });
    const trend = judgeTrend({
      reading: readings[series.index] as TrendVerdict,
      thresholds: series.signal.thresholds,
      memory: FRESH_TREND_MEMORY,
      known: true,
      on: true,
    });
    const decision = decideSeries({
      series,
      observation: { status: "ok", source: "bench", value: 1, timestampMs: now.wallMs },
      verdicts: [verdict, trend.verdict],
      inRisk: false,
      cooldownActive: false,
      settlingLeftMs: 0,
      now,
    });
    if (decision.act) acting += 1;
  }
});

const source = createPrometheusSource({
  baseUrl: url,
  timeoutMs: 30_000,
  maxResponseBytes: 2 ** 27,
  maxSampleAgeMs: 3_600_000,
  maxFutureMs: 10_000,
  rateWindowMs: 60_000,
});
const observe = await perSeries(rounds, async () => {
  const seen = await source.observe({
    plan,
    now: { wallMs: Date.now(), monoMs: performance.now() },
    signal: AbortSignal.timeout(30_000),
  });
  const ok = seen.filter((o) => o.status === "ok").length;
  if (ok !== size)
    throw new Error(
      `only ${ok} of ${size} series were read: ${JSON.stringify(seen.find((o) => o.status !== "ok"))}`,
    );
});
const predicted = `predict_linear(${own}[10m], 180)`;
const predictLinear = await perSeries(rounds, async () => {
  const got = parseAnswer(await query(predicted), "vector");
  if (!got.ok || got.rows.length !== size) throw new Error("predict_linear answered short");
});
await source.close();
await agent.close();
const figures: SizeFigures = {
  size,
  parse,
  forecastOfLinear,
  forecastOfTrend,
  decide,
  tick,
  observe,
  predictLinear,
  rss,
  rssEmpty,
};
process.stdout.write(`${JSON.stringify({ ...figures, acting })}\n`);
