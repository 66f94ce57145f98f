import { availableParallelism } from "node:os";
import { parseArgs } from "node:util";
import { Worker } from "node:worker_threads";
import { errorMessage } from "../../../common/text/error.ts";
import { METHODS, methodsNamed } from "./methods.ts";
import { renderJson, renderTable } from "./report.ts";
import type { SeedSet } from "./runs.ts";
import { type Generator, SCENARIOS } from "./shapes.ts";
import { type Cell, type Job, NOISE_LEVELS } from "./tally.ts";

const HELP = `Judge forecasting methods on simulated services.

usage: node src/lab/bench/decisions/main.ts [options]
  --seeds N          runs a scenario and noise level (default 40; 3 with --short)
  --set NAME         held-out (default) or tuning: which seeds
  --generator NAME   reference (default) or variant: how the shapes are built
  --methods A,B      rows of the table (default all): ${METHODS.map((m) => m.name).join(", ")}
  --scenarios A,B    default all: ${SCENARIOS.map((s) => s.name).join(", ")}
  --cycle S          seconds between samples (default 30)
  --workers N        threads (default: one a core, at most 8)
  --short            a quick look
  --output FORMAT    table (default) or json
  --help`;

interface Options {
  readonly jobs: readonly Job[];
  readonly methods: readonly string[];
  readonly workers: number;
  readonly json: boolean;
  readonly about: Readonly<Record<string, unknown>>;
}

function wholeNumber(text: string, name: string, least: number): number {
  const n = Number(text);
  if (!Number.isInteger(n) || n < least)
    throw new Error(`--${name} must be a whole number >= ${least}, not ${text}`);
  return n;
}

function oneOf<T extends string>(text: string, name: string, allowed: readonly T[]): T {
  const found = allowed.find((a) => a === text);
  if (found === undefined) throw new Error(`--${name} must be ${allowed.join(" or ")}, not ${text}`);
  return found;
}

function readOptions(argv: readonly string[]): Options | undefined {
  const { values } = parseArgs({
    args: [...argv],
    options: {
      seeds: { type: "string" },
      set: { type: "string", default: "held-out" },
      generator: { type: "string", default: "reference" },
      methods: { type: "string" },
      scenarios: { type: "string" },
      cycle: { type: "string", default: "30" },
      workers: { type: "string" },
      short: { type: "boolean", default: false },
      output: { type: "string", default: "table" },
      help: { type: "boolean", default: false },
    },
  });
  if (values.help) return undefined;
  const seeds = values.seeds === undefined ? (values.short ? 3 : 40) : wholeNumber(values.seeds, "seeds", 1);
  const set: SeedSet = oneOf(values.set, "set", ["held-out", "tuning"]);
  const generator: Generator = oneOf(values.generator, "generator", ["reference", "variant"]);
  const cycleS = wholeNumber(values.cycle, "cycle", 5);
  const methods = values.methods === undefined ? METHODS.map((m) => m.name) : values.methods.split(",");
  methodsNamed(methods);
  const scenarios =
    values.scenarios === undefined ? SCENARIOS.map((s) => s.name) : values.scenarios.split(",");
  for (const name of scenarios) {
    oneOf(
      name,
      "scenarios",
      SCENARIOS.map((s) => s.name),
    );
  }
  const jobs = scenarios.flatMap((scenario) =>
    NOISE_LEVELS.map((cv): Job => ({ scenario, cv, seeds, set, generator, cycleS, methods })),
  );
  return {
    jobs,
    methods,
    workers:
      values.workers === undefined
        ? Math.min(8, availableParallelism())
        : wholeNumber(values.workers, "workers", 1),
    json: oneOf(values.output, "output", ["table", "json"]) === "json",
    about: { set, generator, seeds, cycleS, horizonS: 180 },
  };
}

/** Hands the jobs to the workers, one at a time each; answers their cells in the order of the jobs. */
function runAll(options: Options, progress: (done: number) => void): Promise<Cell[][]> {
  const { jobs } = options;
  const results: Cell[][] = new Array(jobs.length);
  let next = 0;
  let done = 0;
  return new Promise((resolve, reject) => {
    const workers = Array.from(
      { length: Math.min(options.workers, jobs.length) },
      () => new Worker(new URL("./worker.ts", import.meta.url)),
    );
    const finish = (error?: Error) => {
      for (const w of workers) void w.terminate();
      if (error === undefined) resolve(results);
      else reject(error);
    };
    for (const worker of workers) {
      let current = next++;
      worker.on("error", finish);
      worker.on("message", (cells: Cell[]) => {
        results[current] = cells;
        done++;
        progress(done);
        if (done === jobs.length) return finish();
        if (next >= jobs.length) return;
        current = next++;
        worker.postMessage(jobs[current]);
      });
      worker.postMessage(jobs[current]);
    }
  });
}

async function main(): Promise<void> {
  const options = readOptions(process.argv.slice(2));
  if (options === undefined) return console.log(HELP);
  const started = performance.now();
  const shows = process.stderr.isTTY;
  const results = await runAll(options, (done) => {
    if (shows) process.stderr.write(`\r${done}/${options.jobs.length} cells`);
  });
  if (shows) process.stderr.write("\r\x1b[K");
  const ordered = methodsNamed(options.methods).map((m) => m.name);
  const cells = new Map(ordered.map((name) => [name, new Map<string, Cell[]>()]));
  options.jobs.forEach((job, j) => {
    ordered.forEach((name, m) => {
      const by = cells.get(name) as Map<string, Cell[]>;
      by.set(job.scenario, [...(by.get(job.scenario) ?? []), (results[j] as Cell[])[m] as Cell]);
    });
  });
  const tookS = (performance.now() - started) / 1000;
  console.log(options.json ? renderJson(cells, { ...options.about, tookS }) : renderTable(cells));
  if (!options.json) console.log(`${JSON.stringify(options.about)}, ${tookS.toFixed(0)} s`);
}

try {
  await main();
} catch (error) {
  console.error(errorMessage(error));
  process.exitCode = 2;
}
