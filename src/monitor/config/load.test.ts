import { mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterAll, describe, expect, it } from "vitest";
import { bindings, flagOf, fromText } from "./bindings.ts";
import { ConfigError } from "./errors.ts";
import { loadConfig } from "./load.ts";
import type { Config } from "./types.ts";

const folder = mkdtempSync(join(tmpdir(), "helius-config-"));
afterAll(() => rmSync(folder, { recursive: true }));
const FILE = join(folder, "helius.yml");

interface Given {
  yaml?: string;
  env?: Record<string, string>;
  flags?: Record<string, string>;
}

function load({ yaml, env = {}, flags = {} }: Given): Config {
  if (yaml !== undefined) writeFileSync(FILE, yaml);
  return loadConfig({ file: yaml === undefined ? undefined : FILE, env, flags, targetless: true });
}

/** Every problem as one line, with the file's name left out: `:line:col: key message`. */
function problems(given: Given): string[] {
  try {
    load(given);
  } catch (error) {
    expect(error).toBeInstanceOf(ConfigError);
    return (error as ConfigError).message.split("\n").map((line) => line.replace(FILE, ""));
  }
  throw new Error("the configuration was accepted");
}

const signal = (config: Config, name: string, target = 0) =>
  config.targets[target]?.signals.find((s) => s.name === name);

describe("defaults", () => {
  it("are those of the contract, from an empty file as from none", () => {
    const none = load({});
    expect([none.admin.tokenFile, none.web.externalUrl, none.log.file]).toEqual([
      undefined,
      undefined,
      undefined,
    ]);
    expect(none).toMatchObject({
      file: undefined,
      cycleIntervalMs: 30_000,
      autoHeal: true,
      dataDir: "./data",
      admin: { token: "secret" },
      web: { host: "127.0.0.1", port: 9105, enableLifecycle: false },
      log: { level: "info", format: "json" },
      sources: {
        order: ["prometheus", "scrape"],
        rateWindowMs: 60_000,
        maxSampleAgeMs: 90_000,
        prometheus: { url: "http://prometheus:9090", timeoutMs: 10_000 },
        scrape: { path: "/metrics", timeoutMs: 10_000 },
      },
      predict: {
        horizonMs: 180_000,
        probStrong: 0.6,
        probConfirmMin: 0.3,
        minR2: 0.2,
        preTimeoutRatio: 0.9,
        cooldownMs: 300_000,
        windowSamples: 20,
      },
    });
    expect(none.targets).toHaveLength(1);
    expect(none.targets[0]).toMatchObject({
      name: "product-api",
      job: "product-api",
      instances: [{ name: "app:8000", url: "http://app:8000" }],
      aggregate: "job",
      cooldownMs: 300_000,
      autoHeal: true,
    });
    expect(none.targets[0]?.signals.map((s) => [s.name, s.thresholds])).toEqual([
      ["p95_latency", { slo: 300, exit: 270, limit: 5000 }],
      ["error_rate", { slo: 0.05, exit: 0.045, limit: 0.5 }],
      ["memory", { slo: 255_000_000, exit: 229_500_000, limit: 300_000_000 }],
      ["backlog", { slo: 100, exit: 90, limit: 1000 }],
    ]);
    for (const yaml of ["", "# nothing but a comment\n", "{}"])
      expect({ ...load({ yaml }), file: undefined }).toEqual(none);
  });

  it("follow the cycle where they depend on it", () => {
    const quick = load({ yaml: "cycle_interval_seconds: 2" });
    expect(quick.sources).toMatchObject({ maxSampleAgeMs: 60_000, prometheus: { timeoutMs: 1600 } });
    expect(load({ yaml: "cycle_interval_seconds: 60" }).sources.maxSampleAgeMs).toBe(180_000);
  });

  it("shown in the help are the ones that hold", () => {
    const defaults = load({});
    for (const b of bindings.filter((x) => x.env !== undefined && x.shownDefault !== "")) {
      const given = load({ env: { [b.env as string]: b.shownDefault } });
      expect(given, b.path).toEqual(defaults);
    }
  });
});

describe("precedence", () => {
  /** For each key a value for the file, the environment and the flag, and where it ends up. */
  const SIGNALS = (name: string, level: "slo" | "exit" | "limit") => (c: Config) =>
    signal(c, name)?.thresholds[level];
  const CASES: Record<string, [unknown, unknown, unknown, (c: Config) => unknown, ((v: never) => unknown)?]> =
    {
      cycle_interval_seconds: [11, 12, 13, (c) => c.cycleIntervalMs / 1000],
      auto_heal: [false, true, false, (c) => c.autoHeal],
      mitigate: ["helius", undefined, "none", (c) => c.mitigate],
      data_dir: ["/f", "/e", "/g", (c) => c.dataDir],
      "admin.token": ["f", "e", "g", (c) => c.admin.token],
      "admin.token_file": ["/f", "/e", "/g", (c) => c.admin.tokenFile],
      "web.port": [1001, 1002, 1003, (c) => c.web.port],
      "web.listen_address": ["127.0.0.9:1", undefined, "[::1]:3", (c) => [c.web.host, c.web.port]],
      "web.external_url": ["http://f", undefined, "http://g/x/", (c) => c.web.externalUrl],
      "web.enable_lifecycle": [true, undefined, false, (c) => c.web.enableLifecycle],
      "web.allowed_hosts": [["f.example"], undefined, "*.g.example", (c) => c.web.allowedHosts],
      "web.trusted_network": [false, true, false, (c) => c.web.trustedNetwork],
      "web.token": ["f", "e", "g", (c) => c.web.token],
      "web.token_file": ["/f", "/e", "/g", (c) => c.web.tokenFile],
      "log.level": ["debug", undefined, "error", (c) => c.log.level],
      "log.format": ["pretty", undefined, "json", (c) => c.log.format],
      "log.file": ["/f", "/e", "/g", (c) => c.log.file],
      "log.file_max_bytes": [11, 12, 13, (c) => c.log.fileMaxBytes],
      "sources.order": [["scrape"], undefined, "scrape, prometheus", (c) => c.sources.order],
      "sources.rate_window_seconds": [111, undefined, 113, (c) => c.sources.rateWindowMs / 1000],
      "sources.max_sample_age_seconds": [11, undefined, 13, (c) => c.sources.maxSampleAgeMs / 1000],
      "sources.max_response_bytes": [2000, undefined, 4000, (c) => c.sources.maxResponseBytes],
      "sources.prometheus.url": ["http://f:1", "http://e:2", "http://g:3", (c) => c.sources.prometheus.url],
      "sources.prometheus.timeout_seconds": [1, undefined, 3, (c) => c.sources.prometheus.timeoutMs / 1000],
      "sources.scrape.path": ["/f", undefined, "/g", (c) => c.sources.scrape.path],
      "sources.scrape.timeout_seconds": [1, undefined, 3, (c) => c.sources.scrape.timeoutMs / 1000],
      "predict.horizon_seconds": [11, 12, 13, (c) => c.predict.horizonMs / 1000],
      "predict.prob_strong": [0.71, 0.72, 0.73, (c) => c.predict.probStrong],
      "predict.prob_confirm_min": [0.41, 0.42, 0.43, (c) => c.predict.probConfirmMin],
      "predict.min_r2": [0.11, 0.12, 0.13, (c) => c.predict.minR2],
      "predict.pre_timeout_ratio": [0.81, 0.82, 0.83, (c) => c.predict.preTimeoutRatio],
      "predict.cooldown_seconds": [11, 12, 13, (c) => c.predict.cooldownMs / 1000],
      "predict.sensitivity": ["strict", undefined, "eager", (c) => c.predict.sensitivity],
      "predict.window_samples": [11, undefined, 13, (c) => c.predict.windowSamples],
      "actions.kubernetes.kubeconfig": [
        "/f",
        undefined,
        "/g",
        (c) => (c.actions.kubernetes as { kubeconfig?: string }).kubeconfig,
      ],
      "alerts.stale_seconds": [11, undefined, 13, (c) => c.alerts.staleMs / 1000],
      "regions.window_seconds": [11, undefined, 13, (c) => c.regions.windowMs / 1000],
      "guards.target_cap.actions": [11, undefined, 13, (c) => c.guards.targetCap.actions],
      "guards.target_cap.window_seconds": [11, undefined, 13, (c) => c.guards.targetCap.windowMs / 1000],
      "guards.fleet_cap.actions": [11, undefined, 13, (c) => c.guards.fleetCap.actions],
      "guards.fleet_cap.window_seconds": [11, undefined, 13, (c) => c.guards.fleetCap.windowMs / 1000],
      "guards.storm.share": [0.41, undefined, 0.43, (c) => c.guards.storm.share],
      "guards.storm.min_targets": [11, undefined, 13, (c) => c.guards.storm.minTargets],
      "guards.storm.window_seconds": [11, undefined, 13, (c) => c.guards.storm.windowMs / 1000],
      "guards.storm.exit_share": [0.11, undefined, 0.13, (c) => c.guards.storm.exitShare],
      "guards.storm.calm_seconds": [11, undefined, 13, (c) => c.guards.storm.calmMs / 1000],
      "guards.startup.starts": [11, undefined, 13, (c) => c.guards.startup.starts],
      "guards.startup.window_seconds": [11, undefined, 13, (c) => c.guards.startup.windowMs / 1000],
      "guards.startup.quiet_seconds": [11, undefined, 13, (c) => c.guards.startup.quietMs / 1000],
      "guards.completeness.target_share": [0.11, undefined, 0.13, (c) => c.guards.completeness.targetShare],
      "guards.completeness.fleet_share": [0.11, undefined, 0.13, (c) => c.guards.completeness.fleetShare],
      "guards.completeness.min_series": [11, undefined, 13, (c) => c.guards.completeness.minSeries],
      "guards.completeness.memory_seconds": [11, undefined, 13, (c) => c.guards.completeness.memoryMs / 1000],
      "guards.backoff.factor": [1.1, undefined, 1.3, (c) => c.guards.backoff.factor],
      "guards.backoff.max_seconds": [11, undefined, 13, (c) => c.guards.backoff.maxMs / 1000],
      "verification.window_seconds": [11, undefined, 13, (c) => (c.verification.windowMs ?? 0) / 1000],
      "verification.min_samples": [11, undefined, 13, (c) => c.verification.minSamples],
      "verification.min_change": [0.11, undefined, 0.13, (c) => c.verification.minChange],
      "verification.max_ineffective": [11, undefined, 13, (c) => c.verification.maxIneffective],
      "verification.ineffective_window_seconds": [
        11,
        undefined,
        13,
        (c) => c.verification.ineffectiveWindowMs / 1000,
      ],
      "verification.healthy_seconds": [11, undefined, 13, (c) => c.verification.healthyMs / 1000],
      "notify.alertmanager.url": [
        "http://f:1",
        undefined,
        "http://g:3",
        (c) => (c.notify.alertmanager as { url?: string }).url,
      ],
      "notify.resend_seconds": [11, undefined, 13, (c) => c.notify.resendMs / 1000],
      "notify.timeout_seconds": [11, undefined, 13, (c) => c.notify.timeoutMs / 1000],
      "store.kind": ["memory", undefined, "sqlite", (c) => c.store.kind],
      "store.max_entries": [11, undefined, 13, (c) => c.store.maxEntries],
      "store.max_age_seconds": [4001, undefined, 4003, (c) => c.store.maxAgeMs / 1000],
      "actions.kubernetes.context": [
        "f",
        undefined,
        "g",
        (c) => (c.actions.kubernetes as { context?: string }).context,
      ],
      "signals.p95_latency.slo": [311, 312, 313, SIGNALS("p95_latency", "slo")],
      "signals.p95_latency.exit": [211, 212, 213, SIGNALS("p95_latency", "exit")],
      "signals.p95_latency.limit": [4001, 4002, 4003, SIGNALS("p95_latency", "limit")],
      "signals.error_rate.slo": [0.06, 0.07, 0.08, SIGNALS("error_rate", "slo")],
      "signals.error_rate.exit": [0.01, undefined, 0.03, SIGNALS("error_rate", "exit")],
      "signals.error_rate.limit": [0.61, 0.62, 0.63, SIGNALS("error_rate", "limit")],
      "signals.memory.slo": [11e6, undefined, 13e6, SIGNALS("memory", "slo")],
      "signals.memory.exit": [11e6, undefined, 13e6, SIGNALS("memory", "exit")],
      "signals.memory.limit": [301e6, 302e6, 303e6, SIGNALS("memory", "limit")],
      "signals.backlog.slo": [101, 102, 103, SIGNALS("backlog", "slo")],
      "signals.backlog.exit": [11, undefined, 13, SIGNALS("backlog", "exit")],
      "signals.backlog.limit": [2001, 2002, 2003, SIGNALS("backlog", "limit")],
    };
  const SEEN: Record<string, unknown> = {
    "127.0.0.9:1": ["127.0.0.9", 1],
    "[::1]:3": ["::1", 3],
    "http://g/x/": "http://g/x",
    "*.g.example": ["*.g.example"],
    "scrape, prometheus": ["scrape", "prometheus"],
  };
  const asSeen = (value: unknown) => SEEN[String(value)] ?? value;

  it("has a case for every key that can be given", () => {
    expect(Object.keys(CASES).toSorted()).toEqual(bindings.map((b) => b.path).toSorted());
  });

  it.each(bindings.map((b) => [b.path, b] as const))("of %s: flag, environment, file, default", (path, b) => {
    const [inFile, inEnv, asFlag, read] = CASES[path]!;
    const yaml = `${path
      .split(".")
      .map((key, depth) => `${"  ".repeat(depth)}${key}:`)
      .join("\n")} ${JSON.stringify(inFile)}\n`;
    const env = b.env === undefined ? {} : { [b.env]: String(inEnv) };
    // A context is one of a kubeconfig.
    const beside = { ...(path.endsWith(".context") ? { "actions.kubernetes.kubeconfig": "/k" } : {}) };
    const flags = { ...beside, [path]: String(asFlag) };
    expect(read(load({ yaml, flags: beside }))).toEqual(asSeen(inFile));
    expect(read(load({ yaml, env, flags: beside }))).toEqual(asSeen(b.env === undefined ? inFile : inEnv));
    expect(read(load({ yaml, env, flags }))).toEqual(asSeen(asFlag));
    expect(read(load({ flags }))).toEqual(asSeen(asFlag));
    expect(flagOf(path)).not.toContain("_");
    if (b.env !== undefined) {
      expect(inEnv).toBeDefined();
      expect(read(load({ yaml, env: { [b.env]: "" } })), "an empty variable is not set").toEqual(
        asSeen(inFile),
      );
    }
  });

  it("names every variable of the contract", () => {
    expect(bindings.map((b) => b.env)).toEqual(
      expect.arrayContaining([
        ..."PROM_URL ADMIN_TOKEN ADMIN_TOKEN_FILE SLO_P95_MS SLO_P95_EXIT_MS P95_TIMEOUT_MS".split(" "),
        ..."SLO_ERROR_RATE MEM_MAX_BYTES SLO_BACKLOG PREDICT_HORIZON_SECONDS PREDICT_PROB_STRONG".split(" "),
        ..."PREDICT_PROB_CONFIRM_MIN PREDICT_MIN_R2 PREDICT_PRE_TIMEOUT_RATIO".split(" "),
        ..."PREDICT_COOLDOWN_SECONDS AUTO_HEAL CYCLE_INTERVAL_SECONDS PREDICT_METRICS_PORT".split(" "),
      ]),
    );
  });

  it("of TARGET_SERVICE_BASE is above the file's targets", () => {
    const yaml = "targets: [{name: a, url: 'http://a:1'}, {name: b, url: 'http://b:2'}]";
    expect(load({ yaml }).targets.map((t) => t.name)).toEqual(["a", "b"]);
    const single = load({ yaml, env: { TARGET_SERVICE_BASE: "http://shop:7000/" } }).targets;
    expect(single.map((t) => [t.name, t.instances])).toEqual([
      ["product-api", [{ name: "shop:7000", url: "http://shop:7000", adminUrl: "http://shop:7000" }]],
    ]);
    expect(load({ yaml, env: { TARGET_SERVICE_BASE: "" } }).targets).toHaveLength(2);
  });

  it("of a target is above what is common, and its own SLO brings its own exit", () => {
    const config = load({
      yaml: `
predict: { cooldown_seconds: 60 }
signals:
  p95_latency: { slo: 400, exit: 100 }
  memory: { linear: false }
  backlog: { enabled: false }
targets:
  - name: a
    url: http://a
    cooldown_seconds: 5
    auto_heal: false
    signals:
      p95_latency: { slo: 800, query: 'max by ($by) (own{job=~"$jobs"})' }
      memory: { linear: true, scrape: { kind: gauge, metric: m, combine: sum } }
      backlog: { enabled: true }
  - name: b
    job: jobs-of-b
    mitigate: helius
    aggregate: worst_instance
    urls: [https://b, "http://b:81"]
    admin_urls: ["http://b:9443", "http://b:9081/"]
`,
    });
    const [a, b] = config.targets;
    expect(a).toMatchObject({ cooldownMs: 5000, autoHeal: false });
    expect(signal(config, "p95_latency")).toMatchObject({
      thresholds: { slo: 800, exit: 720, limit: 5000 },
      promql: 'max by ($by) (own{job=~"$jobs"})',
    });
    expect(signal(config, "memory")).toMatchObject({ linear: true, scrape: { kind: "gauge", metric: "m" } });
    expect(signal(config, "backlog")).toBeDefined();
    expect(b).toMatchObject({ job: "jobs-of-b", aggregate: "worst_instance", cooldownMs: 60_000 });
    expect(b?.instances.map((i) => i.name)).toEqual(["b:443", "b:81"]);
    expect(a?.instances).toEqual([{ name: "a:80", url: "http://a" }]);
    expect(b?.instances.map((i) => i.adminUrl)).toEqual(["http://b:9443", "http://b:9081"]);
    expect(signal(config, "p95_latency", 1)?.thresholds).toEqual({ slo: 400, exit: 100, limit: 5000 });
    expect(signal(config, "memory", 1)?.linear).toBe(false);
    expect(signal(config, "backlog", 1)).toBeUndefined();
  });
});

describe("the result", () => {
  it("is frozen to the ground", () => {
    const thaw = (value: unknown, path: string): string[] => {
      if (typeof value !== "object" || value === null) return [];
      const inner = Object.entries(value).flatMap(([k, v]) => thaw(v, `${path}.${k}`));
      return Object.isFrozen(value) ? inner : [path, ...inner];
    };
    expect(thaw(load({ yaml: "targets: [{name: a, urls: ['http://a']}]" }), "config")).toEqual([]);
  });

  it("of one load is not changed by another", () => {
    const first = JSON.stringify(load({}));
    load({ env: { SLO_P95_MS: "100", PREDICT_COOLDOWN_SECONDS: "1" } });
    expect(JSON.stringify(load({}))).toBe(first);
  });
});

describe("the development token", () => {
  const production = { NODE_ENV: "production" };
  it("does not start in production, whether by default or written out", () => {
    for (const given of [{ env: production }, { env: { ...production, ADMIN_TOKEN: "secret" } }])
      expect(problems(given)[0]).toMatch(
        /admin\.token is the development default; in production set ADMIN_TOKEN/,
      );
  });

  it("gives way to a long token or a file of one", () => {
    const ADMIN_TOKEN = "a-token-of-its-own";
    expect(load({ env: { ...production, ADMIN_TOKEN } }).admin.token).toBe(ADMIN_TOKEN);
    expect(problems({ env: { ...production, ADMIN_TOKEN: "s3" } })[0]).toMatch(
      /admin\.token cannot be used: a token of 2 characters is refused in production: expected at least 16/,
    );
    expect(load({ env: { ...production, ADMIN_TOKEN_FILE: "/run/t" } }).admin.tokenFile).toBe("/run/t");
  });
});

describe("who can call", () => {
  const open = { "web.listen_address": ":9105" };
  it("is this machine, unless it is said otherwise", () => {
    expect(load({}).web).toMatchObject({ host: "127.0.0.1", port: 9105 });
    expect(load({ env: { PREDICT_METRICS_PORT: "9000" } }).web).toMatchObject({
      host: "127.0.0.1",
      port: 9000,
    });
  });

  it("is nobody else with a token that everybody knows", () => {
    for (const env of [
      {},
      { ADMIN_TOKEN: "" },
      { ADMIN_TOKEN: "Secret" },
      { ADMIN_TOKEN: "own", WEB_TOKEN: "changeme" },
    ] as Record<string, string>[])
      expect(problems({ env, flags: open })).toEqual([
        expect.stringMatching(
          /^--web\.listen-address: web\.listen_address lets other machines call with a token that everybody knows: set (ADMIN|WEB)_TOKEN or (ADMIN|WEB)_TOKEN_FILE, or listen on 127\.0\.0\.1:9105, or say web\.trusted_network/,
        ),
      ]);
    expect(load({ env: { ADMIN_TOKEN: "own" }, flags: open }).web.host).toBe("0.0.0.0");
    expect(load({ env: { WEB_TOKEN: "own" }, flags: open }).web.host).toBe("0.0.0.0");
    expect(load({ env: { ADMIN_TOKEN_FILE: "/run/t" }, flags: open }).web.host).toBe("0.0.0.0");
    expect(load({ env: { TRUSTED_NETWORK: "1" }, flags: open }).web.host).toBe("0.0.0.0");
    for (const address of ["127.0.0.1:1", "[::1]:1", "localhost:1"])
      expect(load({ flags: { "web.listen_address": address } }).web.port).toBe(1);
  });

  it("calls it by names that are names", () => {
    expect(
      load({ flags: { "web.allowed_hosts": "monitor.example.com,*.corp.example" } }).web.allowedHosts,
    ).toEqual(["monitor.example.com", "*.corp.example"]);
    for (const wrong of ["*", "http://a.b", "a b", ""])
      expect(problems({ flags: { "web.allowed_hosts": wrong } })[0]).toContain("must be the name of a host");
  });
});

describe("text from flags and variables", () => {
  it.each([
    ["number", " 12 ", 12],
    ["number", "-1.5e3", -1500],
    ["number", ".5", 0.5],
    ["number", "30s", "30s"],
    ["number", "0x10", "0x10"],
    ["number", "", ""],
    ["number", "Infinity", "Infinity"],
    ["boolean", "ON", true],
    ["boolean", "0", false],
    ["boolean", "2", "2"],
    ["list", " a, b ", ["a", "b"]],
    ["string", " as it is ", " as it is "],
  ] as const)("%s %j is %j", (kind, value, expected) => {
    expect(fromText(kind, value)).toEqual(expected);
  });
});
