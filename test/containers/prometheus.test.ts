import { spawnSync } from "node:child_process";
import { globSync } from "node:fs";
import { afterAll, beforeAll, expect, test } from "vitest";
import { parse } from "yaml";
import type { RunningMonitor } from "../../src/app/monitor.ts";
import { startMonitor } from "../../src/app/monitor.ts";
import { temporaryDirectory } from "../../src/services/kit/test-harness.ts";
import { startServiceFromEnv } from "../../src/services/registry.ts";
import { freePort, waitFor } from "../setup/ports.ts";
import { type RunningPrometheus, startPrometheus } from "../setup/prometheus.ts";
import { requireServer, serverPath } from "../setup/require-server.ts";
import { inRepository, readRepository } from "./compose.ts";

interface Rule {
  readonly record?: string;
  readonly alert?: string;
  readonly expr: string;
  readonly labels?: Readonly<Record<string, string>>;
  readonly annotations?: Readonly<Record<string, string>>;
}

const ruleFiles = globSync("prometheus/rules/*.yml", { cwd: inRepository(".") }).sort();
const rules = ruleFiles.flatMap((file) => {
  const { groups } = parse(readRepository(file)) as { groups: { rules: Rule[] }[] };
  return groups.flatMap((g) => g.rules);
});
const alerts = rules.filter((r) => r.alert !== undefined);

let prometheus: RunningPrometheus | undefined;
let monitor: RunningMonitor | undefined;
let service: Awaited<ReturnType<typeof startServiceFromEnv>> | undefined;
const folder = temporaryDirectory();

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
    .replace("predictive-monitor:9105", new URL(monitor.url).host)
    .replace("127.0.0.1:9090", `127.0.0.1:${port}`);
  prometheus = await startPrometheus({ binary, port, config });
}, 60_000);

afterAll(async () => {
  await prometheus?.stop();
  await monitor?.close();
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

test("every alert is exercised by a test", () => {
  const tests = globSync("prometheus/tests/*.yml", { cwd: inRepository(".") })
    .map(readRepository)
    .join("\n");
  for (const { alert } of alerts) expect(tests).toContain(`alertname="${alert}"`);
});

test("recording rules are named level:metric:operations", () => {
  const records = rules.filter((r) => r.record !== undefined);
  expect(records.length).toBe(4);
  for (const { record } of records) expect(record).toMatch(/^job:[a-z0-9_]+:[a-z0-9_]+$/);
});

test("every alert has a severity, a summary, a description and a runbook that is there", () => {
  const anchors = [...readRepository("docs/runbooks.md").matchAll(/^## (\w+)$/gm)].map((m) => m[1]);
  expect(alerts.map((a) => a.alert).sort()).toEqual([...anchors].sort());
  for (const { alert, labels, annotations } of alerts) {
    expect(alert).toMatch(/^([A-Z][a-z0-9]+)+$/);
    expect(labels?.severity, alert).toMatch(/^(critical|warning)$/);
    expect(annotations?.summary, alert).toBeTruthy();
    expect(annotations?.description, alert).toBeTruthy();
    expect(annotations?.runbook_url).toBe(`docs/runbooks.md#${alert?.toLowerCase()}`);
  }
});

test("a real Prometheus evaluates every expression, and the recorded signals have values", async (context) => {
  requireServer("prometheus", context);
  const url = (prometheus as RunningPrometheus).url;
  for (const rule of rules) {
    const answer = await query(url, rule.expr);
    expect(answer.status, `${rule.record ?? rule.alert}: ${answer.error}`).toBe("success");
    expect(answer.warnings, rule.expr).toBeUndefined();
  }
  const base = service?.url ?? "";
  for (const { record } of rules.filter((r) => r.record !== undefined))
    await waitFor(
      async () => {
        await (await fetch(`${base}/products`)).arrayBuffer();
        const { data } = await query(url, `${record}{job="product-api"}`);
        return data?.result.some((row) => Number.isFinite(Number(row.value[1])));
      },
      { what: `a value of ${record}`, timeoutMs: 30_000, everyMs: 200 },
    );
});

test("every monitor series that an alert names is really exported by a monitor at work, or made at its first event", async (context) => {
  requireServer("prometheus", context);
  const page = await (await fetch(`${monitor?.url}/metrics`)).text();
  const exported = new Set([...page.matchAll(/^# TYPE (\S+)/gm)].map((m) => m[1]));
  const named = new Set(alerts.flatMap((a) => a.expr.match(/\b(predict|log)_[a-z_]+/g) ?? []));
  expect(named.size).toBeGreaterThan(6);
  for (const name of named) expect([...exported]).toContain(name);
});

test("with everything up, Prometheus finds every rule sound and nothing is firing", async (context) => {
  requireServer("prometheus", context);
  const url = (prometheus as RunningPrometheus).url;
  const found = await waitFor(
    async () => {
      const answer = await fetch(`${url}/api/v1/rules`);
      const { data } = (await answer.json()) as { data: { groups: { rules: RuleState[] }[] } };
      const all = data.groups.flatMap((g) => g.rules);
      return all.every((r) => r.health !== "unknown") ? all : undefined;
    },
    { what: "every rule to be evaluated", timeoutMs: 20_000 },
  );
  expect(found.length).toBe(rules.length);
  for (const rule of found)
    expect(`${rule.name} ${rule.health} ${rule.lastError ?? ""}`).toBe(`${rule.name} ok `);
  expect(found.filter((r) => r.state === "firing").map((r) => r.name)).toEqual([]);
});

interface RuleState {
  readonly name: string;
  readonly health: string;
  readonly lastError?: string;
  readonly state?: string;
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
