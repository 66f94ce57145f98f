import { spawnSync } from "node:child_process";
import { median } from "simple-statistics";
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import type { SignalDefinition } from "../../src/monitor/signals/define.ts";
import { signalPlugins } from "../../src/monitor/signals/index.ts";
import { createPrometheusSource } from "../../src/monitor/sources/prometheus/index.ts";
import { renderPromql } from "../../src/monitor/sources/prometheus/promql.ts";
import {
  computeRecipe,
  metricsOf,
  type RecipeData,
  type RecipeSeries,
} from "../../src/monitor/sources/scrape/calculate.ts";
import { createScrapeSource } from "../../src/monitor/sources/scrape/index.ts";
import { ExpositionError, parseExposition } from "../../src/monitor/sources/scrape/parser.ts";
import { type EvolvingService, startEvolvingService } from "../setup/evolving-service.ts";
import { freePort, waitFor } from "../setup/ports.ts";
import { type RunningPrometheus, startPrometheus } from "../setup/prometheus.ts";
import { requireServer, serverPath } from "../setup/require-server.ts";
import { numberIn, planOf, requestNow } from "../setup/series.ts";

const WINDOW_MS = 10_000;
const OF_APP = { names: ["job"], identities: [["app"]], windowMs: WINDOW_MS, ageMs: 5000 };
const clock = { now: () => ({ wallMs: Date.now(), monoMs: performance.now() }), bootId: "test" };

let services: EvolvingService[] = [];
let prometheus: RunningPrometheus | undefined;

beforeAll(async () => {
  const binary = serverPath("prometheus");
  if (binary === undefined) return;
  services = [await startEvolvingService({ weight: 1 }), await startEvolvingService({ weight: 0.5 })];
  const targets = services.map(({ name }) => JSON.stringify(name)).join(", ");
  const config = `global: { scrape_interval: 1s, scrape_timeout: 900ms }
scrape_configs:
  - job_name: app
    static_configs: [{ targets: [${targets}] }]
  - job_name: prometheus
    static_configs: [{ targets: ["127.0.0.1:SELF"] }]
`;
  const port = await freePort();
  prometheus = await startPrometheus({ binary, port, config: config.replace("SELF", String(port)) });
}, 120_000);

afterAll(async () => {
  await prometheus?.stop();
  await Promise.all(services.map((service) => service.close()));
});

function running(): RunningPrometheus {
  if (!prometheus) throw new Error("Prometheus was not started");
  return prometheus;
}

interface ApiSeries {
  readonly metric: Record<string, string>;
  readonly value?: [number, string];
  readonly values?: [number, string][];
}

/** Asks Prometheus itself, past the source under test. `atMs`: evaluation time. */
async function ask(query: string, atMs?: number): Promise<ApiSeries[]> {
  const form = new URLSearchParams(atMs === undefined ? { query } : { query, time: String(atMs / 1000) });
  const response = await fetch(`${running().url}/api/v1/query`, { method: "POST", body: form });
  const answer = (await response.json()) as { data: { result: ApiSeries[] } };
  return answer.data.result;
}

async function scrapes(count: number): Promise<number[]> {
  return waitFor(
    async () => {
      const series = await ask('up{job="app"}[5m]');
      const times = series[0]?.values?.map(([time]) => Math.round(time * 1000)) ?? [];
      return series.length === 2 && times.length >= count && times;
    },
    { what: `${count} scrapes by Prometheus`, timeoutMs: 60_000, everyMs: 200 },
  );
}

/** The samples that Prometheus stored, as the calculators take them: one entry an instance. */
async function stored(metrics: readonly string[], atMs: number): Promise<Map<string, RecipeData>> {
  const names = metrics.join("|");
  const all = await ask(`{__name__=~"${names}", job="app"}[${WINDOW_MS / 1000}s]`, atMs);
  const data = new Map<string, RecipeData>();
  for (const { name: instance } of services) {
    const own = all.filter(({ metric }) => metric.instance === instance);
    const of = (metric: string) => own.filter((series) => series.metric.__name__ === metric);
    data.set(instance, {
      series: (metric) => of(metric).map(toRecipeSeries),
      current: (metric) => of(metric).map(({ values = [] }) => Number(values.at(-1)?.[1])),
      declared: (metric) => of(metric).length > 0,
    });
  }
  return data;
}

function toRecipeSeries({ metric, values = [] }: ApiSeries): RecipeSeries {
  return {
    le: metric.le === undefined ? undefined : Number(metric.le.replace("+Inf", "Infinity")),
    times: values.map(([time]) => Math.round(time * 1000)),
    values: values.map(([, value]) => Number(value)),
  };
}

function difference(a: number, b: number): number {
  return a === b ? 0 : Math.abs(a - b) / Math.max(Math.abs(a), Math.abs(b));
}

async function compareAt(definition: SignalDefinition, atMs: number): Promise<number> {
  const data = await stored(metricsOf(definition.scrape), atMs);
  const range = { endMs: atMs, windowMs: WINDOW_MS };
  let largest = 0;
  for (const by of [["job"], ["job", "instance"]]) {
    const promql = renderPromql(definition.promql, { ...OF_APP, byInstance: by.length > 1 });
    const results = await ask(promql, atMs);
    expect(results).toHaveLength(by.length === 1 ? 1 : 2);
    for (const { metric, value } of results) {
      const instances = [...data].filter(([name]) => by.length === 1 || name === metric.instance);
      const ours = computeRecipe(
        definition.scrape,
        instances.map(([, entry]) => entry),
        range,
      );
      if (!ours.ok) throw new Error(`${definition.kind}: ${ours.detail}`);
      const relative = difference(ours.value, Number(value?.[1]));
      expect(relative, `${definition.kind} at ${atMs}`).toBeLessThan(1e-6);
      largest = Math.max(largest, relative);
    }
  }
  return largest;
}

function report(what: string, differences: Readonly<Record<string, number>>): void {
  const list = Object.entries(differences).map(([name, value]) => `${name} ${value.toExponential(1)}`);
  process.stdout.write(`${what}: ${list.join(", ")}\n`);
}

describe("the scrape source and real Prometheus", { timeout: 240_000 }, () => {
  it("compute the same from the same samples, also across a counter reset", async (context) => {
    requireServer("prometheus", context);
    const before = (await scrapes(8)).length;
    services[0]?.restart();
    const times = await scrapes(before + 5);
    const resets = await ask('sum(resets(http_requests_total{job="app"}[1m]))');
    expect(Number(resets[0]?.value?.[1])).toBe(2);
    const largest: Record<string, number> = {};
    // From before the window is full, over the reset, to now; never exactly on a sample, nor a window after one.
    const ends = times.slice(4).flatMap((time) => [time + 170, time + 530]);
    for (const definition of signalPlugins) {
      const found: number[] = [];
      for (const atMs of ends) found.push(await compareAt(definition, atMs));
      largest[definition.kind] = Math.max(...found);
    }
    report(`largest relative difference on the same samples, ${ends.length} times`, largest);
  });

  it("agree within 1 % when each scrapes for itself", async (context) => {
    requireServer("prometheus", context);
    const instances = services.map(({ name, url }) => ({ name, url }));
    const signals = signalPlugins.map(({ kind, promql, scrape }) => ({ name: kind, promql, scrape }));
    const plan = planOf([
      { name: "summed", job: "app", instances, signals },
      { name: "worst", job: "app", aggregate: "worst_instance", instances, signals },
    ]);
    const limits = { timeoutMs: 2000, maxResponseBytes: 1e6, rateWindowMs: WINDOW_MS };
    const scrape = createScrapeSource({ ...limits, clock });
    const byQuery = createPrometheusSource({
      ...limits,
      baseUrl: running().url,
      maxSampleAgeMs: 5000,
      maxFutureMs: 1000,
    });
    const from = (await scrapes(1)).length;
    // The two look at slightly different moments of a moving curve: the typical difference is judged, over seven looks.
    const found = plan.map((): number[] => []);
    for (let done = 1; done <= 12; done++) {
      await scrapes(from + done);
      const [ours, theirs] = await Promise.all([
        scrape.observe(requestNow(plan)),
        byQuery.observe(requestNow(plan)),
      ]);
      if (done <= 5) continue;
      for (const [at, { target }] of plan.entries()) {
        const [mine, other] = [ours[at], theirs[at]];
        found[at]?.push(difference(numberIn(mine), numberIn(other)));
        if (target.aggregate === "worst_instance" && mine?.status === "ok" && other?.status === "ok") {
          expect(mine.instance).toBeDefined();
          expect(other.instance).toBeDefined();
        }
      }
    }
    await Promise.all([scrape.close(), byQuery.close()]);
    const typical: Record<string, number> = {};
    for (const [at, { target, signal }] of plan.entries()) {
      const relative = median(found[at] ?? []);
      typical[`${target.name}/${signal.name}`] = relative;
      expect(relative, `${target.name}/${signal.name}`).toBeLessThan(0.01);
    }
    report("relative difference when each scrapes for itself, median of seven looks", typical);
  });

  it("see the same history: query_range gives what instant queries gave", async (context) => {
    requireServer("prometheus", context);
    const times = await scrapes(8);
    const definition = signalPlugins.find(({ scrape }) => scrape.kind === "rate_ratio");
    if (!definition) throw new Error("there is no ratio signal");
    const plan = planOf([{ name: "app", signals: [{ promql: definition.promql }] }]);
    const limits = { timeoutMs: 2000, maxResponseBytes: 1e6, rateWindowMs: WINDOW_MS };
    const source = createPrometheusSource({
      ...limits,
      baseUrl: running().url,
      maxSampleAgeMs: 5000,
      maxFutureMs: 1000,
    });
    const toMs = times.at(-1) ?? 0;
    const request = { plan, fromMs: toMs - 4000, toMs, stepMs: 1000, signal: new AbortController().signal };
    const [samples = []] = await source.history(request);
    await source.close();
    expect(samples).toHaveLength(4);
    for (const { timestampMs, value } of samples) {
      expect(timestampMs % 1000).toBe(0);
      const promql = renderPromql(definition.promql, { ...OF_APP, byInstance: false });
      const [same] = await ask(promql, timestampMs);
      expect(difference(value, Number(same?.value?.[1]))).toBeLessThan(1e-12);
    }
  });
});

describe("the text-format parser and real Prometheus", { timeout: 240_000 }, () => {
  it("reads Prometheus' own page to the very series that Prometheus reads from it", async (context) => {
    requireServer("prometheus", context);
    await waitFor(async () => (await ask('up{job="prometheus"} == 1')).length > 0, {
      what: "its own scrape",
    });
    const seen = await ask('{job="prometheus", __name__!~"up|scrape_.*"}');
    const text = await (await fetch(`${running().url}/metrics`)).text();
    const names = new Set([...text.matchAll(/^([a-zA-Z_:][a-zA-Z0-9_:]*)/gm)].map((match) => match[1] ?? ""));
    const { samples } = parseExposition(text, names);
    expect(samples).toHaveLength(text.split("\n").filter((line) => /^[^#]/.test(line)).length);
    const ours = new Set(samples.map(({ name, labels }) => JSON.stringify([name, labels])));
    for (const { metric } of seen) {
      const { __name__: name, job: _job, instance: _instance, ...rest } = metric;
      // An own label "instance" or "job" is kept under another name.
      const labels = Object.entries(rest)
        .map(([key, value]) => [key.replace(/^exported_/, ""), value])
        .sort(([a = ""], [b = ""]) => (a < b ? -1 : 1));
      expect(ours).toContain(JSON.stringify([name, labels]));
    }
    expect(seen.length).toBeGreaterThan(300);
  });

  it("accepts what promtool accepts and refuses what it refuses", (context) => {
    const promtool = requireServer("promtool", context);
    const pages = [
      services[0]?.page() ?? "",
      'x{a="1",} 1\n',
      "x 1 1234\n",
      "x NaN\n",
      "x -Inf\n",
      "x 1e-7\n\n\n# comment\ny 2\n",
      "x{} 1\n",
      "  x  1\n",
      "x\n",
      "x one\n",
      'x{a="1} 1\n',
      "x{a=1} 1\n",
      'x{a="1"b="2"} 1\n',
      "x 1 1.5\n",
      "x 1 2 3\n",
      "9x 1\n",
      "x-y 1\n",
      "x 1",
      "# TYPE x meter\nx 1\n",
      'x{a="1",a="1"} 1\n',
    ];
    for (const page of pages) {
      const checked = spawnSync(promtool, ["check", "metrics"], { input: page, encoding: "utf8" });
      // 0: fine; 3: fine but for style; 1: cannot be read.
      const accepted = checked.status !== 1;
      expect(readable(page), `${JSON.stringify(page.slice(0, 60))}: ${checked.stderr}`).toBe(accepted);
    }
  });
});

function readable(page: string): boolean {
  try {
    parseExposition(page, new Set(["x"]));
    return true;
  } catch (error) {
    if (error instanceof ExpositionError) return false;
    throw error;
  }
}
