import { signalPlugins } from "../signals/index.ts";
import { guardBindings } from "./guard-bindings.ts";

export type ValueKind = "number" | "boolean" | "string" | "list";

/** One setting that can be given in three places. */
export interface Binding {
  /** Key in the file, dotted. */
  readonly path: string;
  readonly kind: ValueKind;
  /** Environment variable of the contract, where there is one. */
  readonly env: string | undefined;
  /** For `--help`. */
  readonly help: string;
  /** Shown in `--help`. */
  readonly shownDefault: string;
}

function binding(
  path: string,
  kind: ValueKind,
  env: string | undefined,
  shownDefault: string,
  help: string,
): Binding {
  return { path, kind, env, help, shownDefault };
}

const fixed: readonly Binding[] = [
  binding("cycle_interval_seconds", "number", "CYCLE_INTERVAL_SECONDS", "30", "seconds from cycle to cycle"),
  binding("auto_heal", "boolean", "AUTO_HEAL", "1", "1 acts; 0 is shadow mode: decide and log, never call"),
  binding("data_dir", "string", "HELIUS_DATA_DIR", "./data", "folder of the journal"),
  binding(
    "admin.token",
    "string",
    "ADMIN_TOKEN",
    "secret",
    "admin token of the services (in production: set it)",
  ),
  binding("admin.token_file", "string", "ADMIN_TOKEN_FILE", "", "file that holds the admin token"),
  binding("web.port", "number", "PREDICT_METRICS_PORT", "9105", "the monitor's HTTP port"),
  binding(
    "web.listen_address",
    "string",
    undefined,
    "0.0.0.0:9105",
    "address to listen on; overrides the port",
  ),
  binding("web.external_url", "string", undefined, "", "URL under which people reach the monitor"),
  binding("web.enable_lifecycle", "boolean", undefined, "false", "allow reloading by POST /-/reload"),
  binding(
    "web.token",
    "string",
    undefined,
    "the admin token",
    "token of who tells the monitor something, e.g. Alertmanager",
  ),
  binding("web.token_file", "string", undefined, "", "file that holds it, one token a line, at most two"),
  binding("log.level", "string", undefined, "info", "debug, info, warn or error"),
  binding("log.format", "string", undefined, "json", "json or pretty"),
  binding("log.file", "string", "LOG_FILE", "", "also append the log to this file"),
  binding(
    "log.file_max_bytes",
    "number",
    "LOG_FILE_MAX_BYTES",
    "50000000",
    "size at which that file is put aside as FILE.1; 0: never",
  ),
  binding("sources.order", "list", undefined, "prometheus,scrape", "metric sources, preferred first"),
  binding("sources.rate_window_seconds", "number", undefined, "60, at least 2 cycles", "window of rates"),
  binding(
    "sources.max_sample_age_seconds",
    "number",
    undefined,
    "3 cycles, at least 60",
    "older samples are stale",
  ),
  binding("sources.max_response_bytes", "number", undefined, "33554432", "larger answers are refused"),
  binding("sources.prometheus.url", "string", "PROM_URL", "http://prometheus:9090", "Prometheus"),
  binding(
    "sources.prometheus.timeout_seconds",
    "number",
    undefined,
    "80 % of a cycle, at most 10",
    "deadline of its answers",
  ),
  binding("sources.scrape.path", "string", undefined, "/metrics", "where a target shows its metrics"),
  binding(
    "sources.scrape.timeout_seconds",
    "number",
    undefined,
    "80 % of a cycle, at most 10",
    "deadline of a scrape",
  ),
  binding("predict.horizon_seconds", "number", "PREDICT_HORIZON_SECONDS", "180", "forecast horizon"),
  binding(
    "predict.prob_strong",
    "number",
    "PREDICT_PROB_STRONG",
    "0.6",
    "probability that acts at once while in risk",
  ),
  binding(
    "predict.prob_confirm_min",
    "number",
    "PREDICT_PROB_CONFIRM_MIN",
    "0.3",
    "probability that acts on two cycles in a row",
  ),
  binding("predict.min_r2", "number", "PREDICT_MIN_R2", "0.2", "fits below this R² trigger nothing"),
  binding(
    "predict.pre_timeout_ratio",
    "number",
    "PREDICT_PRE_TIMEOUT_RATIO",
    "0.9",
    "share of the hard limit from which a forecast acts",
  ),
  binding(
    "predict.cooldown_seconds",
    "number",
    "PREDICT_COOLDOWN_SECONDS",
    "300",
    "pause of a target after a mitigation",
  ),
  binding(
    "predict.sensitivity",
    "string",
    undefined,
    "default",
    "how readily the trend predictor speaks: strict, default or eager",
  ),
  binding("predict.window_samples", "number", undefined, "20", "samples the line is fitted to"),
  binding(
    "actions.kubernetes.kubeconfig",
    "string",
    undefined,
    "",
    "kubeconfig for rollout-restart; without one, the pod's service account",
  ),
  binding(
    "containment.alert_stale_seconds",
    "number",
    undefined,
    "600",
    "an alert not heard of for longer is not acted on",
  ),
  binding(
    "containment.region_window_seconds",
    "number",
    undefined,
    "20",
    "regions are compared over at least this, and one must be starved for as long to be isolated for it",
  ),
];

const thresholds: readonly Binding[] = signalPlugins.flatMap((d) => {
  const shown = d.thresholds({});
  return (["slo", "exit", "limit"] as const).map((level) =>
    binding(
      `signals.${d.kind}.${level}`,
      "number",
      d.env[level],
      String(shown[level]),
      `${d.docs.summary}: ${level} (${d.unit})`,
    ),
  );
});

/** Every scalar setting of the monitor, in the order of `--help`. */
export const bindings: readonly Binding[] = [
  ...fixed,
  ...guardBindings.map((b) => binding(b.path, b.kind, undefined, b.shownDefault, b.help)),
  ...thresholds,
];

/** Single-target shorthand: replaces the file's list of targets. */
export const TARGET_ENV = "TARGET_SERVICE_BASE";
export const DEFAULT_TARGET_BASE = "http://app:8000";

/** Command-line flag of a key: `predict.horizon_seconds` is `--predict.horizon-seconds`. */
export function flagOf(path: string): string {
  return path.replaceAll("_", "-");
}

/**
 * A setting given as text, as the value the schema expects. What is not a number stays text, so that the schema's
 * message says what would be right.
 */
export function fromText(kind: ValueKind, value: string): unknown {
  const trimmed = value.trim();
  if (kind === "number")
    return /^[+-]?(\d+\.?\d*|\.\d+)(e[+-]?\d+)?$/i.test(trimmed) ? Number(trimmed) : value;
  if (kind === "boolean") {
    if (/^(1|true|yes|on)$/i.test(trimmed)) return true;
    if (/^(0|false|no|off)$/i.test(trimmed)) return false;
    return value;
  }
  return kind === "list" ? trimmed.split(",").map((part) => part.trim()) : value;
}
