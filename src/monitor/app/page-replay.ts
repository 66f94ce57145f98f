import { Worker } from "node:worker_threads";
import type { LoopSettings } from "../cycle/types.ts";
import type { JournalEntry } from "../kernel/store.ts";
import type { ReplayedAction } from "../replay/engine/engine.ts";
import type { SeriesHistory } from "../replay/input/history.ts";
import { iso } from "../report/json.ts";
import type { Rings } from "../report/page/rings.ts";
import type { ReplayedAction as ShownAction } from "../report/wire.ts";
import { CAUSE_WORDS } from "../rules/explain.ts";
import { type ReplayApi, ReplayBusyError, ReplayFailedError } from "../web/replay.ts";
import type { PageReplayInput, PageReplayOutput } from "./page-replay-worker.ts";

/** A replay that takes longer is ended, milliseconds. */
const LIMIT_MS = 60_000;
/** Memory it may use, megabytes. */
const MEMORY_MB = 512;

export interface PageReplay extends ReplayApi {
  /** Ends a replay under way. */
  close(): Promise<void>;
}

/** "What would eager have done?": the recent past at other settings, in a worker thread, one at a time. */
export function createPageReplay(options: {
  readonly rings: Rings;
  readonly settings: () => LoopSettings;
  readonly maxSampleAgeMs: () => number;
  /** What was really done, newest first. */
  readonly journal: () => readonly JournalEntry[];
  readonly limitMs?: number;
}): PageReplay {
  const { rings, limitMs = LIMIT_MS } = options;
  let worker: Worker | undefined;
  return {
    async replay({ settings, spanMs }) {
      if (worker !== undefined)
        throw new ReplayBusyError("another replay is running; ask again when it is done");
      const current = options.settings();
      const past = recent(rings, current, spanMs);
      if (past.series.length === 0)
        throw new ReplayFailedError("there is no past yet: it begins with the first cycle");
      const began = performance.now();
      const input: PageReplayInput = {
        settings: settings.map((sensitivity) => ({ ...current, sensitivity })),
        series: past.series,
        maxSampleAgeMs: options.maxSampleAgeMs(),
      };
      worker = new Worker(new URL("./page-replay-worker.ts", import.meta.url), {
        workerData: input,
        resourceLimits: { maxOldGenerationSizeMb: MEMORY_MB },
      });
      try {
        const found = await outputOf(worker, limitMs);
        return {
          from: iso(past.fromMs),
          to: iso(past.toMs),
          series: past.series.length,
          samples: past.series.reduce((sum, s) => sum + s.count, 0),
          sensitivity: current.sensitivity,
          done: doneIn(options.journal(), past),
          replayed: settings.map((sensitivity, i) => ({
            sensitivity,
            actions: (found[i] ?? []).map(actionFields),
          })),
          took_seconds: Math.round(performance.now() - began) / 1000,
        };
      } finally {
        worker = undefined;
      }
    },
    async close() {
      await worker?.terminate();
    },
  };
}

interface Past {
  readonly series: readonly SeriesHistory[];
  readonly fromMs: number;
  readonly toMs: number;
}

/** The samples of the last `spanMs` of the series that are still watched. */
function recent(rings: Rings, { targets }: LoopSettings, spanMs: number): Past {
  const watched = new Set(targets.flatMap((t) => t.signals.map((s) => `${t.name}/${s.name}`)));
  const series: SeriesHistory[] = [];
  let [fromMs, toMs] = [Number.POSITIVE_INFINITY, Number.NEGATIVE_INFINITY];
  for (const points of rings.all()) {
    if (!watched.has(`${points.target}/${points.signal}`)) continue;
    const startMs = (points.atMs.at(-1) ?? 0) - spanMs;
    const [times, values]: [number[], number[]] = [[], []];
    points.atMs.forEach((at, i) => {
      const value = points.columns.observed[i] ?? Number.NaN;
      // A sample that was seen twice is one sample.
      const timeMs = at - (points.columns.age[i] || 0);
      if (at < startMs || !Number.isFinite(value) || timeMs <= (times.at(-1) ?? Number.NEGATIVE_INFINITY))
        return;
      times.push(timeMs);
      values.push(value);
    });
    if (times.length === 0) continue;
    fromMs = Math.min(fromMs, times[0] as number);
    toMs = Math.max(toMs, times.at(-1) as number);
    series.push({
      target: points.target,
      signal: points.signal,
      count: times.length,
      timesMs: Float64Array.from(times),
      values: Float64Array.from(values),
    });
  }
  return { series, fromMs, toMs };
}

function outputOf(worker: Worker, limitMs: number): Promise<PageReplayOutput> {
  return new Promise((resolve, reject) => {
    const fail = (why: string) => reject(new ReplayFailedError(why));
    const timer = setTimeout(() => {
      fail(`not done within ${limitMs / 1000} s; ask for fewer hours or one sensitivity`);
      void worker.terminate();
    }, limitMs);
    worker.once("message", (output: PageReplayOutput) => {
      resolve(output);
      void worker.terminate();
    });
    worker.once("error", (error: Error) => fail(`the replay failed: ${error.message}`));
    worker.once("exit", () => {
      clearTimeout(timer);
      fail("the replay ended without an answer");
    });
  });
}

function actionFields(action: ReplayedAction): ShownAction {
  return {
    at: iso(action.atMs),
    target: action.target,
    metric: action.signal,
    trigger: action.reason,
    because: CAUSE_WORDS[action.reason],
    predictor: action.predictor,
    forecast: action.forecast ?? null,
    probability: action.probability,
  };
}

function doneIn(journal: readonly JournalEntry[], { fromMs, toMs }: Past): ShownAction[] {
  return journal
    .filter(
      ({ intent }) => intent.at.wallMs >= fromMs && intent.at.wallMs <= toMs && intent.trigger !== "undo",
    )
    .map(({ intent, outcome }) => ({
      at: iso(intent.at.wallMs),
      target: intent.target,
      metric: intent.signal,
      trigger: intent.trigger,
      because: CAUSE_WORDS[intent.trigger],
      action: intent.kind,
      outcome: outcome?.status ?? "pending",
    }))
    .reverse();
}
