import type { Containment } from "../cycle/containment/state.ts";
import type { Controls } from "../cycle/guards/controls.ts";
import type { ActionRecord, LoopSettings, Reporter, TickReport } from "../cycle/types.ts";
import type { Intent, Outcome } from "../kernel/action.ts";
import type { JournalEntry } from "../kernel/store.ts";
import { alertFields, playbookStatus } from "./containment-status.ts";
import { escalationStatus, guardStatus, recentAttempts } from "./guard-status.ts";
import { rank, seriesFields } from "./log.ts";

/** What the monitor can tell of itself right now, as the status API and page show it. */
export interface StatusBoard extends Reporter {
  /** The newest report; undefined before the first cycle. */
  latest(): TickReport | undefined;
  status(context: StatusContext): Record<string, unknown>;
  /** The same without the series. */
  overview(context: StatusContext): Record<string, unknown>;
  /** Actions on one target, newest first, each with what it turned out to have done. */
  actionsOn(target: string, context: StatusContext): Record<string, unknown>[];
}

export interface StatusContext {
  readonly settings: LoopSettings;
  readonly version: string;
  readonly revision: string;
  readonly epoch: number;
  readonly journal: readonly JournalEntry[];
  readonly controls: Pick<Controls, "guards" | "healing">;
  readonly containment: Pick<Containment, "inbox" | "runs">;
  readonly configFile: string | undefined;
}

const MAX_NOTICES = 50;
const MAX_SHADOW = 50;

/** Keeps the newest cycle and the newest notices; everything bounded. */
export function createStatusBoard(now: () => number): StatusBoard {
  let latest: TickReport | undefined;
  const notices: Fields[] = [];
  const shadow: Fields[] = [];
  const keep = (list: Record<string, unknown>[], max: number, item: Fields) => {
    list.unshift(item);
    if (list.length > max) list.pop();
  };
  return {
    latest: () => latest,
    cycle(report) {
      latest = report;
    },
    action(record: ActionRecord) {
      if (record.mode === "shadow")
        keep(shadow, MAX_SHADOW, actionFields(record.intent, undefined, "shadow"));
    },
    reconciled() {},
    notice(event, fields) {
      keep(notices, MAX_NOTICES, { at: new Date(now()).toISOString(), event, ...fields });
    },
    status: (context) => {
      const series = latest === undefined ? [] : seriesOf(latest);
      const { last_cycle, ...rest } = overview({ latest, shadow, notices, context });
      return { ...rest, last_cycle: last_cycle === null ? null : { ...(last_cycle as object), series } };
    },
    overview: (context) => overview({ latest, shadow, notices, context }),
    actionsOn(target, context) {
      const verdicts = new Map(recentAttempts(context.controls).map((t) => [t.intent, t]));
      return actionsOf(shadow, context.journal)
        .filter((a) => a.target === target)
        .map((a) => {
          const verdict = verdicts.get(a.id);
          return {
            ...a,
            verified: verdict === undefined ? null : { outcome: verdict.outcome, detail: verdict.detail },
          };
        });
    },
  };
}

type Fields = Record<string, unknown>;

function overview(input: {
  readonly latest: TickReport | undefined;
  readonly shadow: readonly Fields[];
  readonly notices: readonly Fields[];
  readonly context: StatusContext;
}): Fields {
  const { latest, context } = input;
  return {
    service: "helius-self-heal",
    version: context.version,
    revision: context.revision,
    config_file: context.configFile ?? null,
    epoch: context.epoch,
    mode: context.settings.autoHeal ? "auto" : "shadow",
    cycle_seconds: context.settings.cycleMs / 1000,
    horizon_seconds: context.settings.rules.horizonS,
    guards: guardStatus(latest, context.controls),
    escalations: escalationStatus(context.controls),
    verified: latest === undefined ? [] : recentAttempts(context.controls),
    alerts: [...context.containment.inbox.values()].map(alertFields),
    playbooks: context.settings.playbooks.map((p) =>
      playbookStatus(p, context.containment.runs.get(p.name), latest),
    ),
    last_cycle: latest === undefined ? null : cycleFields(latest),
    actions: actionsOf(input.shadow, context.journal),
    notices: input.notices,
  };
}

/** Newest first. */
function actionsOf(shadow: readonly Fields[], journal: readonly JournalEntry[]): Fields[] {
  const real = journal.map((e) => actionFields(e.intent, e.outcome, "auto"));
  return [...shadow, ...real].sort((a, b) => String(b.at).localeCompare(String(a.at)));
}

function cycleFields(report: TickReport): Record<string, unknown> {
  return {
    at: new Date(report.at.wallMs).toISOString(),
    duration_seconds: report.durationMs / 1000,
    breach_any: report.breachAny,
    action_taken: report.actionTaken,
    since_last_mitigation_seconds: report.sinceLastMitigationS ?? null,
    sources: report.sources,
    forecast_quality: report.scores().map(({ predictor, signal, summary, judgement }) => ({
      predictor,
      signal,
      judgement: judgement.verdict,
      judgement_detail: judgement.detail,
      ...summary,
    })),
  };
}

function seriesOf(report: TickReport): Fields[] {
  return [...report.decisions].sort((a, b) => rank(b) - rank(a)).map(seriesFields);
}

function actionFields(intent: Intent, outcome: Outcome | undefined, mode: string): Record<string, unknown> {
  return {
    at: new Date(intent.at.wallMs).toISOString(),
    id: intent.id,
    mode,
    target: intent.target,
    metric: intent.signal,
    trigger: intent.trigger,
    predictor: intent.predictor,
    action: intent.kind,
    parameters: intent.parameters ?? {},
    playbook: intent.origin?.playbook ?? null,
    run: intent.origin?.run ?? null,
    forecast: intent.forecast ?? null,
    threshold: intent.threshold ?? null,
    outcome: mode === "shadow" ? "not called" : (outcome?.status ?? "pending"),
    outcome_detail: outcome?.detail ?? null,
    instances: outcome?.instances ?? [],
  };
}
