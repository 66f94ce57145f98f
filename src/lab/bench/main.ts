// `npm run bench`: what a cycle costs, beside Prometheus answering predict_linear for the same series in the same run.
import { execFile } from "node:child_process";
import { fileURLToPath } from "node:url";
import { promisify } from "node:util";
import { startPrometheus } from "../../../test/setup/prometheus.ts";
import { ensureServers } from "../../../test/setup/servers.ts";
import { textTable } from "../../common/text/table.ts";
import { backfill, LARGEST } from "./cycle/backfill.ts";
import type { SizeFigures } from "./cycle/worker.ts";
import { progress } from "./progress.ts";

const SIZES = [100, 1000, LARGEST];
const WORKER = fileURLToPath(new URL("./cycle/worker.ts", import.meta.url));

const { found, missing } = await ensureServers(["prometheus", "promtool"]);
if (found.prometheus === undefined || found.promtool === undefined) {
  for (const m of missing) console.error(`${m.name} is needed: ${m.howToInstall}`);
  process.exit(1);
}
const { prometheus, promtool } = found;

progress(`filling a Prometheus with ten minutes of ${LARGEST} series`);
const server = await startPrometheus({
  binary: prometheus,
  config: "global: {scrape_interval: 1h}\nscrape_configs: []\n",
  prepare: (dataFolder) =>
    backfill({ promtool, dataFolder, size: LARGEST, endS: Math.floor(Date.now() / 1000) }),
});
try {
  const rows: SizeFigures[] = [];
  for (const size of SIZES) {
    progress(`measuring ${size} series`);
    const args = ["--expose-gc", WORKER, `${size}`, server.url];
    const { stdout } = await promisify(execFile)(process.execPath, args, { maxBuffer: 2 ** 24 });
    rows.push(JSON.parse(stdout) as SizeFigures);
  }
  progress("");
  print(rows);
} finally {
  await server.stop();
}

/** What the monitor itself spends on a series, microseconds. */
function own(r: SizeFigures): number {
  return r.parse + r.forecastOfLinear + r.forecastOfTrend + r.decide;
}

function print(rows: readonly SizeFigures[]): void {
  const us = (v: number) => v.toFixed(3);
  const mb = (v: number) => (v / 1e6).toFixed(0);
  const ratio = (v: number) => `${v.toFixed(1)} x`;
  const line = (name: string, cell: (r: SizeFigures) => string) => [name, ...rows.map(cell)];
  console.log("\nMicroseconds a series (median):\n");
  console.log(
    textTable([
      ["", ...rows.map((r) => `${r.size} series`)],
      line("observe: parse an instant vector", (r) => us(r.parse)),
      line("forecast: linear predictor, 20 samples", (r) => us(r.forecastOfLinear)),
      line("forecast: trend predictor", (r) => us(r.forecastOfTrend)),
      line("decide: rules, gates, reason", (r) => us(r.decide)),
      line("parse + both forecasts + decide", (r) => us(own(r))),
      line("whole tick without network, scoring included", (r) => us(r.tick)),
      line("reading from Prometheus over HTTP", (r) => us(r.observe)),
      line("Prometheus: predict_linear(x[10m], 180)", (r) => us(r.predictLinear)),
    ]),
  );
  console.log("\nAgainst Prometheus' predict_linear on the same series, same run:\n");
  console.log(
    textTable([
      ["", ...rows.map((r) => `${r.size} series`)],
      line("predict_linear / (parse + both forecasts + decide)", (r) => ratio(r.predictLinear / own(r))),
      line("predict_linear / (read + tick): a whole cycle", (r) =>
        ratio(r.predictLinear / (r.observe + r.tick)),
      ),
    ]),
  );
  console.log("\nMemory of the process, MB:\n");
  console.log(
    textTable([
      ["", ...rows.map((r) => `${r.size} series`)],
      line("resident, before any series", (r) => mb(r.rssEmpty)),
      line("resident, after the ticks", (r) => mb(r.rss)),
    ]),
  );
}
