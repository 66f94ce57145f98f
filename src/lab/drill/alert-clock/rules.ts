import { globSync, readFileSync } from "node:fs";
import { basename } from "node:path";
import { fileURLToPath } from "node:url";
import { parse } from "yaml";
import { durationMs } from "../shorten.ts";
import { by, type Element, max, type Scrapes, sum } from "./series.ts";

const RULES = fileURLToPath(new URL("../../../../prometheus/rules/", import.meta.url));

/** An alerting rule with its times already shortened. */
export interface ClockRule {
  readonly alert: string;
  readonly labels: Readonly<Record<string, string>>;
  readonly forMs: number;
  readonly keepFiringMs: number;
  readonly evaluate: (scrapes: Scrapes, nowMs: number) => readonly Element[];
}

/** What one expression of `prometheus/rules` comes to; times in it are divided by the speed. */
interface Known {
  /** The expression, recorded names written out, blanks as one. */
  readonly expr: string;
  readonly evaluate: (scrapes: Scrapes, nowMs: number, speed: number) => readonly Element[];
}

const FIVE_MINUTES_MS = 300_000;

/** The expressions of the alerts for containment, word by word as they are shipped, and what they mean. */
const KNOWN: Readonly<Record<string, Known>> = {
  PipelineBacklogHigh: {
    expr: "max by (job, queue) (queue_depth) > 100",
    evaluate: (scrapes, nowMs) =>
      by(["job", "queue"], scrapes.latest("queue_depth", nowMs), max).filter(({ value }) => value > 100),
  },
  HighInvalidModelOutputs: {
    expr:
      "sum by (job) (rate(model_invalid_outputs_total[5m])) / sum by (job) (rate(model_requests_total[5m])) > 0.05 " +
      "and sum by (job) (increase(model_requests_total[5m])) >= 20",
    evaluate: (scrapes, nowMs, speed) => {
      const windowMs = FIVE_MINUTES_MS / speed;
      const gain = (name: string) => by(["job"], scrapes.increase(name, windowMs, nowMs), sum);
      const invalid = new Map(gain("model_invalid_outputs_total").map((e) => [e.labels.job, e.value]));
      return gain("model_requests_total").flatMap(({ labels, value: asked }) => {
        const ratio = (invalid.get(labels.job) ?? Number.NaN) / asked;
        return ratio > 0.05 && asked >= 20 ? [{ labels, value: ratio }] : [];
      });
    },
  },
  XaiDivergenceHigh: {
    expr: "max by (job) (reco_engine_xai_divergence) > 0.3",
    evaluate: (scrapes, nowMs) =>
      by(["job"], scrapes.latest("reco_engine_xai_divergence", nowMs), max).filter(
        ({ value }) => value > 0.3,
      ),
  },
  MlflowUnreachable: {
    expr: "max by (job) (reco_engine_mlflow_connected) == 0",
    evaluate: (scrapes, nowMs) =>
      by(["job"], scrapes.latest("reco_engine_mlflow_connected", nowMs), max).filter(
        ({ value }) => value === 0,
      ),
  },
};

/** Metrics that the rules read. */
export const CLOCK_METRICS: ReadonlySet<string> = new Set([
  "queue_depth",
  "model_invalid_outputs_total",
  "model_requests_total",
  "reco_engine_xai_divergence",
  "reco_engine_mlflow_connected",
]);

interface FileRule {
  readonly alert?: string;
  readonly record?: string;
  readonly expr: string;
  readonly for?: string;
  readonly keep_firing_for?: string;
  readonly labels?: Readonly<Record<string, string>>;
}

/**
 * The alerts for containment of `prometheus/rules`, evaluated without a Prometheus. Throws when a shipped expression is
 * not the one that is evaluated here: a drill must not run on rules of its own.
 */
export function clockRules(speed: number): ClockRule[] {
  const shipped = globSync("*.yml", { cwd: RULES }).flatMap((name) =>
    rulesOf(readFileSync(`${RULES}${basename(name)}`, "utf8")),
  );
  const recorded = new Map(shipped.flatMap((r) => (r.record === undefined ? [] : [[r.record, r.expr]])));
  const containment = shipped.filter((r) => r.alert !== undefined && r.labels?.containment === "true");
  const missing = Object.keys(KNOWN).filter((name) => !containment.some(({ alert }) => alert === name));
  if (missing.length > 0)
    throw new Error(`prometheus/rules has no alert ${missing.join(", ")} with containment="true"`);
  return containment.map((rule) => clockRule(rule, recorded, speed));
}

function clockRule(rule: FileRule, recorded: ReadonlyMap<string, string>, speed: number): ClockRule {
  const alert = rule.alert ?? "";
  const known = KNOWN[alert];
  const expr = plain(writtenOut(rule.expr, recorded));
  if (known === undefined || plain(known.expr) !== expr)
    throw new Error(
      `the alert clock does not know ${alert} as prometheus/rules has it: ${expr}; change src/lab/drill/alert-clock/rules.ts along with it`,
    );
  return {
    alert,
    labels: rule.labels ?? {},
    forMs: durationMs(rule.for ?? "0s") / speed,
    keepFiringMs: durationMs(rule.keep_firing_for ?? "0s") / speed,
    evaluate: (scrapes, nowMs) => known.evaluate(scrapes, nowMs, speed),
  };
}

function rulesOf(text: string): FileRule[] {
  const file = parse(text) as { groups: { rules: FileRule[] }[] };
  return file.groups.flatMap((group) => group.rules);
}

/** Recorded names replaced by what they record. */
function writtenOut(expr: string, recorded: ReadonlyMap<string, string>): string {
  return expr.replaceAll(/\w+(?::\w+)+/g, (name) => recorded.get(name) ?? name);
}

function plain(expr: string): string {
  return expr.replaceAll(/\s+/g, " ").trim();
}
