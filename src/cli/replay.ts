import { existsSync, writeFileSync } from "node:fs";
import { dirname } from "node:path";
import { errorMessage } from "../common/text/error.ts";
import {
  type ReplayOptions,
  type ReplaySource,
  renderPlot,
  renderReport,
  runReplay,
} from "../monitor/app/replay.ts";
import { type Command, UsageError } from "./command.ts";
import { configFileFlag, configFlags, configValues, describeFlags, type Flag, readFlags } from "./flags.ts";

const own: readonly Flag[] = [
  flag("input", "", "CSV target,signal,timestamp,value to replay; - is standard input"),
  flag("prom.url", "", "replay the configured targets' past from this Prometheus instead"),
  flag("start", "", "with --prom.url: first moment, Unix seconds or RFC 3339"),
  flag("end", "", "with --prom.url: last moment, Unix seconds or RFC 3339"),
  flag("step", "the cycle", "with --prom.url: distance of samples, seconds or 30s, 5m, 1h"),
  flag("output", "table", "table for people, json for programs (one object a line)"),
  flag("guards", "all", "all: as the monitor; per-target: without guards across the fleet"),
  flag("labels", "", "CSV target,signal,onset,breach to judge the actions by; breach empty: never"),
  { ...flag("compare", "false", "set the usual rules beside it, in the same table"), kind: "boolean" },
  flag("plot", "", "also draw the series, forecasts and actions into this HTML page"),
];
const flags = [...own, configFileFlag, ...configFlags];
const DEFAULT_FILE = "config/helius.yml";

function flag(name: string, shownDefault: string, help: string): Flag {
  return { name, kind: "string", shownDefault, help };
}

export const replayCommand: Command = {
  name: "replay",
  help: () =>
    `helius replay --input=FILE|- [flags]
helius replay --prom.url=URL --start=TIME --end=TIME [flags]

Runs the monitor's own decisions, cooldown and guards included, over samples of the past and prints each action that
it would have taken. Nothing is called and nothing is stored.

The input is CSV with the header target,signal,timestamp,value: timestamps in Unix seconds, ascending for each series;
an empty value, NaN, Inf and -Inf are missing. Signals: p95_latency (ms), error_rate (ratio), memory (bytes),
backlog (messages). Targets that the configuration does not name get its common thresholds and cooldown.
With --labels: actions from onset to breach are detections, earlier ones false, later ones late.

Exits 0 when done, 1 when the input or the configuration is wrong (naming the line), 2 when the flags are.

${describeFlags(flags)}`,
  async run({ args, env, stop }) {
    const { values } = readFlags(args, flags);
    const output = choice(values, "output", ["table", "json"] as const);
    const options: ReplayOptions = {
      config: {
        file: values["config.file"] ?? (existsSync(DEFAULT_FILE) ? DEFAULT_FILE : undefined),
        env,
        flags: configValues(values),
      },
      source: sourceOf(values),
      guards: choice(values, "guards", ["all", "per-target"] as const),
      labelsFile: file(values, "labels"),
      compare: yes(values, "compare"),
      trace: values.plot !== undefined,
      stop,
      ...terminal(output),
    };
    const plot = file(values, "plot");
    if (plot !== undefined && !existsSync(dirname(plot)))
      throw new UsageError(`--plot: there is no folder ${dirname(plot)}`);
    if (plot !== undefined && !/\.html?$/.test(plot))
      throw new UsageError(`--plot writes an HTML page: name it FILE.html, not ${plot}`);
    try {
      const result = await runReplay(options).finally(() => options.onProgress && wipe());
      await print(renderReport(result, output));
      if (plot !== undefined) save(plot, renderPlot(result));
      return 0;
    } catch (error) {
      if (!(error instanceof Error) || error.name !== "ReplayInputError") throw error;
      process.stderr.write(`helius replay: ${error.message}\n`);
      return 1;
    }
  },
};

type Values = Readonly<Record<string, string>>;

function sourceOf(values: Values): ReplayOptions["source"] {
  const path = file(values, "input");
  const url = values["prom.url"];
  if ((path === undefined) === (url === undefined))
    throw new UsageError("give either --input=FILE (or --input=-) or --prom.url=URL");
  const range = ["start", "end", "step"] as const;
  if (path !== undefined) {
    for (const name of range)
      if (values[name] !== undefined)
        throw new UsageError(`--${name} goes with --prom.url, not with --input`);
    return { kind: "csv", path };
  }
  return promSource(values, url ?? "");
}

function promSource(values: Values, url: string): ReplaySource {
  const parsed = URL.parse(url);
  if (parsed === null || !/^https?:$/.test(parsed.protocol) || parsed.search !== "" || parsed.hash !== "")
    throw new UsageError(`--prom.url must be an http or https URL, not "${url}"`);
  const startMs = moment(values, "start");
  const endMs = moment(values, "end");
  if (startMs > endMs) throw new UsageError("--start must not be after --end");
  const stepMs = values.step === undefined ? undefined : duration(values.step);
  return { kind: "prometheus", url: url.replace(/\/+$/, ""), startMs, endMs, stepMs };
}

/** Unix seconds, or a date with its time and offset. */
function moment(values: Values, name: string): number {
  const text = values[name];
  if (text === undefined) throw new UsageError(`--prom.url needs --${name}`);
  const seconds = /^\d+(\.\d+)?$/.test(text) ? Number(text) : Number.NaN;
  const dated = /^\d{4}-\d{2}-\d{2}T\d{2}:\d{2}(:\d{2}(\.\d+)?)?(Z|[+-]\d{2}:\d{2})$/.test(text);
  const ms = dated ? Date.parse(text) : 1000 * seconds;
  if (!Number.isFinite(ms) || ms < 0 || ms > 1e14)
    throw new UsageError(`--${name} must be Unix seconds or like 2026-01-31T12:00:00Z, not "${text}"`);
  return Math.round(ms);
}

const UNIT_MS = { ms: 1, s: 1000, m: 60_000, h: 3_600_000 } as const;

function duration(text: string): number {
  const match = /^(\d+(?:\.\d+)?)(ms|s|m|h)?$/.exec(text);
  const ms =
    match === null ? Number.NaN : Number(match[1]) * UNIT_MS[(match[2] ?? "s") as keyof typeof UNIT_MS];
  if (!(ms >= 1000 && ms <= 86_400_000 && Number.isInteger(ms)))
    throw new UsageError(`--step must be 1 s to 24 h, such as 30 or 5m, not "${text}"`);
  return ms;
}

function choice<T extends string>(values: Values, name: string, allowed: readonly [T, ...T[]]): T {
  const given = values[name] ?? allowed[0];
  const found = allowed.find((a) => a === given);
  if (found === undefined) throw new UsageError(`--${name} must be ${allowed.join(" or ")}, not "${given}"`);
  return found;
}

function file(values: Values, name: string): string | undefined {
  if (values[name] === "") throw new UsageError(`--${name} needs a file name`);
  return values[name];
}

function yes(values: Values, name: string): boolean {
  return choice({ [name]: values[name] ?? "false" }, name, ["true", "false"] as const) === "true";
}

/** Notes go to standard error; progress too, when a person is looking. */
function terminal(output: "table" | "json"): Pick<ReplayOptions, "onNote" | "onProgress"> {
  const { stderr } = process;
  const live = stderr.isTTY === true && output === "table";
  return {
    onNote: (line) => {
      if (live) wipe();
      stderr.write(`helius replay: ${line}\n`);
    },
    onProgress: live
      ? ({ ticksDone, ticks }) => {
          const share = Math.floor((100 * ticksDone) / Math.max(1, ticks));
          wipe();
          stderr.write(`${share} % of ${ticks} cycles`);
        }
      : undefined,
  };
}

/** Clears the line of progress. */
function wipe(): void {
  process.stderr.write("\r\x1b[K");
}

/** Resolves when all is written; a reader that went away (`| head`) is no failure. */
function print(text: string): Promise<void> {
  return new Promise((resolve, reject) => {
    const settle = (error: Error | null | undefined) => {
      if (error === null || error === undefined || (error as NodeJS.ErrnoException).code === "EPIPE")
        resolve();
      else reject(error);
    };
    process.stdout.once("error", settle);
    process.stdout.write(text, settle);
  });
}

function save(path: string, text: string): void {
  try {
    writeFileSync(path, text);
  } catch (error) {
    const why = errorMessage(error);
    throw Object.assign(new Error(`--plot: ${why}`), { name: "ReplayInputError" });
  }
}
