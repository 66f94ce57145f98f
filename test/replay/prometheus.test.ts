import { execFileSync } from "node:child_process";
import { mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { type RunningPrometheus, startPrometheus } from "../setup/prometheus.ts";
import { requireServer, serverPath } from "../setup/require-server.ts";
import { actionsOf, linesOf, runReplayCommand } from "./run.ts";

const STEP_S = 30;
const COUNT = 360;
/** Two hours back and more: blocks are cut at two hours, and the head must not be in the way. */
const START_S = Math.floor(Date.now() / 1000 / 3600) * 3600 - 8 * 3600;
const END_S = START_S + (COUNT - 1) * STEP_S;

/** Ramps that come and go, one job later than the other. */
function value(job: string, k: number): number {
  const rise = (k + (job === "alpha" ? 0 : 47)) % 120;
  return 100 + ((k * 13) % 11) + (rise > 60 ? (rise - 60) * (job === "alpha" ? 60 : 90) : 0);
}

/** While beta is down its last value goes on being answered: only `up` tells. */
const down = (job: string, k: number) => job === "beta" && k >= 200 && k < 220;

function openMetrics(): string {
  const lines = ["# TYPE lat gauge"];
  for (const job of ["alpha", "beta"])
    for (let k = 0; k < COUNT; k++)
      if (!down(job, k))
        lines.push(`lat{job="${job}",instance="i:1"} ${value(job, k)} ${START_S + k * STEP_S}`);
  lines.push("# TYPE up gauge");
  for (const job of ["alpha", "beta"])
    for (let k = 0; k < COUNT; k++)
      lines.push(`up{job="${job}",instance="i:1"} ${down(job, k) ? 0 : 1} ${START_S + k * STEP_S}`);
  return `${[...lines, "# EOF"].join("\n")}\n`;
}

function csv(): string {
  const rows = ["target,signal,timestamp,value"];
  for (const job of ["alpha", "beta"])
    for (let k = 0; k < COUNT; k++)
      rows.push(`${job},p95_latency,${START_S + k * STEP_S},${down(job, k) ? "" : value(job, k)}`);
  return `${rows.join("\n")}\n`;
}

const CONFIG = `signals:
  p95_latency: { query: 'max by ($by) (lat{job=~"$jobs"})', limit: 1000 }
  error_rate: { enabled: false }
  memory: { enabled: false }
  backlog: { enabled: false }
targets:
  - { name: alpha, url: "http://alpha:1" }
  - { name: beta, url: "http://beta:1", cooldown_seconds: 120 }
`;

let folder = "";
let server: RunningPrometheus | undefined;

beforeAll(async () => {
  folder = mkdtempSync(join(tmpdir(), "helius-replay-prom-"));
  writeFileSync(join(folder, "helius.yml"), CONFIG);
  writeFileSync(join(folder, "history.csv"), csv());
  const binary = serverPath("prometheus");
  const promtool = serverPath("promtool");
  if (binary === undefined || promtool === undefined) return;
  const file = join(folder, "history.openmetrics");
  writeFileSync(file, openMetrics());
  server = await startPrometheus({
    binary,
    config: "global: {}\n",
    prepare: (data) =>
      void execFileSync(promtool, ["tsdb", "create-blocks-from", "openmetrics", "-q", file, data], {
        stdio: ["ignore", "ignore", "pipe"],
      }),
  });
}, 60_000);
afterAll(async () => {
  await server?.stop();
  rmSync(folder, { recursive: true, force: true });
});

const run = (args: readonly string[]) =>
  runReplayCommand({ args: [...args, "--output=json", "--config.file=helius.yml"], cwd: folder });

function started(context: Parameters<typeof requireServer>[1]): RunningPrometheus {
  requireServer("prometheus", context);
  requireServer("promtool", context);
  if (server === undefined) throw new Error("Prometheus was not started");
  return server;
}

describe("helius replay --prom.url", () => {
  test("gives the same actions as the CSV of the same data, failed scrapes being missing", async (context) => {
    const { url } = started(context);
    const times = [`--start=${START_S}`, `--end=${new Date(END_S * 1000).toISOString()}`];
    const fromProm = await run([`--prom.url=${url}/`, ...times]);
    expect(fromProm).toMatchObject({ code: 0, stderr: "" });
    const fromCsv = await run(["--input=history.csv"]);
    expect(fromCsv).toMatchObject({ code: 0, stderr: "" });
    const actions = actionsOf(fromProm);
    expect(new Set(actions.map((a) => a.target))).toEqual(new Set(["alpha", "beta"]));
    expect(actions).toEqual(actionsOf(fromCsv));
    expect(linesOf(fromProm).at(-1)).toMatchObject({
      series: 2,
      samples: 2 * COUNT - 20,
      actions: actions.length,
    });
  });

  test("a coarser step is a coarser past", async (context) => {
    const { url } = started(context);
    const ran = await run([`--prom.url=${url}`, `--start=${START_S}`, `--end=${END_S}`, "--step=2m"]);
    expect(linesOf(ran).at(-1)).toMatchObject({ series: 2, samples: 2 * (COUNT / 4) - 5 });
  });

  test("nothing there, a server that answers sampleProblem, and no server: exit 1 and why", async (context) => {
    const { url } = started(context);
    const years = await run([`--prom.url=${url}`, "--start=1000000", "--end=1003600"]);
    expect(years).toMatchObject({ code: 1, stdout: "" });
    expect(years.stderr).toContain("has nothing of job alpha, beta between --start and --end");
    const path = await run([`--prom.url=${url}/nowhere`, "--start=1", "--end=2"]);
    expect(path.code).toBe(1);
    expect(path.stderr).toMatch(/Prometheus at .*\/nowhere: HTTP 404: answer is not JSON/);
    const refused = await run(["--prom.url=http://127.0.0.1:1", "--start=1", "--end=2"]);
    expect(refused.code).toBe(1);
    expect(refused.stderr).toContain("ECONNREFUSED");
  });
});
