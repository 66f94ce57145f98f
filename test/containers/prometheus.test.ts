import { spawnSync } from "node:child_process";
import { globSync } from "node:fs";
import { afterAll, beforeAll, expect, test } from "vitest";
import type { RunningMonitor } from "../../src/monitor/app/monitor.ts";
import { startMonitor } from "../../src/monitor/app/monitor.ts";
import { temporaryDirectory } from "../../src/services/kit/kit.testkit.ts";
import { startServiceFromEnv } from "../../src/services/registry.ts";
import { metricsOf, prometheusAlerts, recordingRules, ruleFiles } from "../alerting/rules.ts";
import { freePort, waitFor } from "../setup/ports.ts";
import { type RunningPrometheus, startPrometheus } from "../setup/prometheus.ts";
import { requireServer, serverPath } from "../setup/require-server.ts";
import { inRepository, readRepository } from "./compose.ts";

const rules = [...recordingRules, ...prometheusAlerts];

let prometheus: RunningPrometheus | undefined;
let monitor: RunningMonitor | undefined;
let service: Awaited<ReturnType<typeof startServiceFromEnv>> | undefined;
let recommender: Awaited<ReturnType<typeof startServiceFromEnv>> | undefined;
const folder = temporaryDirectory();
const HISTORY = {
  method: "POST",
  headers: { "content-type": "application/json" },
  body: JSON.stringify({ history: [44] }),
};

beforeAll(async () => {
  const binary = serverPath("prometheus");
  if (binary === undefined) return;
  const port = await freePort();
  service = await startServiceFromEnv(
    "product-api",
    { HELIUS_DATA_DIR: folder.path, ADMIN_TOKEN: "t" },
    { "web.listen-address": "127.0.0.1:0" },
    { write: () => {} },
  );
  recommender = await startServiceFromEnv(
    "recommender-service",
    { HELIUS_DATA_DIR: folder.path, ADMIN_TOKEN: "t" },
    { "web.listen-address": "127.0.0.1:0" },
    { write: () => {} },
  );
  monitor = await startMonitor({
    input: {
      file: undefined,
      env: { TARGET_SERVICE_BASE: service.url, PROM_URL: `http://127.0.0.1:${port}` },
      flags: { "web.listen_address": "127.0.0.1:0", cycle_interval_seconds: "2", data_dir: folder.path },
    },
    quiet: true,
  });
  // The shipped configuration with other addresses and a quicker beat; the rules are the shipped files themselves.
  const config = readRepository("prometheus/prometheus.yml")
    .replaceAll("15s", "1s")
    .replace("scrape_timeout: 10s", "scrape_timeout: 1s")
    .replace("rules/*.yml", inRepository("prometheus/rules/*.yml"))
    .replace("product-api:8000", new URL(service.url).host)
    .replace("recommender-service:8001", new URL(recommender.url).host)
    .replace("predictive-monitor:9105", new URL(monitor.url).host)
    .replace("127.0.0.1:9090", `127.0.0.1:${port}`);
  prometheus = await startPrometheus({ binary, port, config });
}, 60_000);

afterAll(async () => {
  await prometheus?.stop();
  await monitor?.close();
  await recommender?.close();
  await service?.close();
  folder.remove();
});

function promtool(context: Parameters<typeof requireServer>[1], ...args: string[]): string {
  const run = spawnSync(requireServer("promtool", context), args, {
    cwd: inRepository("."),
    encoding: "utf8",
  });
  expect(run.status, run.stdout + run.stderr).toBe(0);
  return run.stdout;
}

test("promtool accepts the configuration and finds every rule file", (context) => {
  const said = promtool(context, "check", "config", "prometheus/prometheus.yml");
  expect(said).toContain(`${ruleFiles.length} rule files found`);
});

test("the rules do what their tests say", (context) => {
  const files = globSync("prometheus/tests/*.yml", { cwd: inRepository(".") });
  expect(files.length).toBe(ruleFiles.length);
  const said = promtool(context, "test", "rules", ...files);
  expect(said.match(/SUCCESS/g)?.length).toBe(files.length);
  expect(said).not.toContain("FAILED");
});

test("a real Prometheus evaluates every expression, and the recorded signals have values", async (context) => {
  requireServer("prometheus", context);
  const url = (prometheus as RunningPrometheus).url;
  for (const rule of rules) {
    const answer = await query(url, rule.expr);
    expect(answer.status, `${rule.expr}: ${answer.error}`).toBe("success");
    expect(answer.warnings, rule.expr).toBeUndefined();
  }
  for (const { record } of recordingRules) {
    const job = record.includes("model_") ? "recommender-service" : "product-api";
    await waitFor(
      async () => {
        await (await fetch(`${service?.url}/products`)).arrayBuffer();
        await (await fetch(`${recommender?.url}/predict`, HISTORY)).arrayBuffer();
        const { data } = await query(url, `${record}{job="${job}"}`);
        return data?.result.some((row) => Number.isFinite(Number(row.value[1])));
      },
      { what: `a value of ${record}`, timeoutMs: 30_000, everyMs: 200 },
    );
  }
});

test("every series of Prometheus' own that an alert names is there", async (context) => {
  requireServer("prometheus", context);
  const page = await (await fetch(`${prometheus?.url}/metrics`)).text();
  const exported = new Set([...page.matchAll(/^# TYPE (\S+)/gm)].map((m) => m[1]));
  const named = prometheusAlerts.flatMap((a) => metricsOf(a.expr)).filter((m) => m.startsWith("prometheus_"));
  expect(new Set(named).size).toBe(3);
  for (const name of named) expect([...exported]).toContain(name);
});

/** Jobs that run here; the others of the shipped configuration are down, and Prometheus says so after a while. */
const UP: readonly (string | undefined)[] = ["product-api", "predictive-monitor", "prometheus", undefined];

test("Prometheus finds every rule sound, and nothing is firing about what is up", async (context) => {
  requireServer("prometheus", context);
  const url = (prometheus as RunningPrometheus).url;
  const found = await waitFor(
    async () => {
      const answer = await fetch(`${url}/api/v1/rules`);
      const { data } = (await answer.json()) as { data: { groups: { rules: RuleState[] }[] } };
      const all = data.groups.flatMap((g) => g.rules);
      return all.every((r) => r.health !== "unknown") ? all : undefined;
    },
    { what: "every rule to be evaluated", timeoutMs: 60_000 },
  );
  expect(found.length).toBe(rules.length);
  for (const rule of found)
    expect(`${rule.name} ${rule.health} ${rule.lastError ?? ""}`).toBe(`${rule.name} ok `);
  const firing = found.flatMap((r) => r.alerts ?? []).filter((a) => a.state === "firing");
  expect(firing.map((a) => a.labels).filter((labels) => UP.includes(labels.job))).toEqual([]);
});

interface RuleState {
  readonly name: string;
  readonly health: string;
  readonly lastError?: string;
  readonly alerts?: readonly {
    readonly state: string;
    readonly labels: Readonly<Record<string, string | undefined>>;
  }[];
}

interface Answer {
  readonly status: string;
  readonly error?: string;
  readonly warnings?: readonly string[];
  readonly data?: { readonly result: readonly { readonly value: readonly [number, string] }[] };
}

async function query(url: string, promql: string): Promise<Answer> {
  const answer = await fetch(`${url}/api/v1/query`, {
    method: "POST",
    body: new URLSearchParams({ query: promql }),
  });
  return (await answer.json()) as Answer;
}
