import { textTable } from "../../../common/text/table.ts";
import {
  createTrendBank,
  evaluate,
  pushSample,
  type TrendSpec,
} from "../../../monitor/forecast/predictor.ts";
import type { TrendKind } from "../../../monitor/forecast/settings.ts";
import { createRandom } from "./random.ts";
import { THRESHOLDS } from "./runs.ts";

/*
 * What a series costs: nanoseconds to take a sample and to evaluate, at 100, 1,000 and 10,000 series.
 * usage: node src/lab/bench/decisions/cost.ts
 */

const KINDS: readonly TrendKind[] = ["latency", "ratio", "memory", "backlog"];
const STEPS = 2_000_000;
const REPEATS = 10;

function specOf(kind: TrendKind): TrendSpec {
  return { kind, ...THRESHOLDS[kind], horizonS: 180, cycleS: 30, rateWindowS: 60, sensitivity: "default" };
}

/** Least over repeats (neighbours only ever add) of the nanoseconds a call of `work` takes, called `calls` times by each. */
function nanoseconds(calls: number, work: () => void): number {
  const times: number[] = [];
  for (let r = 0; r < REPEATS; r++) {
    // Processor time: neighbours on the machine do not count.
    const start = process.cpuUsage();
    work();
    const used = process.cpuUsage(start);
    times.push((1000 * (used.user + used.system)) / calls);
  }
  return Math.min(...times);
}

function measure(
  size: number,
  kinds: readonly TrendKind[],
): { push: number; evaluate: number; bytes: number } {
  const specs = Array.from({ length: size }, (_, i) => specOf(kinds[i % kinds.length] as TrendKind));
  const bank = createTrendBank(specs);
  const random = createRandom(`cost/${size}`);
  const noise = Float64Array.from({ length: 4096 }, () => 0.4 * Math.exp(0.1 * random.normal()));
  const sample = { timeS: 0, value: 0, support: 500 as number | undefined };
  let cycle = 0;
  const cycles = Math.max(1, Math.round(STEPS / REPEATS / size));
  const pushAll = () => {
    for (let c = 0; c < cycles; c++, cycle++) {
      sample.timeS = cycle * 30;
      for (let i = 0; i < size; i++) {
        sample.value = (noise[(cycle * 31 + i * 17) & 4095] as number) * (specs[i] as TrendSpec).slo;
        pushSample(bank, i, sample);
      }
    }
  };
  pushAll();
  const push = nanoseconds(cycles * size, pushAll);
  let spoke = 0;
  const evaluateAll = () => {
    for (let c = 0; c < cycles; c++) {
      for (let i = 0; i < size; i++) if (evaluate(bank, i, cycle * 30).trigger !== undefined) spoke++;
    }
  };
  evaluateAll();
  const evaluated = nanoseconds(cycles * size, evaluateAll);
  if (spoke > cycles * size * REPEATS) throw new Error("a healthy series spoke on every cycle");
  return { push, evaluate: evaluated, bytes: (bank.state.byteLength + bank.envelopes.byteLength) / size };
}

const rows = [["kinds", "series", "push ns", "evaluate ns", "bytes a series"]];
for (const size of [100, 1000, 10_000]) {
  for (const kinds of [["latency"], KINDS] as const) {
    const cost = measure(size, kinds);
    const figures = [size, cost.push, cost.evaluate, cost.bytes].map((figure) => figure.toFixed(0));
    rows.push([kinds.length === 1 ? kinds[0] : "all four", ...figures]);
  }
}
console.log(textTable(rows));
