import { afterEach, beforeEach, expect, test } from "vitest";
import { loadConfig } from "../../src/monitor/config/load.ts";
import type { Config } from "../../src/monitor/config/types.ts";
import { runHelius } from "./kit/process.ts";
import { createWorld, type World } from "./kit/world.ts";

let world: World;
beforeEach(() => {
  world = createWorld();
});
afterEach(() => world.end());

const signal = (config: Config, name: string) =>
  config.targets[0]?.signals.find((s) => s.name === name)?.thresholds;

/** Every variable of the contract: a value, where it must arrive, and what is there without it. */
const TABLE: readonly {
  readonly name: string;
  readonly value: string;
  readonly read: (config: Config) => unknown;
  readonly given: unknown;
  readonly byDefault: unknown;
}[] = [
  {
    name: "PROM_URL",
    value: "http://p:1/x",
    read: (c) => c.sources.prometheus.url,
    given: "http://p:1/x",
    byDefault: "http://prometheus:9090",
  },
  {
    name: "TARGET_SERVICE_BASE",
    value: "http://shop:7",
    read: (c) => c.targets.map((t) => t.instances[0]?.url),
    given: ["http://shop:7"],
    byDefault: ["http://app:8000"],
  },
  { name: "ADMIN_TOKEN", value: "t0ken", read: (c) => c.admin.token, given: "t0ken", byDefault: "secret" },
  {
    name: "ADMIN_TOKEN_FILE",
    value: "/run/token",
    read: (c) => c.admin.tokenFile,
    given: "/run/token",
    byDefault: undefined,
  },
  {
    name: "SLO_P95_MS",
    value: "400",
    read: (c) => signal(c, "p95_latency")?.slo,
    given: 400,
    byDefault: 300,
  },
  {
    name: "SLO_P95_EXIT_MS",
    value: "200",
    read: (c) => signal(c, "p95_latency")?.exit,
    given: 200,
    byDefault: 270,
  },
  {
    name: "P95_TIMEOUT_MS",
    value: "8000",
    read: (c) => signal(c, "p95_latency")?.limit,
    given: 8000,
    byDefault: 5000,
  },
  {
    name: "SLO_ERROR_RATE",
    value: "0.02",
    read: (c) => signal(c, "error_rate")?.slo,
    given: 0.02,
    byDefault: 0.05,
  },
  {
    name: "MEM_MAX_BYTES",
    value: "600000000",
    read: (c) => signal(c, "memory")?.limit,
    given: 600_000_000,
    byDefault: 300_000_000,
  },
  { name: "SLO_BACKLOG", value: "50", read: (c) => signal(c, "backlog")?.slo, given: 50, byDefault: 100 },
  {
    name: "PREDICT_HORIZON_SECONDS",
    value: "90",
    read: (c) => c.predict.horizonMs,
    given: 90_000,
    byDefault: 180_000,
  },
  {
    name: "PREDICT_PROB_STRONG",
    value: "0.8",
    read: (c) => c.predict.probStrong,
    given: 0.8,
    byDefault: 0.6,
  },
  {
    name: "PREDICT_PROB_CONFIRM_MIN",
    value: "0.4",
    read: (c) => c.predict.probConfirmMin,
    given: 0.4,
    byDefault: 0.3,
  },
  { name: "PREDICT_MIN_R2", value: "0.5", read: (c) => c.predict.minR2, given: 0.5, byDefault: 0.2 },
  {
    name: "PREDICT_PRE_TIMEOUT_RATIO",
    value: "0.7",
    read: (c) => c.predict.preTimeoutRatio,
    given: 0.7,
    byDefault: 0.9,
  },
  {
    name: "PREDICT_COOLDOWN_SECONDS",
    value: "60",
    read: (c) => [c.predict.cooldownMs, c.targets[0]?.cooldownMs],
    given: [60_000, 60_000],
    byDefault: [300_000, 300_000],
  },
  { name: "AUTO_HEAL", value: "0", read: (c) => c.autoHeal, given: false, byDefault: true },
  {
    name: "CYCLE_INTERVAL_SECONDS",
    value: "10",
    read: (c) => c.cycleIntervalMs,
    given: 10_000,
    byDefault: 30_000,
  },
  { name: "PREDICT_METRICS_PORT", value: "9999", read: (c) => c.web.port, given: 9999, byDefault: 9105 },
  {
    name: "HELIUS_DATA_DIR",
    value: "/var/lib/helius",
    read: (c) => c.dataDir,
    given: "/var/lib/helius",
    byDefault: "./data",
  },
  {
    name: "LOG_FILE",
    value: "/var/log/helius.log",
    read: (c) => c.log.file,
    given: "/var/log/helius.log",
    byDefault: undefined,
  },
];

const load = (env: Record<string, string>, file?: string, flags: Record<string, string> = {}) =>
  loadConfig({ file, env, flags, targetless: true });

test.each(TABLE)(
  "$name arrives, alone; empty counts as absent",
  ({ name, value, read, given, byDefault }) => {
    const plain = load({});
    expect(read(plain)).toEqual(byDefault);
    expect(read(load({ [name]: "" }))).toEqual(byDefault);
    const config = load({ [name]: value });
    expect(read(config)).toEqual(given);
    // It moves nothing else of the table, except thresholds and times that follow from it.
    const derived: Record<string, readonly string[]> = { SLO_P95_MS: ["SLO_P95_EXIT_MS"] };
    for (const other of TABLE) {
      if (other.name === name || derived[name]?.includes(other.name)) continue;
      expect(other.read(config), other.name).toEqual(other.byDefault);
    }
  },
);

test("precedence: flag over environment over file over default", () => {
  const file = world.file("helius.yml", "predict:\n  horizon_seconds: 11\n");
  const flags = { "predict.horizon_seconds": "33" };
  expect(load({}, file).predict.horizonMs).toBe(11_000);
  expect(load({ PREDICT_HORIZON_SECONDS: "22" }, file).predict.horizonMs).toBe(22_000);
  expect(load({ PREDICT_HORIZON_SECONDS: "22" }, file, flags).predict.horizonMs).toBe(33_000);
});

test("all of them at once, as the program itself sees them", async () => {
  const env = Object.fromEntries(TABLE.map(({ name, value }) => [name, value]));
  const file = world.file("helius.yml", "targets:\n  - name: replaced\n    url: http://replaced:1\n");
  const { code, stdout, stderr } = await runHelius({ args: ["check-config", file], env, cwd: world.dir });
  expect({ code, stderr }).toEqual({ code: 0, stderr: "" });
  expect(stdout).toContain("cycle 10 s, horizon 90 s, shadow mode");
  expect(stdout).toMatch(/target product-api .*http:\/\/shop:7;.*cooldown 60 s/);
  expect(stdout).not.toContain("replaced:1");
  expect(stdout).toMatch(/p95_latency +exit 200 {2}slo 400 {2}limit 8000 {2}ms/);
  expect(stdout).toMatch(/error_rate .*slo 0\.02 /);
  expect(stdout).toMatch(/memory .*limit 600000000 /);
  expect(stdout).toMatch(/backlog .*slo 50 /);
});

test("ADMIN_TOKEN_FILE and PREDICT_METRICS_PORT in a running monitor", async () => {
  const token = world.file("token", "from-the-file\n");
  const service = await world.service({ env: { ADMIN_TOKEN: "from-the-file" } });
  // No port on the command line: it comes from the environment; 0 is any free one.
  const monitor = world.spawn(["monitor", `--data-dir=${world.dir}/m`], {
    ADMIN_TOKEN_FILE: token,
    PREDICT_METRICS_PORT: "0",
    TARGET_SERVICE_BASE: service.url,
    CYCLE_INTERVAL_SECONDS: "1",
  });
  const started = await monitor.line("monitor started");
  expect(started).toMatchObject({ targets: "product-api", cycle_seconds: 1, config_file: "none" });
  expect((await fetch(`${started.url}/-/healthy`)).status).toBe(200);
  expect((await monitor.end("SIGTERM")).code).toBe(0);
});
