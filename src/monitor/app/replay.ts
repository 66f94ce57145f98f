import { createReadStream } from "node:fs";
import { readFile } from "node:fs/promises";
import { setImmediate as turn } from "node:timers/promises";
import { type ConfigInput, loadConfig } from "../config/load.ts";
import type { Config } from "../config/types.ts";
import type { LoopSettings } from "../cycle/types.ts";
import type { Target } from "../kernel/target.ts";
import { BASELINES, runBaseline } from "../replay/baselines/run.ts";
import {
  type GuardScope,
  type Progress,
  type ReplayedAction,
  replay,
  silenceMs,
} from "../replay/engine/engine.ts";
import { ReplayInputError } from "../replay/input/error.ts";
import type { History } from "../replay/input/history.ts";
import { type Labels, readLabels } from "../replay/input/labels.ts";
import { createSampleReader } from "../replay/input/samples.ts";
import {
  actionLine,
  type MethodScores,
  type Summary,
  scoreLine,
  summaryLine,
} from "../replay/output/json.ts";
import { actionTable, scoreTable, summaryText } from "../replay/output/table.ts";
import { plotOf } from "../replay/plot/panels.ts";
import { createTracer, type Trace } from "../replay/plot/trace.ts";
import { score, type TimedAction } from "../replay/score.ts";
import { inferTargets } from "../replay/targets.ts";
import { signalPlugins } from "../signals/index.ts";
import { createMemoryStore } from "../store/memory/index.ts";
import { plotPage } from "../web/assets.ts";
import { type PrometheusRange, readPrometheusHistory } from "./replay-prometheus.ts";
import { loopSettings } from "./wiring.ts";

/** Where the past comes from. */
export type ReplaySource =
  | { readonly kind: "csv" /** A path, or `-` for standard input. */; readonly path: string }
  | (Omit<PrometheusRange, "stepMs"> & {
      readonly kind: "prometheus";
      /** Undefined: the cycle. */
      readonly stepMs: number | undefined;
    });

export interface ReplayOptions {
  readonly config: ConfigInput;
  readonly source: ReplaySource;
  readonly guards: GuardScope;
  /** A CSV of labels. */
  readonly labelsFile: string | undefined;
  readonly compare: boolean;
  /** Whether forecasts are kept for a plot. */
  readonly trace: boolean;
  readonly stop: AbortSignal;
  /** Told how far the replay is, several times a second. */
  readonly onProgress?: ((progress: Progress) => void) | undefined;
  /** Told what a person should know: one line each. */
  readonly onNote?: ((line: string) => void) | undefined;
}

export interface ReplayResult {
  readonly actions: readonly ReplayedAction[];
  /** The monitor's own row first; empty when there is nothing to score or compare. */
  readonly methods: readonly MethodScores[];
  readonly summary: Summary;
  readonly targets: readonly Target[];
  readonly history: History;
  readonly labels: Labels | undefined;
  readonly trace: Trace | undefined;
  readonly horizonS: number;
}

/** Name of the monitor's own row. */
const OWN_NAME = "helius";

/** The journal of a replay is never read back. */
const RETENTION = { maxEntries: 1, maxAgeMs: Number.MAX_SAFE_INTEGER };

/**
 * Replays the monitor's decisions over the past.
 * @throws ConfigError, ReplayInputError
 */
export async function runReplay(options: ReplayOptions): Promise<ReplayResult> {
  const began = performance.now();
  const note = options.onNote ?? (() => {});
  const config = loadConfig({ ...options.config, targetless: true });
  const labels =
    options.labelsFile === undefined
      ? undefined
      : readLabels(await readText(options.labelsFile), options.labelsFile);
  const cast = inferTargets({
    history: await readHistory(options, config, note),
    configured: config.targets,
    common: config.common,
  });
  for (const key of cast.left) note(`${key} is left out: the configuration switches that signal off`);
  const { targets, history } = cast;
  noteLabels(labels, history, note);
  const tracer = options.trace ? createTracer(history, config.predict.horizonMs) : undefined;
  const actions = await replay({
    history,
    targets,
    guards: options.guards,
    maxSampleAgeMs: config.sources.maxSampleAgeMs,
    ports: {
      openStore: (clock) => createMemoryStore({ clock, retention: RETENTION }),
      settingsFor: (some) => replaySettings(config, some),
      breathe: breather(options),
      ...(tracer === undefined ? {} : { onDecision: tracer.take }),
    },
  });
  const methods = judgeMethods({ options, config, targets, history, labels, actions });
  return {
    actions,
    methods,
    summary: {
      series: history.series.length,
      samples: history.samples,
      actions: actions.length,
      wallMs: performance.now() - began,
    },
    targets,
    history,
    labels,
    trace: tracer?.trace(),
    horizonS: config.predict.horizonMs / 1000,
  };
}

/**
 * The daemon's own settings over these targets, acting. What a playbook would do in place of a mitigation has no past
 * to be replayed on, so that every action is shown as the mitigation it stands for.
 */
function replaySettings(config: Config, targets: readonly Target[]): LoopSettings {
  return { ...loopSettings(config), targets, autoHeal: true, playbooks: [] };
}

async function readHistory(
  { source, stop }: ReplayOptions,
  config: Config,
  note: (line: string) => void,
): Promise<History> {
  if (source.kind === "prometheus") {
    const range = { ...source, stepMs: source.stepMs ?? config.cycleIntervalMs };
    return readPrometheusHistory({ range, config, stop, note });
  }
  const file = source.path === "-" ? "stdin" : source.path;
  const reader = createSampleReader({ file, signals: signalPlugins.map((d) => d.kind) });
  const stream = source.path === "-" ? process.stdin : createReadStream(source.path);
  // Fatal: bytes that are no UTF-8 must not become another name.
  const decoder = new TextDecoder("utf-8", { fatal: true, ignoreBOM: true });
  try {
    for await (const chunk of stream) {
      stopIfTold(stop);
      reader.push(decoder.decode(chunk as Uint8Array, { stream: true }));
    }
    reader.push(decoder.decode());
  } catch (error) {
    throw readable(error, file);
  }
  return reader.end();
}

async function readText(file: string): Promise<string> {
  try {
    return new TextDecoder("utf-8", { fatal: true, ignoreBOM: true }).decode(await readFile(file));
  } catch (error) {
    throw readable(error, file);
  }
}

/** What a person can do about a file that cannot be read. */
function readable(error: unknown, file: string): unknown {
  const code = (error as NodeJS.ErrnoException).code;
  if (code === "ENOENT") return new ReplayInputError(`${file}: no such file`);
  if (code === "EISDIR") return new ReplayInputError(`${file}: is a folder, not a file`);
  if (code === "EACCES") return new ReplayInputError(`${file}: may not be read`);
  if (code === "ERR_ENCODING_INVALID_ENCODED_DATA") return new ReplayInputError(`${file}: is not UTF-8 text`);
  return error;
}

function noteLabels(labels: Labels | undefined, history: History, note: (line: string) => void): void {
  if (labels === undefined) return;
  const known = new Set(history.series.map((s) => `${s.target}/${s.signal}`));
  const strangers = [...labels.keys()].filter((key) => !known.has(key));
  if (strangers.length > 0)
    note(`${strangers.length} labelled series are not in the input, the first is ${strangers[0]}`);
  const bare = [...known].filter((key) => !labels.has(key));
  if (bare.length > 0)
    note(`${bare.length} series have no label and are not judged, the first is ${bare[0]}`);
}

const PROGRESS_EVERY_MS = 200;

/** Lets signals and output through, and ends the replay when the process is told to stop. */
function breather({ stop, onProgress }: ReplayOptions): (progress: Progress) => Promise<void> {
  let toldMs = performance.now();
  return async (progress) => {
    await turn();
    stopIfTold(stop);
    if (onProgress === undefined || performance.now() - toldMs < PROGRESS_EVERY_MS) return;
    toldMs = performance.now();
    onProgress(progress);
  };
}

function stopIfTold(stop: AbortSignal): void {
  if (stop.aborted) throw new ReplayInputError("interrupted");
}

function judgeMethods(input: {
  options: ReplayOptions;
  config: Config;
  targets: readonly Target[];
  history: History;
  labels: Labels | undefined;
  actions: readonly TimedAction[];
}): MethodScores[] {
  const { options, config, targets, history, labels } = input;
  if (labels === undefined && !options.compare) return [];
  const silence = silenceMs(config.cycleIntervalMs, config.sources.maxSampleAgeMs);
  const judge = (method: string, actions: readonly TimedAction[]): MethodScores => ({
    method,
    scores: score({ history, actions, labels, silenceMs: silence }),
  });
  const horizonS = config.predict.horizonMs / 1000;
  const others = options.compare ? BASELINES : [];
  return [
    judge(OWN_NAME, input.actions),
    ...others.map((baseline) => judge(baseline.name, runBaseline({ baseline, history, targets, horizonS }))),
  ];
}

/** What is printed: JSON lines for programs, or tables for people. */
export function renderReport(result: ReplayResult, output: "json" | "table"): string {
  const { actions, methods, summary, targets } = result;
  const parts =
    output === "json"
      ? [
          ...actions.map(actionLine),
          ...methods.flatMap((m) => m.scores.map((s) => scoreLine(m.method, s))),
          summaryLine(summary),
        ]
      : [
          `${actionTable(actions, targets)}\n`,
          ...(methods.length === 0 ? [] : [`${scoreTable(methods)}\n`]),
          summaryText(summary),
        ];
  return `${parts.join("\n")}\n`;
}

/** The page with the charts of a replay that was run with `trace`. */
export function renderPlot(result: ReplayResult): string {
  return plotPage(plotOf({ ...result, trace: result.trace ?? new Map() }));
}
