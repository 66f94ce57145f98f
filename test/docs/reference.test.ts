import { globSync, readFileSync } from "node:fs";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import { afterAll, beforeAll, expect, test } from "vitest";
import { createRegistry } from "../../src/common/telemetry/registry.ts";
import { type RunningMonitor, startMonitor } from "../../src/monitor/app/monitor.ts";
import { bindings, flagOf } from "../../src/monitor/config/bindings.ts";
import { trendSettings } from "../../src/monitor/forecast/settings.ts";
import { GUARD_NAMES } from "../../src/monitor/guards/index.ts";
import { OUTCOME_STATUSES } from "../../src/monitor/kernel/action.ts";
import { createMetricsReporter } from "../../src/monitor/report/metrics.ts";
import { temporaryDirectory } from "../../src/services/kit/kit.testkit.ts";
import { services, startServiceFromEnv } from "../../src/services/registry.ts";

// The reference documents are held to the running program: what it has is listed, and what is listed it has.

const root = fileURLToPath(new URL("../../", import.meta.url));
const folder = temporaryDirectory();
let monitor: RunningMonitor;
let service: Awaited<ReturnType<typeof startServiceFromEnv>>;

beforeAll(async () => {
  service = await startServiceFromEnv(
    "product-api",
    { HELIUS_DATA_DIR: folder.path, ADMIN_TOKEN: "t" },
    { "web.listen-address": "127.0.0.1:0" },
    { write: () => {} },
  );
  monitor = await startMonitor({
    input: {
      file: undefined,
      env: { TARGET_SERVICE_BASE: service.url },
      flags: { "web.listen_address": "127.0.0.1:0", "sources.order": "scrape", data_dir: folder.path },
    },
    quiet: true,
  });
});

afterAll(async () => {
  await monitor?.close();
  await service?.close();
  folder.remove();
});

function read(path: string): string {
  return readFileSync(join(root, path), "utf8");
}

/** Part of a document under a heading of the second level. */
function section(text: string, heading: string): string {
  const start = text.indexOf(`\n## ${heading}`);
  if (start < 0) throw new Error(`no section ${heading}`);
  const end = text.indexOf("\n## ", start + 4);
  return text.slice(start, end < 0 ? undefined : end);
}

/** Rows of all tables of a text, without their heads: the cells as they are written. */
function rawRows(text: string): string[][] {
  const tables = [...text.matchAll(/(?:^\|.*\|\n)+/gm)].map((m) => m[0].trimEnd().split("\n"));
  return tables.flatMap((lines) => {
    expect(lines[1]).toMatch(/^[|\s:-]+$/);
    return lines.slice(2).map((line) =>
      line
        .slice(1, -1)
        .split("|")
        .map((cell) => cell.trim()),
    );
  });
}

/** The same without the marks of inline code. */
function rows(text: string): string[][] {
  return rawRows(text).map((cells) => cells.map((cell) => cell.replaceAll("`", "")));
}

/** The pieces of inline code in a cell. */
function codes(cell: string | undefined): string[] {
  return [...(cell ?? "").matchAll(/`([^`]+)`/g)].map((m) => m[1] as string);
}

/** Metrics of a page, process metrics aside. */
async function exported(url: string): Promise<string[]> {
  const page = await (await fetch(`${url}/metrics`)).text();
  const types = [...page.matchAll(/^# TYPE (\S+) (\S+)$/gm)].map((m) => `${m[1]} ${m[2]}`);
  return types.filter((t) => !/^(process|nodejs)_/.test(t)).sort();
}

test("docs/metrics.md lists exactly the metrics of a running monitor", async () => {
  const listed = rows(section(read("docs/metrics.md"), "Monitor")).map(([name, type]) => `${name} ${type}`);
  expect(listed.sort()).toEqual(await exported(monitor.url));
});

test.each([...services.keys()])("docs/metrics.md lists exactly the metrics of %s", async (name) => {
  const listed = (heading: string) =>
    rows(section(read("docs/metrics.md"), heading)).map(([metric, type]) => `${metric} ${type}`);
  const common = listed("Every service");
  const own = listed(SAME_AS[name] ?? name);
  const running = await startServiceFromEnv(
    name,
    { HELIUS_DATA_DIR: join(folder.path, name), ADMIN_TOKEN: "t", GATEWAY_MQTT_PORT: "0" },
    { "web.listen-address": "127.0.0.1:0" },
    { write: () => {} },
  );
  try {
    const real = await exported(running.url);
    for (const metric of real) expect([...common, ...own], metric).toContain(metric);
    // A queue is shown by the services that have one.
    for (const metric of [...common.filter((m) => m !== "queue_depth gauge"), ...own])
      expect(real, metric).toContain(metric);
  } finally {
    await running.close();
  }
});

/** Services that share a section. */
const SAME_AS: Readonly<Record<string, string>> = { "llm-assistant-secondary": "llm-assistant" };

test("docs/metrics.md gives each metric of the reports its labels", async () => {
  const registry = createRegistry({ processMetrics: false });
  createMetricsReporter(registry);
  const listed = new Map(
    rows(section(read("docs/metrics.md"), "Monitor")).map(([name, , labels = ""]) => [
      name,
      labels.split(", ").filter((l) => l !== ""),
    ]),
  );
  const metrics = registry.getMetricsAsArray() as unknown as { name: string; labelNames: string[] }[];
  expect(metrics.length).toBeGreaterThan(10);
  for (const { name, labelNames } of metrics) expect(listed.get(name), name).toEqual(labelNames);
});

test("docs/configuration.md lists every setting with its flag, variable and default", () => {
  const table = rows(read("docs/configuration.md").split("\n## ")[0] as string);
  const listed = table.map(([key, flag, variable, shown]) => ({
    key,
    flag,
    variable,
    shown: plain(shown ?? ""),
  }));
  const real = bindings.map((b) => ({
    key: b.path,
    flag: `--${flagOf(b.path)}`,
    variable: b.env ?? "",
    shown: plain(b.shownDefault),
  }));
  expect(listed).toEqual(real);
});

test("docs/configuration.md names every variable of the monitor", () => {
  const documented = codes(read("docs/configuration.md"));
  for (const { env } of bindings) if (env !== undefined) expect(documented).toContain(env);
});

/** A number without the last digits that binary fractions leave; other text as it is. */
function plain(text: string): string {
  return text !== "" && Number.isFinite(Number(text)) ? String(Number(Number(text).toPrecision(12))) : text;
}

test("docs/decision.md explains exactly the reasons of the domain", () => {
  const source = read("src/monitor/kernel/decision.ts");
  const declared = ["LinearTrigger", "TrendTrigger", "NoTriggerReason", "Hold"].flatMap((type) => {
    const union = new RegExp(`type ${type} =([^;]+);`).exec(source)?.[1];
    if (union === undefined) throw new Error(`no type ${type}`);
    return [...union.matchAll(/"(\w+)"/g)].map((m) => m[1] as string);
  });
  declared.push(...GUARD_NAMES);
  expect(declared.length).toBeGreaterThan(15);
  const text = read("docs/decision.md");
  const listed = [...rows(section(text, "Rules that act")), ...rows(section(text, "Reasons to hold"))];
  expect(listed.map(([reason]) => reason).sort()).toEqual(declared.sort());
  for (const [reason, says, todo] of listed) {
    expect(says, reason).toBeTruthy();
    expect(todo, reason).toBeTruthy();
  }
});

test("docs/logs.md lists only messages that the program has, and every one of the contract", () => {
  const sources = globSync("src/**/*.ts", { cwd: root, exclude: ["**/*.test.ts"] })
    .map((path) => read(path))
    .join("\n");
  const built = OUTCOME_STATUSES.map((status) => `mitigation ${status}`);
  const messages = rawRows(read("docs/logs.md"))
    .flatMap(([message]) => codes(message))
    .filter((message) => message.includes(" "));
  expect(messages.length).toBeGreaterThan(20);
  for (const message of messages)
    expect(
      built.includes(message as (typeof built)[number]) || sources.includes(`"${message}"`),
      message,
    ).toBe(true);
  for (const message of ["prediction cycle", "mitigation executed", "manual mitigation executed"])
    expect(messages).toContain(message);
});

test("docs/http-api.md names only endpoints of the monitor that are there", async () => {
  const listed = rawRows(section(read("docs/http-api.md"), "Monitor")).flatMap(([cell]) => codes(cell));
  const calls = new Set(listed.filter((call) => /^[A-Z]+ \//.test(call)));
  expect(calls.size).toBeGreaterThan(11);
  // What shows the past has some once a cycle has ended.
  await expect
    .poll(async () => (await fetch(`${monitor.url}/-/ready`)).status, { timeout: 40_000 })
    .toBe(200);
  for (const call of calls) {
    const [method = "", path = ""] = call.split(" ");
    const answer = await fetch(`${monitor.url}${path}`, { method });
    // Reloading over HTTP is off unless it is switched on; who tells the monitor something needs a token.
    const expected = path === "/-/reload" ? 403 : method === "GET" ? 200 : 401;
    expect(answer.status, call).toBe(expected);
    await answer.body?.cancel();
  }
});

test("docs/http-api.md names only endpoints and fault modes of a service that are there", async () => {
  const text = section(read("docs/http-api.md"), "Every service");
  const headers = { "x-admin-token": "t" };
  const answer = await fetch(`${service.url}/admin/faults`, { headers });
  const { modes } = (await answer.json()) as { modes: string[] };
  const parts = text.split("### Fault modes");
  expect(rows(parts[1] ?? "").map(([mode]) => mode)).toEqual(modes);
  const calls = rows(parts[0]?.split("### Admin calls")[0] ?? "").map(([call]) => call ?? "");
  expect(calls.length).toBe(6);
  for (const call of calls) {
    const [method = "", path = ""] = call.split(" ");
    const example = path.replace("MODE&…", "latency&inc=1").replace("KEY", "k");
    const said = await fetch(`${service.url}${example}`, { method, headers });
    expect(said.status, call).toBe(path.endsWith("KEY") ? 404 : 200);
    if (path.endsWith("KEY")) expect(await said.json()).toEqual({ key: "k", applied: false });
  }
});

test("docs/configuration.md lists every constant of the trend predictor with its defaults", () => {
  const text = section(read("docs/configuration.md"), "Constants of the trend predictor");
  const shown = (value: unknown) =>
    typeof value === "number" ? String(Number(value.toPrecision(4))) : String(value);
  const kinds = (["latency", "ratio", "memory", "backlog"] as const).map((k) => trendSettings(k, "default"));
  const filters = Object.keys(kinds[0]?.filter ?? {}).map((name) => [
    name,
    ...kinds.map((s) => shown(s.filter[name as keyof typeof s.filter])),
  ]);
  const envelope = Object.entries(kinds[2]?.envelope ?? {}).map(([name, value]) => [name, shown(value)]);
  const listed = rows(text);
  expect(listed.filter((r) => r.length === 6).map((r) => r.slice(0, 5))).toEqual(filters);
  expect(listed.filter((r) => r.length === 3).map((r) => r.slice(0, 2))).toEqual(envelope);
});
