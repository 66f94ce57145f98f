import { availableParallelism, loadavg } from "node:os";
import { parseArgs } from "node:util";
import { findServers } from "../../../test/setup/servers.ts";
import { textTable } from "../../common/text/table.ts";
import { seededRandom } from "../../services/kit/random.ts";
import { progress } from "../bench/progress.ts";
import { LIMIT_MS, run, SCENARIOS, type Summary, verdictOf } from "./run.ts";

const HELP = `npm run chaos -- [--kills N] [--minutes N] [--only NAME] [--seed N] [--output json]

Crashes and faults against real processes. Exit code 1 when a promise was broken.

  --kills N       kill -9 so many times in all, half of them at system calls (default 30)
  --minutes N     each campaign of kills ends after so long, however many there were
  --only NAME     one scenario: ${Object.keys(SCENARIOS).join(", ")}
  --seed N        of the random moments (default: the time)
  --output json   the findings as JSON instead of a table
`;

async function main(): Promise<number> {
  const { values } = parseArgs({
    options: {
      kills: { type: "string", default: "30" },
      minutes: { type: "string" },
      only: { type: "string" },
      seed: { type: "string", default: String(Date.now() % 1_000_000) },
      output: { type: "string", default: "table" },
      help: { type: "boolean", default: false },
    },
  });
  if (values.help) {
    process.stdout.write(HELP);
    return 0;
  }
  const wrong = complaint(values);
  if (wrong !== undefined) {
    process.stderr.write(`${wrong}\n`);
    return 2;
  }
  const { found, missing } = findServers(["prometheus", "strace", "faketime"]);
  if (missing.length > 0) {
    for (const { name, howToInstall } of missing)
      process.stderr.write(`${name} is missing: ${howToInstall}\n`);
    return 2;
  }
  const interrupted = new AbortController();
  for (const name of ["SIGINT", "SIGTERM"] as const) process.once(name, () => interrupted.abort());
  const summaries = await run({
    only: values.only,
    options: {
      kills: Number(values.kills),
      ...(values.minutes === undefined ? {} : { minutes: Number(values.minutes) }),
      prometheus: found.prometheus ?? "prometheus",
      random: seededRandom(Number(values.seed)),
      onProgress: progress,
      signal: interrupted.signal,
    },
  });
  progress("");
  const load = loadavg()[0] ?? 0;
  if (values.output === "json")
    process.stdout.write(`${JSON.stringify({ seed: values.seed, load, summaries })}\n`);
  else process.stdout.write(`${report(summaries, load)}\n`);
  return summaries.every((s) => s.violations.length === 0) ? 0 : 1;
}

function complaint(values: {
  kills: string;
  minutes?: string;
  only?: string;
  seed: string;
  output: string;
}): string | undefined {
  if (!/^[1-9]\d{0,4}$/.test(values.kills) || Number(values.kills) < 2)
    return `--kills is ${values.kills}: expected 2 to 99999`;
  if (values.minutes !== undefined && !/^[1-9]\d{0,3}$/.test(values.minutes))
    return `--minutes is ${values.minutes}: expected 1 to 9999`;
  if (values.only !== undefined && !Object.hasOwn(SCENARIOS, values.only))
    return `--only is ${values.only}: expected one of ${Object.keys(SCENARIOS).join(", ")}`;
  if (!/^\d{1,9}$/.test(values.seed)) return `--seed is ${values.seed}: expected a whole number`;
  if (!["table", "json"].includes(values.output))
    return `--output is ${values.output}: expected table or json`;
  return undefined;
}

function report(summaries: readonly Summary[], load: number): string {
  const head = [
    "scenario",
    "times",
    "effects",
    "duplicate",
    "lost",
    "recovery p50",
    "longest",
    "over 5 s",
    "verdict",
  ];
  const rows = summaries.map((s) => [
    s.scenario,
    String(s.times),
    String(s.effects),
    String(s.duplicateEffects),
    String(s.lostRecords),
    s.recovery === undefined ? "-" : `${(s.recovery.medianMs / 1000).toFixed(1)} s`,
    s.recovery === undefined ? "-" : `${(s.recovery.longestMs / 1000).toFixed(1)} s`,
    s.recovery === undefined ? "-" : String(s.recovery.late),
    verdictOf(s),
  ]);
  const said = summaries.flatMap((s) => s.violations.map((violation) => `  ${s.scenario}: ${violation}`));
  const busy = `load ${load.toFixed(1)} on ${availableParallelism()} cores; recovery limit ${LIMIT_MS / 1000} s`;
  return [textTable([head, ...rows]), busy, ...said].join("\n");
}

process.exitCode = await main();
