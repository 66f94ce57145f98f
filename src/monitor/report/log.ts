import type { Logger } from "../../common/telemetry/logger.ts";
import type { ActionRecord, Reporter, TickReport, Verified } from "../cycle/types.ts";
import type { Intent, Outcome } from "../kernel/action.ts";
import { type Decision, namedVerdict } from "../kernel/decision.ts";
import type { PlaybookDecision } from "../playbooks/decide.ts";
import { urgency } from "../rules/decide.ts";
import { explain } from "../rules/explain.ts";
import { figure, iso } from "./json.ts";

/** Series listed in one `prediction cycle` line: Loki refuses lines over 256 KB. The most urgent come first. */
const MAX_LISTED = 64;

/** The log's half of the contract: one `prediction cycle` a cycle, one line an action. */
export function createLogReporter(logger: Logger): Reporter {
  return {
    cycle: (report) => {
      for (const verified of report.verified) logVerified(logger, verified);
      logger.info(cycleFields(report), "prediction cycle");
    },
    action: (record) => logAction(logger, record),
    reconciled: (intent, outcome) => {
      const fields = {
        target: intent.target,
        metric: intent.signal,
        intent: intent.id,
        ...outcomeFields(outcome),
      };
      logger.warn(fields, "mitigation reconciled");
    },
    notice: (event, fields) => logger.warn(fields, event),
  };
}

function logAction(logger: Logger, record: ActionRecord): void {
  const { intent, decision, outcome } = record;
  const verdict = decision && namedVerdict(decision);
  const fields = {
    mode: record.mode,
    target: intent.target,
    metric: intent.signal,
    action: intent.kind,
    ...callFields(intent),
    current: figure(decision?.current),
    forecast: figure(intent.forecast),
    threshold: figure(intent.threshold),
    probability: figure(verdict?.probability),
    r2: figure(verdict?.forecast?.r2),
    decision: decision?.reason ?? intent.trigger,
    decision_detail: record.detail,
    predictor: intent.predictor,
    ...(decision === undefined ? {} : { source: decision.source }),
    intent: intent.id,
    ...(outcome === undefined ? {} : outcomeFields(outcome)),
  };
  if (intent.trigger === "undo") logUndo(logger, fields, outcome);
  else if (record.mode === "shadow") logger.info(fields, "mitigation executed");
  else if (outcome === undefined) logger.error(fields, "mitigation outcome unknown");
  else if (outcome.status === "applied") logger.info(fields, "mitigation executed");
  else if (outcome.status === "partial") logger.warn(fields, "mitigation executed");
  else logger.error(fields, `mitigation ${outcome.status}`);
}

/** What an action turned out to have done. */
function logVerified(logger: Logger, verified: Verified): void {
  const { intentId, target, signal, action, outcome, detail } = verified;
  const fields = { target, metric: signal, action, intent: intentId, verification: outcome, detail };
  const good = outcome === "recovered" || outcome === "improved";
  logger[good ? "info" : "warn"](fields, "mitigation verified");
}

/** Taking back is no mitigation: panels that count mitigations must not see it. */
function logUndo(logger: Logger, fields: object, outcome: Outcome | undefined): void {
  if (outcome?.status === "applied") logger.info(fields, "containment undone");
  else logger.error(fields, "containment not undone");
}

/** What the call says and who asked for it, where a playbook did. */
function callFields({ parameters, origin }: Intent): Record<string, string> {
  return {
    ...(parameters?.region === undefined ? {} : { region: parameters.region }),
    ...(origin === undefined ? {} : { playbook: origin.playbook, run: origin.run }),
    ...(origin?.alert === undefined ? {} : { alert: origin.alert }),
  };
}

function outcomeFields(outcome: Outcome): Record<string, string> {
  return { outcome: outcome.status, outcome_detail: outcome.detail };
}

function cycleFields(report: TickReport): Record<string, unknown> {
  const ordered = [...report.decisions].sort((a, b) => rank(b) - rank(a));
  const top = ordered[0];
  return {
    mode: report.mode,
    breach_any: report.breachAny,
    action_taken: report.actionTaken,
    since_last_mitigation_sec:
      report.sinceLastMitigationS === undefined ? null : Math.round(report.sinceLastMitigationS),
    duration_ms: Math.round(report.durationMs),
    ...(top === undefined ? {} : seriesFields(top)),
    series: report.decisions.length,
    signals: ordered.slice(0, MAX_LISTED).map(seriesFields),
    ...(report.guards.holding.length > 0 ? { guards_active: report.guards.holding } : {}),
    ...(report.playbooks.length > 0 ? { playbooks: report.playbooks.map(playbookFields) } : {}),
    ...(ordered.length > MAX_LISTED ? { signals_omitted: ordered.length - MAX_LISTED } : {}),
  };
}

/** One playbook that something asked for. */
export function playbookFields(d: PlaybookDecision) {
  return {
    playbook: d.playbook,
    decision: d.reason,
    acting: d.act,
    decision_detail: d.detail,
    ...(d.untilMs === undefined ? {} : { decision_until: iso(d.untilMs) }),
    /** The target of the step that is blocked. */
    ...(d.blockedBy === undefined ? {} : { blocked_on: d.blockedBy }),
    alerts: d.alerts.map((a) => a.name),
  };
}

/** Acting first, then what is blocked, then what is in risk, then by probability. */
export function rank(d: Decision): number {
  return (d.act ? 100 : 0) + (d.trigger === undefined ? 0 : 10) + (d.inRisk ? 5 : 0) + urgency(d);
}

/** One series of a cycle under the contract's names; what is unknown is null, never zero. */
export function seriesFields(d: Decision): Record<string, string | number | boolean | null> {
  const verdict = namedVerdict(d);
  const forecast = verdict?.forecast;
  return {
    target: d.target,
    metric: d.signal,
    current: figure(d.current),
    ...(d.atLeast ? { current_at_least: true } : {}),
    forecast: figure(forecast?.value),
    slope: figure(forecast?.slopePerSecond),
    r2: figure(forecast?.r2 ?? linearOf(d)?.forecast?.r2),
    probability: forecast === undefined ? null : figure(verdict?.probability),
    threshold: d.slo,
    hard_limit: d.limit,
    in_risk_state: d.inRisk,
    cooldown_active: d.cooldownActive,
    decision: d.reason,
    decision_detail: explain(d),
    ...(d.untilMs === undefined ? {} : { decision_until: iso(d.untilMs) }),
    trigger: d.trigger ?? null,
    predictor: d.predictor,
    ...(forecast?.low === undefined ? {} : { forecast_low: figure(forecast.low) }),
    ...(forecast?.high === undefined ? {} : { forecast_high: figure(forecast.high) }),
    ...Object.fromEntries(d.verdicts.map((v) => [`${v.predictor}_forecast`, figure(v.forecast?.value)])),
    source: d.source,
  };
}

function linearOf(d: Decision) {
  return d.verdicts.find((v) => v.predictor === "linear");
}
