import { afterAll, beforeAll, describe, expect, it } from "vitest";
import type { Observation } from "../../src/monitor/kernel/observation.ts";
import { signalPlugins } from "../../src/monitor/signals/index.ts";
import { createPrometheusSource, type PrometheusSource } from "../../src/monitor/sources/prometheus/index.ts";
import { type EvolvingService, startEvolvingService } from "../setup/evolving-service.ts";
import { waitFor } from "../setup/ports.ts";
import { type RunningPrometheus, startPrometheus } from "../setup/prometheus.ts";
import { requireServer, serverPath } from "../setup/require-server.ts";
import { planOf, requestNow } from "../setup/series.ts";
import { standStill } from "../setup/stand-still.ts";

const plan = planOf(
  ["steady", "doomed"].map((name) => ({
    name,
    signals: signalPlugins.map((definition) => ({ name: definition.kind, promql: definition.promql })),
  })),
);

let steady: EvolvingService;
let doomed: EvolvingService;
let prometheus: RunningPrometheus | undefined;
let source: PrometheusSource;

beforeAll(async () => {
  const binary = serverPath("prometheus");
  if (binary === undefined) return;
  [steady, doomed] = await Promise.all([
    startEvolvingService({ weight: 1 }),
    startEvolvingService({ weight: 1 }),
  ]);
  const config = `global: { scrape_interval: 1s, scrape_timeout: 900ms }
scrape_configs:
  - { job_name: steady, static_configs: [{ targets: ["${steady.name}"] }] }
  - { job_name: doomed, static_configs: [{ targets: ["${doomed.name}"] }] }
`;
  prometheus = await startPrometheus({ binary, config });
  source = createPrometheusSource({
    baseUrl: prometheus.url,
    timeoutMs: 1000,
    maxResponseBytes: 1e6,
    maxSampleAgeMs: 5000,
    maxFutureMs: 1000,
    rateWindowMs: 30_000,
  });
}, 120_000);

afterAll(async () => {
  await source?.close();
  await prometheus?.kill();
  await Promise.all([steady?.close(), doomed?.close()]);
});

/** Statuses of the steady and of the doomed job, each one word when all signals of the job say the same. */
async function statuses(): Promise<string> {
  const observations = await source.observe(requestNow(plan));
  const half = signalPlugins.length;
  const sumUp = (part: readonly Observation[]) => [...new Set(part.map((o) => o.status))].join("+");
  return `${sumUp(observations.slice(0, half))}, ${sumUp(observations.slice(half))}`;
}

const become = (wanted: string) =>
  waitFor(async () => (await statuses()) === wanted, { what: wanted, timeoutMs: 60_000, everyMs: 200 });

describe("a real Prometheus that loses a target, stops, and dies", { timeout: 240_000 }, () => {
  it("goes from ok to unreachable, and the other job stays ok as long as it can", async (context) => {
    requireServer("prometheus", context);
    await become("ok, ok");
    await doomed.close();
    await become("ok, unreachable");
    // rate() goes on answering for the dead job: it is the age of the samples that refuses it.
    const rate = 'sum(rate(http_requests_total{job="doomed"}[30s]))';
    const response = await fetch(`${prometheus?.url}/api/v1/query?query=${encodeURIComponent(rate)}`);
    const answer = (await response.json()) as { data: { result: { value: [number, string] }[] } };
    expect(Number(answer.data.result[0]?.value[1])).toBeGreaterThan(0);
    await standStill(prometheus?.pid ?? 0);
    const started = performance.now();
    const hung = await source.observe(requestNow(plan));
    expect(performance.now() - started).toBeLessThan(10_000);
    for (const o of hung)
      expect(o).toMatchObject({ status: "unreachable", detail: expect.stringMatching(/deadline/) });
    prometheus?.signal("SIGCONT");
    await become("ok, unreachable");
    await prometheus?.kill();
    for (const o of await source.observe(requestNow(plan))) expect(o.status).toBe("unreachable");
  });
});
