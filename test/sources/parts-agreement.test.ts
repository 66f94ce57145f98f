import { setTimeout as sleep } from "node:timers/promises";
import { afterAll, beforeAll, expect, it } from "vitest";
import type { PartsObservation } from "../../src/monitor/kernel/observation.ts";
import type { PartReading } from "../../src/monitor/kernel/parts.ts";
import {
  chooseRegion,
  createRegionHistory,
  observeParts,
} from "../../src/monitor/playbooks/regions/index.ts";
import { createPrometheusSource, type PrometheusSource } from "../../src/monitor/sources/prometheus/index.ts";
import { createScrapeSource, type ScrapeSource } from "../../src/monitor/sources/scrape/index.ts";
import { temporaryDirectory } from "../../src/services/kit/kit.testkit.ts";
import { reading, startGateway, type TestGateway } from "../gateway/start.ts";
import { waitFor } from "../setup/ports.ts";
import { type RunningPrometheus, startPrometheus } from "../setup/prometheus.ts";
import { requireServer, serverPath } from "../setup/require-server.ts";
import { partsIn, partsNow, planOf } from "../setup/series.ts";

// A real gateway, scraped by a real Prometheus each second, and by the scrape source itself.

const clock = { now: () => ({ wallMs: Date.now(), monoMs: performance.now() }), bootId: "test" };
const limits = { timeoutMs: 900, maxResponseBytes: 1e6, rateWindowMs: 10_000 };
const REGIONS = ["us-east-1", "eu-central-1", "sa-east-1", "us-west-2"];

const folder = temporaryDirectory();
let gateway: TestGateway;
let prometheus: RunningPrometheus | undefined;
let scrape: ScrapeSource;
let byQuery: PrometheusSource;

beforeAll(async () => {
  const binary = serverPath("prometheus");
  if (binary === undefined) return;
  gateway = await startGateway({ dataDir: folder.path, env: { GATEWAY_CONSUME_RATE: "200" } });
  const config = `global: { scrape_interval: 1s, scrape_timeout: 900ms }
scrape_configs:
  - { job_name: telemetry-gateway, static_configs: [{ targets: ["${new URL(gateway.url).host}"] }] }
`;
  prometheus = await startPrometheus({ binary, config });
  scrape = createScrapeSource({ ...limits, clock });
  byQuery = createPrometheusSource({
    ...limits,
    baseUrl: prometheus.url,
    maxSampleAgeMs: 5000,
    maxFutureMs: 1000,
  });
}, 120_000);

afterAll(async () => {
  await scrape?.close();
  await byQuery?.close();
  await prometheus?.stop();
  await gateway?.close();
  folder.remove();
});

let sent = 0;

async function send(region: string, count: number): Promise<void> {
  const messages = Array.from({ length: count }, () => reading(`m${sent++}`));
  await gateway.post({ region, device: "pump", messages });
}

function request() {
  return partsNow(
    planOf([
      {
        name: "telemetry-gateway",
        instances: [{ name: new URL(gateway.url).host, url: gateway.url }],
        signals: [{}],
        parts: { label: "region", backlogMetric: "queue_depth", inboundMetric: "telemetry_received_total" },
      },
    ]),
  );
}

const both = () => Promise.all([scrape.parts(request()), byQuery.parts(request())]);

it("both sources say the same of the regions of a real gateway", async (context) => {
  requireServer("prometheus", context);
  await gateway.admin("POST", "/admin/fault?mode=backlog&factor=1000");
  for (const [at, region] of REGIONS.entries()) await send(region, 10 * (at + 1));
  await gateway.post({ region: "sa-east-1", device: "pump", messages: [reading("m0"), reading("m0")] });
  const settled = await waitFor(
    async () => {
      const [[ours], [theirs]] = await both();
      const isSame = (a: PartsObservation | undefined, b: PartsObservation | undefined): boolean =>
        a?.status === "ok" && b?.status === "ok" && JSON.stringify(a.parts) === JSON.stringify(b.parts);
      return isSame(ours, theirs) && { ours, theirs };
    },
    { what: "both sources to say the same", timeoutMs: 60_000, everyMs: 300 },
  );
  const of = (observation: PartsObservation | undefined, name: string): PartReading | undefined =>
    partsIn(observation).find(({ part }) => part === name);
  for (const observation of [settled.ours, settled.theirs]) {
    expect(partsIn(observation).map(({ part }) => part)).toEqual(expect.arrayContaining(REGIONS));
    // 30 of its own, and one message that came twice: both count as inbound.
    expect(of(observation, "sa-east-1")?.inboundTotal).toBe(32);
    expect(of(observation, "us-west-2")).toMatchObject({ inboundTotal: 40 });
    expect(of(observation, "us-west-2")?.backlog).toBeGreaterThan(30);
  }
  const ages = [settled.ours, settled.theirs].map((o) =>
    o?.status === "ok" ? Date.now() - o.timestampMs : 1e9,
  );
  for (const age of ages) expect(age).toBeLessThan(10_000);
  await gateway.admin("POST", "/admin/mitigate");
});

it("either source tells which region of a real gateway floods", { timeout: 240_000 }, async (context) => {
  requireServer("prometheus", context);
  await waitFor(async () => (await gateway.metric("queue_depth")) === 0, {
    what: "an empty queue",
    timeoutMs: 60_000,
  });
  const histories = { scrape: createRegionHistory(), prometheus: createRegionHistory() };
  const cycle = async (perSecond: (region: string) => number) => {
    const next = performance.now() + 1000;
    for (const region of REGIONS) await send(region, perSecond(region));
    const [[ours], [theirs]] = await both();
    if (ours) observeParts(histories.scrape, ours, clock.now());
    if (theirs) observeParts(histories.prometheus, theirs, clock.now());
    await sleep(Math.max(0, next - performance.now()));
    return Object.values(histories).map((history) => chooseRegion(history, clock.now()));
  };
  // us-east-1 is always the biggest.
  const usual = (region: string) => (region === "us-east-1" ? 60 : 12);
  for (let i = 0; i < 28; i++)
    for (const choice of await cycle(usual)) expect(choice.region, JSON.stringify(choice)).toBeUndefined();
  const flood = (region: string) => (region === "sa-east-1" ? 900 : usual(region));
  let found: string[] = [];
  for (let i = 0; i < 12 && found.length < 2; i++) {
    const choices = await cycle(flood);
    for (const { region } of choices) expect(["sa-east-1", undefined]).toContain(region);
    found = choices.flatMap(({ region }) => region ?? []);
    if (found.length === 2)
      for (const choice of choices)
        expect(choice).toMatchObject({
          rule: "flood",
          why: expect.stringMatching(/^inbound \d+\/s, .* times its usual 1\d/),
        });
  }
  expect(found).toEqual(["sa-east-1", "sa-east-1"]);
});
