import { parseArgs } from "node:util";
import {
  HARD_LIMIT_MS,
  type Healed,
  injectAndHeal,
  RAMP,
  STEP,
  setStage,
} from "../../../test/e2e/kit/scenarios.ts";
import { createWorld } from "../../../test/e2e/kit/world.ts";
import { findServers } from "../../../test/setup/servers.ts";
import { textTable } from "../../common/text/table.ts";

const HELP = `node src/lab/bench/end-to-end.ts [--json]

Starts product-api, a load and the monitor as processes (and Prometheus, where there is one), injects a ramp and a
step of latency, and prints for each how long the mitigation took and how far P95 had got. About two minutes.

  ramp   ${RAMP.query} (15 ms a second)
  step   ${STEP.query}

Cycle 1 s, rates over 5 s, SLO 300 ms, hard limit ${HARD_LIMIT_MS} ms, horizon 180 s, 40 requests a second.
  --json  one JSON object a row instead of the table (default: table)
`;

interface Row {
  readonly fault: string;
  readonly source: string;
  readonly seconds: number;
  readonly p95Ms: number;
  readonly shareOfLimit: number;
  readonly signal: string;
  readonly decision: string;
}

/** Each case in a world of its own, so that none inherits a cooldown or a warm process from another. */
async function measure(fault: typeof RAMP, prometheus: string | undefined): Promise<Row> {
  const world = createWorld();
  const interrupted = () => void world.end().finally(() => process.exit(130));
  process.once("SIGINT", interrupted);
  try {
    const stage = await setStage(world, prometheus === undefined ? {} : { prometheus });
    return rowOf(await injectAndHeal(stage, fault));
  } finally {
    process.off("SIGINT", interrupted);
    await world.end();
  }
}

function rowOf({ fault, source, secondsToMitigation, p95Ms, event }: Healed): Row {
  return {
    fault: fault.name,
    source,
    seconds: secondsToMitigation,
    p95Ms,
    shareOfLimit: p95Ms / HARD_LIMIT_MS,
    signal: String(event.metric),
    decision: `${event.predictor} ${event.decision}`,
  };
}

function table(rows: readonly Row[]): string {
  const cells = rows.map((row) => [
    row.fault,
    row.source,
    `${row.seconds.toFixed(1)} s`,
    `${row.p95Ms.toFixed(0)} ms`,
    `${(100 * row.shareOfLimit).toFixed(0)} %`,
    row.signal,
    row.decision,
  ]);
  const head = ["fault", "source", "onset to mitigation", "P95 then", "of limit", "signal", "decision"];
  return textTable([head, ...cells], head.length);
}

const { values } = parseArgs({
  options: { json: { type: "boolean" }, help: { type: "boolean", short: "h" } },
});
if (values.help === true) {
  process.stdout.write(HELP);
  process.exit(0);
}
const { prometheus } = findServers(["prometheus"]).found;
if (prometheus === undefined)
  process.stderr.write("prometheus is not here: only the scrape source is measured\n");
const rows: Row[] = [];
for (const source of prometheus === undefined ? [undefined] : [prometheus, undefined])
  for (const fault of [RAMP, STEP]) {
    const row = await measure(fault, source);
    rows.push(row);
    if (values.json === true) process.stdout.write(`${JSON.stringify(row)}\n`);
  }
if (values.json !== true) process.stdout.write(`${table(rows)}\n`);
process.exit(0);
