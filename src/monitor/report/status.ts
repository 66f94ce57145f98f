import type { Controls } from "../cycle/controls.ts";
import type { Loop } from "../cycle/tick.ts";
import type { LoopSettings, Reporter, TickReport } from "../cycle/types.ts";
import { askerOf, type Intent, type Outcome } from "../kernel/action.ts";
import { healedBy } from "../kernel/containment.ts";
import type { JournalEntry } from "../kernel/store.ts";
import { CAUSE_WORDS } from "../rules/explain.ts";
import { alertFields, playbookStatus } from "./containment-status.ts";
import { escalationStatus, guardStatus, recentAttempts } from "./guard-status.ts";
import { iso } from "./json.ts";
import { rank, seriesFields } from "./log.ts";

/** What the monitor can tell of itself right now, as the status API and page show it. */
export interface StatusBoard extends Reporter {
  /** The newest report; undefined before the first cycle. */
  latest(): TickReport | undefined;
  status(context: StatusContext): object;
  /** The same without the series. */
  overview(context: StatusContext): Overview;
  /** Actions on one target, newest first, each with what it turned out to have done. */
  actionsOn(target: string, context: StatusContext): VerifiedAction[];
}

export interface StatusContext {
  readonly settings: LoopSettings;
  readonly version: string;
  readonly revision: string;
  readonly epoch: number;
  readonly journal: readonly JournalEntry[];
  readonly controls: Pick<Controls, "guards" | "verification">;
  readonly containment: Loop["containment"];
  readonly configFile: string | undefined;
  /** Kinds of plug-ins in use, by the section of their settings. */
  readonly plugins: Readonly<Record<string, readonly string[]>>;
}

const MAX_NOTICES = 50;
const MAX_SHADOW = 50;

/** The status without its series. */
export type Overview = ReturnType<typeof overview>;
type Action = ReturnType<typeof actionFields>;
type Attempt = Overview["verifications"][number];

export interface VerifiedAction extends Action {
  readonly verification: Pick<Attempt, "outcome" | "detail"> | null;
}

/** A stable name, and what else is known. */
interface Notice {
  readonly at: string;
  readonly event: string;
  readonly [field: string]: string | number | boolean;
}

/** Keeps the newest cycle and the newest notices; everything bounded. */
export function createStatusBoard(now: () => number): StatusBoard {
  let latest: TickReport | undefined;
  const notices: Notice[] = [];
  const shadow: Action[] = [];
  const keep = <T>(list: T[], max: number, item: T) => {
    list.unshift(item);
    if (list.length > max) list.pop();
  };
  return {
    latest: () => latest,
    cycle(report) {
      latest = report;
    },
    action({ mode, intent }) {
      if (mode === "shadow") keep(shadow, MAX_SHADOW, actionFields(intent, undefined, mode));
    },
    reconciled() {},
    notice(event, fields) {
      keep(notices, MAX_NOTICES, { at: iso(now()), event, ...fields });
    },
    status(context) {
      const { last_cycle, ...rest } = overview({ latest, shadow, notices, context });
      const series = [...(latest?.decisions ?? [])].sort((a, b) => rank(b) - rank(a)).map(seriesFields);
      return { ...rest, last_cycle: last_cycle === null ? null : { ...last_cycle, series } };
    },
    overview: (context) => overview({ latest, shadow, notices, context }),
    actionsOn(target, context) {
      const attempts = new Map(recentAttempts(context.controls).map((t) => [t.intent, t]));
      return actionsOf(shadow, context.journal)
        .filter((a) => a.target === target || a.asker === target)
        .map((a) => {
          const { outcome, detail } = attempts.get(a.id) ?? {};
          return { ...a, verification: outcome && detail !== undefined ? { outcome, detail } : null };
        });
    },
  };
}

function overview(input: {
  readonly latest: TickReport | undefined;
  readonly shadow: readonly Action[];
  readonly notices: readonly Notice[];
  readonly context: StatusContext;
}) {
  const { latest, context } = input;
  const { settings, controls, containment } = context;
  return {
    service: "helius-self-heal",
    version: context.version,
    revision: context.revision,
    config_file: context.configFile ?? null,
    plugins: context.plugins,
    epoch: context.epoch,
    mode: settings.autoHeal ? ("auto" as const) : ("shadow" as const),
    cycle_seconds: settings.cycleMs / 1000,
    horizon_seconds: settings.rules.horizonS,
    guards: guardStatus(latest, controls),
    /** What heals each target, in words. */
    healed_by: Object.fromEntries(settings.targets.map((t) => [t.name, healedBy(t, settings.playbooks)])),
    escalations: escalationStatus(controls),
    verifications: latest === undefined ? [] : recentAttempts(controls),
    alerts: [...containment.inbox.values()].map(alertFields),
    playbooks: settings.playbooks.map((p) => playbookStatus(p, containment.runs.get(p.name), latest)),
    last_cycle: latest === undefined ? null : cycleFields(latest),
    actions: actionsOf(input.shadow, context.journal),
    notices: input.notices,
  };
}

/** Newest first. */
function actionsOf(shadow: readonly Action[], journal: readonly JournalEntry[]): Action[] {
  const real = journal.map((e) => actionFields(e.intent, e.outcome, "auto"));
  return [...shadow, ...real].sort((a, b) => b.at.localeCompare(a.at));
}

function cycleFields(report: TickReport) {
  return {
    at: iso(report.at.wallMs),
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

function actionFields(intent: Intent, outcome: Outcome | undefined, mode: "auto" | "shadow") {
  const { id, target, trigger, predictor, origin } = intent;
  return {
    at: iso(intent.at.wallMs),
    /** The target whose symptom asked for it, which is another than what was called where a playbook says so. */
    asker: askerOf(intent),
    ...{ id, mode, target, metric: intent.signal, trigger, predictor, action: intent.kind },
    /** Why it was asked for, in a few words. */
    because: CAUSE_WORDS[trigger],
    parameters: intent.parameters ?? {},
    playbook: origin?.playbook ?? null,
    run: origin?.run ?? null,
    forecast: intent.forecast ?? null,
    threshold: intent.threshold ?? null,
    outcome: mode === "shadow" ? ("not called" as const) : (outcome?.status ?? ("pending" as const)),
    outcome_detail: outcome?.detail ?? null,
    instances: outcome?.instances ?? [],
  };
}
