// `node src/lab/bench/regions.ts`: how often the region that makes a backlog is chosen, on seeded incidents of a simulated gateway.
import { parseArgs } from "node:util";
import { textTable } from "../../common/text/table.ts";
import { createRandom } from "./decisions/random.ts";
import { progress } from "./progress.ts";
import { runIncident, type Verdict } from "./regions/run.ts";
import { SCENARIOS, type Scenario } from "./regions/scenarios.ts";

const HELP = `Judge the choice of the region on simulated incidents.

usage: node src/lab/bench/regions.ts [options]
  --seeds N      incidents a scenario (default 200)
  --set NAME     held-out (default) or tuning: which seeds
  --scenario X   only scenarios whose name contains X
  --wrong        also print every wrong choice and the numbers behind it
  --help`;

function readOptions() {
  const { values } = parseArgs({
    options: {
      seeds: { type: "string", default: "200" },
      set: { type: "string", default: "held-out" },
      scenario: { type: "string", default: "" },
      wrong: { type: "boolean", default: false },
      help: { type: "boolean", default: false },
    },
  });
  const seeds = Number(values.seeds);
  if (!Number.isInteger(seeds) || seeds < 1)
    throw new Error(`--seeds must be a whole number >= 1, not ${values.seeds}`);
  if (values.set !== "held-out" && values.set !== "tuning")
    throw new Error(`--set must be held-out or tuning, not ${values.set}`);
  return { ...values, seeds };
}

interface Row {
  readonly scenario: Scenario;
  readonly verdicts: readonly Verdict[];
}

function judge(scenario: Scenario, options: ReturnType<typeof readOptions>): Row {
  const verdicts: Verdict[] = [];
  for (let seed = 0; seed < options.seeds; seed++) {
    // The number counts how often held-out seeds were looked at before a rule was changed.
    const label = `${options.set}/3/${scenario.name}/${seed}`;
    const verdict = runIncident(scenario.build(createRandom(label)), `${label}/run`);
    verdicts.push(verdict);
    if (options.wrong && verdict.asked !== "right")
      console.log(`${label}: asked, ${verdict.asked}: ${JSON.stringify(verdict.choice)}`);
    if (options.wrong && verdict.wrong)
      console.log(`${label}: wrong after ${verdict.wrong.t} s: ${JSON.stringify(verdict.wrong.choice)}`);
  }
  return { scenario, verdicts };
}

function share(verdicts: readonly Verdict[], of: (v: Verdict) => boolean): string {
  return `${((100 * verdicts.filter(of).length) / verdicts.length).toFixed(2)} %`;
}

function delays(verdicts: readonly Verdict[]): [string, string] {
  const known = verdicts.flatMap(({ delay }) => delay ?? []).sort((a, b) => a - b);
  const quantile = (q: number) =>
    known.length === 0 ? "" : String(known[Math.ceil(q * (known.length - 1))]);
  return [quantile(0.5), quantile(0.99)];
}

function cells(name: string, verdicts: readonly Verdict[], wants: Scenario["wants"] | "both"): string[] {
  const [median, most] = wants === "none" ? ["", ""] : delays(verdicts);
  return [
    name,
    String(verdicts.length),
    wants,
    share(verdicts, (v) => v.asked === "right"),
    wants === "none" ? "" : share(verdicts, (v) => v.asked === "none"),
    share(verdicts, (v) => v.asked === "wrong"),
    share(verdicts, (v) => v.wrong !== undefined),
    median,
    most,
    wants === "none" ? "" : share(verdicts, (v) => v.largest === "right"),
    share(verdicts, (v) => v.largest === "wrong"),
  ];
}

function main(): void {
  const options = readOptions();
  if (options.help) {
    console.log(HELP);
    return;
  }
  const rows = SCENARIOS.filter(({ name }) => name.includes(options.scenario)).map((scenario) => {
    progress(scenario.name);
    return judge(scenario, options);
  });
  progress("");
  const all = (wants: Scenario["wants"]) =>
    rows.filter((r) => r.scenario.wants === wants).flatMap((r) => r.verdicts);
  const head = [
    "scenario",
    "runs",
    "wants",
    "right",
    "none",
    "wrong",
    "ever",
    "s p50",
    "p99",
    "largest: right",
    "wrong",
  ];
  console.log(
    textTable([
      head,
      ...rows.map(({ scenario, verdicts }) => cells(scenario.name, verdicts, scenario.wants)),
      ...(all("region").length > 0 ? [cells("a region stands out", all("region"), "region")] : []),
      ...(all("none").length > 0 ? [cells("none stands out", all("none"), "none")] : []),
      cells(
        "all",
        rows.flatMap((r) => r.verdicts),
        "both",
      ),
    ]),
  );
  console.log(`
right, none, wrong: the answer a minute (three cycles or scrapes at least) after the backlog passed its SLO of 100. ever: an innocent
region was named at some time of the run, also in calm, when nobody asks. s: seconds from there to the first right answer.
largest: the founding rule, the region with the largest backlog, asked at the same moment.`);
}

main();
