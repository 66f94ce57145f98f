import { writeFileSync } from "node:fs";
import { join } from "node:path";
import { type RunningMonitor, startMonitor } from "../../../monitor/app/monitor.ts";
import type { ActionRecord, Reporter } from "../../../monitor/cycle/types.ts";
import type { Drill } from "../drill.ts";
import type { Heal, Pace } from "../pace.ts";
import { playbooksOf } from "../playbooks.ts";
import type { Act } from "../recording.ts";

export interface DrillMonitorOptions {
  readonly drill: Drill;
  readonly pace: Pace;
  readonly heal: Heal;
  readonly token: string;
  /** Where it listens, on loopback. */
  readonly port: number;
  readonly urls: ReadonlyMap<string, string>;
  /** Prometheus to ask first; undefined: the services' own pages only. */
  readonly prometheusUrl: string | undefined;
  /** Kubeconfig of the cluster that workloads are restarted in. */
  readonly kubeconfig: string | undefined;
  /** Folder for configuration, data and log. */
  readonly folder: string;
  /** Told of each step decided on, at once. */
  readonly onAct: (act: Act) => void;
}

/** The monitor of a drill, in this process, on a configuration file of its own. Times of acts are monotonic. */
export function startDrillMonitor(options: DrillMonitorOptions): Promise<RunningMonitor> {
  const file = join(options.folder, "helius.yml");
  // JSON is YAML, and a person who keeps the folder can read it.
  writeFileSync(file, `${JSON.stringify(configOf(options), null, 2)}\n`);
  return startMonitor({
    input: {
      file,
      env: { ADMIN_TOKEN: options.token },
      flags: {
        "web.listen_address": `127.0.0.1:${options.port}`,
        data_dir: join(options.folder, "monitor"),
        "log.file": join(options.folder, "logs", "predictive-monitor.log"),
      },
    },
    reporters: [actsTo(options.onAct)],
    quiet: true,
  });
}

function configOf(options: DrillMonitorOptions): Record<string, unknown> {
  const { drill, pace, heal, urls, prometheusUrl } = options;
  const own = drill.signals(heal);
  return {
    cycle_interval_seconds: pace.cycleS,
    auto_heal: heal !== "off",
    sources: {
      order: prometheusUrl === undefined ? ["scrape"] : ["prometheus", "scrape"],
      rate_window_seconds: pace.rateWindowS,
      max_sample_age_seconds: Math.max(10, 3 * pace.cycleS),
      ...(prometheusUrl === undefined ? {} : { prometheus: { url: prometheusUrl } }),
    },
    predict: { horizon_seconds: pace.horizonS, cooldown_seconds: pace.cooldownS },
    playbooks: playbooksOf(drill, pace, heal),
    alerts: { stale_seconds: Math.max(10, pace.s(600)) },
    regions: { window_seconds: pace.regionWindowS },
    ...brakesAt(pace),
    ...(options.kubeconfig === undefined
      ? {}
      : { actions: { kubernetes: { kubeconfig: options.kubeconfig } } }),
    // As in config/up.yml: a young process grows by itself.
    signals: { memory: { limit: 1_000_000_000 } },
    mitigate: "helius",
    targets: [...urls].map(([name, url]) => ({
      name,
      url,
      ...(name === "telemetry-gateway" ? { parts: REGIONS } : {}),
      signals: { ...SIGNALS[name], ...own[name] },
    })),
  };
}

/** The windows of guards and verification at a pace; what they allow within them is as shipped. */
function brakesAt(pace: Pace): Record<string, unknown> {
  const seconds = (realS: number) => Math.max(1, pace.s(realS));
  return {
    guards: {
      target_cap: { window_seconds: seconds(3600) },
      fleet_cap: { window_seconds: seconds(600) },
      storm: { window_seconds: seconds(300), calm_seconds: seconds(300) },
      startup: { window_seconds: seconds(600), quiet_seconds: seconds(300) },
      completeness: { memory_seconds: seconds(900) },
      backoff: { max_seconds: seconds(3600) },
    },
    verification: { ineffective_window_seconds: seconds(3600), healthy_seconds: seconds(1800) },
  };
}

/** How the gateway's regions are told apart, as in config/up.yml. */
const REGIONS = {
  label: "region",
  backlog_metric: "queue_depth",
  inbound_metric: "telemetry_received_total",
};

/** Signals that fit the services, as in config/up.yml. */
const SIGNALS: Readonly<Record<string, Readonly<Record<string, unknown>>>> = {
  "recommender-service": { backlog: { enabled: false } },
  "llm-router": { p95_latency: { slo: 2000, limit: 12_000 } },
  "llm-assistant": { backlog: { enabled: false } },
  "llm-assistant-secondary": {
    p95_latency: { enabled: false },
    error_rate: { enabled: false },
    backlog: { enabled: false },
  },
};

/** The monitor's monotonic time counts from another moment than that of the observer. */
const ORIGIN_MS = Number(process.hrtime.bigint()) / 1e6 - performance.now();

function actsTo(onAct: (act: Act) => void): Reporter {
  return {
    action: (record) => onAct(actOf(record)),
    cycle() {},
    reconciled() {},
    notice() {},
  };
}

function actOf({ intent, mode, outcome, decision }: ActionRecord): Act {
  const source = decision === undefined ? "" : `, seen by ${decision.source}`;
  const asked = `${intent.signal} ${intent.trigger} (${intent.predictor}${source})`;
  const given = Object.entries(intent.parameters ?? {}).map(([name, value]) => ` ${name}=${value}`);
  return {
    atS: (intent.at.monoMs - ORIGIN_MS) / 1000,
    target: intent.target,
    what: `${intent.kind} ${intent.target}${given.join("")}: ${asked}, ${mode === "shadow" ? "not called" : (outcome?.status ?? "outcome unknown")}`,
    carriedOut: outcome?.status === "applied" || outcome?.status === "partial",
  };
}
