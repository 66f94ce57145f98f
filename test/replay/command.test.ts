import { mkdtempSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { actionsOf, linesOf, runReplayCommand } from "./run.ts";

const EXAMPLES = fileURLToPath(new URL("../../docs/examples/", import.meta.url));
const HEADER = "target,signal,timestamp,value\n";

let folder = "";
const run = (args: readonly string[], extra: { stdin?: string; env?: Record<string, string> } = {}) =>
  runReplayCommand({ args, cwd: folder, ...extra });

function put(name: string, text: string): string {
  const path = join(folder, name);
  writeFileSync(path, text);
  return path;
}

/** Latency in ms every 30 s: flat, then rising by `perStep` a sample. */
function rising(target: string, perStep: number, fromS = 1_767_614_400): string {
  return Array.from({ length: 100 }, (_, i) => {
    const value = 100 + ((i * 7) % 5) + Math.max(0, i - 40) * perStep;
    return `${target},p95_latency,${fromS + 30 * i},${value}\n`;
  }).join("");
}

beforeAll(() => {
  folder = mkdtempSync(join(tmpdir(), "helius-replay-"));
});
afterAll(() => rmSync(folder, { recursive: true, force: true }));

describe("helius replay", () => {
  test("JSON: one object an action, in order of time, then the summary; the same on a second run and from stdin", async () => {
    const text = HEADER + rising("b", 150) + rising("a", 120);
    const file = put("rising.csv", text);
    const ran = await run(["--input", file, "--output=json"]);
    expect(ran).toMatchObject({ code: 0, stderr: "" });
    const actions = actionsOf(ran);
    expect(actions.length).toBeGreaterThanOrEqual(4);
    for (const action of actions) {
      expect(Object.keys(action)).toEqual([
        "type",
        "target",
        "signal",
        "ts",
        "reason",
        "forecast",
        "probability",
      ]);
      expect(action).toMatchObject({ signal: "p95_latency", reason: expect.stringMatching(/^[a-z_]+$/) });
      expect(action.ts).toBeGreaterThan(1_767_614_400 + 40 * 30);
      expect(action.forecast).toBeGreaterThan(0);
      expect(action.probability).toBeGreaterThan(0);
      expect(action.probability).toBeLessThanOrEqual(1);
    }
    expect(actions.map((a) => a.ts)).toEqual(actions.map((a) => a.ts as number).toSorted((a, b) => a - b));
    expect(linesOf(ran).at(-1)).toEqual({
      type: "summary",
      series: 2,
      samples: 200,
      actions: actions.length,
      wall_ms: expect.any(Number),
    });
    const again = await run(["--input", "-", "--output", "json", "--guards", "per-target"], {
      stdin: `\uFEFF${text.replaceAll("\n", "\r\n")}`,
    });
    expect(again.code).toBe(0);
    expect(actionsOf(again)).toEqual(actions);
  });

  test("file, variables and flags apply as in the monitor; targets that are not named get the common settings", async () => {
    const file = put("three.csv", HEADER + rising("tight", 4) + rising("plain", 4) + rising("stranger", 4));
    const config = put(
      "helius.yml",
      `signals: { p95_latency: { slo: 900, limit: 1000 } }
targets:
  - { name: tight, url: "http://tight:1", cooldown_seconds: 60, auto_heal: false, signals: { p95_latency: { slo: 150, limit: 300 } } }
  - { name: plain, url: "http://plain:1" }
`,
    );
    const named = async (args: string[], env: Record<string, string> = {}) => {
      // All three rise at once: for the fleet as a whole that is a storm, in which nobody acts.
      const alone = ["--input", file, "--output=json", "--guards=per-target", ...args];
      const ran = await run(alone, { env });
      expect(ran).toMatchObject({ code: 0, stderr: "" });
      return new Set(actionsOf(ran).map((a) => a.target));
    };
    expect(await named([`--config.file=${config}`])).toEqual(new Set(["tight"]));
    const low = { SLO_P95_MS: "120", P95_TIMEOUT_MS: "300", AUTO_HEAL: "0" };
    expect(await named([`--config.file=${config}`], low)).toEqual(new Set(["tight", "plain", "stranger"]));
    const flags = ["--signals.p95-latency.slo=120", "--signals.p95-latency.limit=300"];
    expect(await named(flags)).toEqual(new Set(["tight", "plain", "stranger"]));
    const actionsWith = async (cooldown: string) =>
      actionsOf(
        await run([
          ...["--input", file, "--output=json", "--guards=per-target"],
          ...flags,
          `--predict.cooldown-seconds=${cooldown}`,
        ]),
      ).length;
    expect(await actionsWith("60")).toBeGreaterThan(await actionsWith("3000"));
  });

  test("a file whose playbooks name its own targets is replayed, watched-only targets and strangers too", async () => {
    const file = put("own.csv", HEADER + rising("tight", 4) + rising("stranger", 4));
    const config = put(
      "own.yml",
      `signals: { p95_latency: { slo: 120, limit: 300 } }
targets: [{ name: tight, url: "http://tight:1" }]
actions: { http: [{ name: ops, url: "http://ops/" }] }
playbooks: [{ name: p, forecast: { target: tight, signal: p95_latency }, steps: [{ action: http, on: ops }] }]
`,
    );
    const ran = await run([
      "--input",
      file,
      "--output=json",
      "--guards=per-target",
      `--config.file=${config}`,
    ]);
    expect(ran).toMatchObject({ code: 0, stderr: "" });
    expect(new Set(actionsOf(ran).map((a) => a.target))).toEqual(new Set(["tight", "stranger"]));
  });

  test("a signal that the configuration switches off is left out, and said so", async () => {
    const file = put("off.csv", `${HEADER}${rising("a", 100)}a,backlog,1,5\n`);
    const config = put("off.yml", "signals: { backlog: { enabled: false } }\n");
    const ran = await run(["--input", file, "--output=json", "--config.file", config]);
    expect(ran.code).toBe(0);
    expect(ran.stderr).toContain("a/backlog is left out");
    expect(linesOf(ran).at(-1)).toMatchObject({ series: 1, samples: 100 });
  });

  test("the examples: labels, comparison, table and plot", async () => {
    const plot = join(folder, "plot.html");
    const base = [
      "--input",
      `${EXAMPLES}replay.csv`,
      "--labels",
      `${EXAMPLES}replay-labels.csv`,
      "--compare",
    ];
    const table = await run([...base, "--plot", plot]);
    expect(table).toMatchObject({ code: 0, stderr: "" });
    for (const name of [
      "helius",
      "founding algorithm",
      "static threshold 1m",
      "predict_linear 5m, for 1m",
      "predict_linear 10m, for 1m",
    ])
      expect(table.stdout).toMatch(new RegExp(`^${name} +all +5 +\\d+ +4 +\\d`, "m"));
    expect(table.stdout).toMatch(/5 series, 2390 samples, \d+ actions?, [\d.]+ s\n$/);
    expect(readFileSync(plot, "utf8")).toMatch(
      /^<!doctype html>[\s\S]*"target":"search","metric":"p95_latency"[\s\S]*<\/html>\n$/,
    );

    const json = linesOf(await run([...base, "--output", "json"]));
    const scores = json.filter((line) => line.type === "score");
    expect(scores).toHaveLength(25);
    const of = (method: string) => scores.find((s) => s.method === method && s.signal === "error_rate");
    // Errors jump at the breach itself: the threshold has held for a minute two samples later.
    expect(of("static threshold 1m")).toMatchObject({
      series: 1,
      incidents: 1,
      detected_before_breach: 0,
      late: 1,
      lead_mean_seconds: -60,
      false_mitigations: 0,
    });
    const own = scores.find((s) => s.method === "helius" && s.signal === "all");
    expect(own?.actions).toBe(json.filter((line) => line.type === "action").length);
  });

  test("labels of series that are not there, and series without labels, are told", async () => {
    const file = put("one.csv", HEADER + rising("a", 1));
    const labels = put("labels.csv", "target,signal,onset,breach\nz,memory,,\n");
    const ran = await run(["--input", file, "--labels", labels]);
    expect(ran.code).toBe(0);
    expect(ran.stderr).toContain("1 labelled series are not in the input, the first is z/memory");
    expect(ran.stderr).toContain("1 series have no label and are not judged, the first is a/p95_latency");
    expect(ran.stdout).toContain("No action would have been taken.");
  });

  test("--help names every flag with its default", async () => {
    const { code, stdout } = await run(["--help"]);
    expect(code).toBe(0);
    for (const flag of [
      "input",
      "prom.url",
      "start",
      "end",
      "step",
      "output",
      "guards",
      "labels",
      "compare",
      "plot",
      "config.file",
    ])
      expect(stdout).toMatch(new RegExp(`^  --${flag}\\b`, "m"));
    for (const shown of ["default table", "default all", "default false", "default the cycle", "$SLO_P95_MS"])
      expect(stdout).toContain(shown);
  });
});

describe("what is wrong", () => {
  test.each([
    ["empty", "", "stdin: empty; it must begin with the header target,signal,timestamp,value"],
    [
      "unknown signal",
      `${HEADER}a,cpu,1,2\n`,
      'stdin: line 2: unknown signal "cpu"; there is p95_latency, error_rate, memory, backlog',
    ],
    [
      "unsorted",
      `${HEADER}a,memory,2,2\na,memory,1,2\n`,
      "stdin: line 3: timestamp 1 of a/memory comes after 2",
    ],
  ])("input with %s: line, what is wrong, exit 1, nothing on stdout", async (_, stdin, message) => {
    const ran = await run(["--input=-", "--output=json"], { stdin });
    expect(ran).toMatchObject({ code: 1, stdout: "" });
    expect(ran.stderr).toContain(message);
    expect(ran.stderr).not.toContain("    at ");
  });

  test("files that cannot be read, bytes that are no text, a wrong configuration: exit 1", async () => {
    expect(await run(["--input", "absent.csv"])).toMatchObject({
      code: 1,
      stderr: "helius replay: absent.csv: no such file\n",
    });
    expect(await run(["--input", "."])).toMatchObject({
      code: 1,
      stderr: "helius replay: .: is a folder, not a file\n",
    });
    const latin = join(folder, "latin.csv");
    writeFileSync(latin, Buffer.concat([Buffer.from(HEADER), Buffer.from([0xe9, 0x2c])]));
    expect((await run(["--input", latin])).stderr).toContain("is not UTF-8 text");
    const file = put("fine.csv", HEADER + rising("a", 1));
    const bad = await run(["--input", file, "--config.file", put("bad.yml", "cycle: 3\n")]);
    expect(bad.code).toBe(1);
    expect(bad.stderr).toContain("bad.yml:1:1: cycle is not a known key");
    const labels = await run([
      "--input",
      file,
      "--labels",
      put("bad-labels.csv", "target,signal,onset,breach\na,memory,9,1\n"),
    ]);
    expect(labels).toMatchObject({ code: 1, stdout: "" });
    expect(labels.stderr).toContain("bad-labels.csv: line 2: breach 1 must not be before onset 9");
  });

  test("wrong flags: exit 2", async () => {
    const ran = await run(["--input=-", "--output=xml"]);
    expect(ran).toMatchObject({ code: 2, stdout: "" });
    expect(ran.stderr).toBe('helius replay: --output must be table or json, not "xml"\n');
  });
});
