import type { Problem } from "./problem.ts";
import type { Instance, Target } from "./target.ts";
import type { Instant } from "./time.ts";

/** An alert as Alertmanager last told of it. Identified by its fingerprint; `startsAtMs` tells one episode from the next. */
export interface AlertState {
  readonly fingerprint: string;
  /** Label `alertname`. */
  readonly name: string;
  readonly labels: Readonly<Record<string, string>>;
  readonly status: "firing" | "resolved";
  /** Wall clock of the rule engine, milliseconds. */
  readonly startsAtMs: number;
  /** When it was resolved; absent while it fires. */
  readonly endsAtMs?: number;
  /** When the monitor last heard of it. */
  readonly receivedAt: Instant;
  readonly bootId: string;
}

/** A moment, on the clocks of one boot of the machine. */
export interface BootInstant {
  readonly now: Instant;
  /** Identifies the origin of `now.monoMs`. */
  readonly bootId: string;
}

/** What a webhook says, and what of it cannot be used. */
export interface Webhook {
  readonly alerts: readonly AlertState[];
  /** Of the envelope, then no alert is usable; or of single alerts, then the others are. */
  readonly problems: readonly Problem[];
  /** Entries of `alerts` that cannot be used. */
  readonly unusable: number;
  /** Alerts that Alertmanager left out of the message (`max_alerts` of its receiver). */
  readonly truncated: number;
}

/** More alerts than the monitor keeps: these were not taken, the others were. */
export class AlertsFullError extends Error {
  override readonly name = "AlertsFullError";
  readonly refused: readonly AlertState[];
  constructor(refused: readonly AlertState[], kept: number) {
    super(`${refused.length} alerts were not taken: ${kept} are kept already, which is the most`);
    this.refused = refused;
  }
}

/** Which alerts a playbook answers: the name, and every label given. */
export interface AlertMatcher {
  readonly name: string;
  readonly labels: Readonly<Record<string, string>>;
}

/** Which forecasts a playbook answers, in place of the plain mitigation. */
export interface ForecastMatcher {
  readonly target: string;
  readonly signal: string;
}

/** What an action is carried out on: a target under watch, a workload, or an outside address. */
export interface ActionTarget {
  readonly name: string;
  readonly instances: readonly Instance[];
  readonly cooldownMs: number;
  /** False: shadow. */
  readonly autoHeal: boolean;
}

/** What must hold for a step to be carried out; otherwise it is skipped with the reason. */
export type Precondition =
  /** A region stands out by backlog or inbound rate. */
  | { readonly kind: "region_known" }
  /** No region stands out. */
  | { readonly kind: "region_unknown" }
  /** The newest value of a watched series is above `above`, in the signal's unit; unknown does not hold. */
  | {
      readonly kind: "signal_above";
      readonly target: string;
      readonly signal: string;
      readonly above: number;
    };

/** One action of a playbook. */
export interface Step {
  /** Kind of action, as in `src/monitor/actions`. */
  readonly kind: string;
  readonly on: ActionTarget;
  /** Parameters of the call. `$region` stands for the region that was chosen; a step with it is skipped when there is none. */
  readonly parameters: Readonly<Record<string, string>>;
  readonly preconditions: readonly Precondition[];
  /** What takes it back; absent: nothing can, or it ends by itself. */
  readonly undo?: { readonly kind: string; readonly parameters: Readonly<Record<string, string>> };
  /** Its effect ends by itself after so long, milliseconds; absent: it is over when the call is. */
  readonly expiresMs?: number;
}

/** An answer to an alert or to a forecast: ordered steps, how to judge them, and what becomes of them. */
export interface Playbook {
  readonly name: string;
  readonly alert?: AlertMatcher;
  readonly forecast?: ForecastMatcher;
  readonly steps: readonly Step[];
  /** The target whose regions are compared, where a step needs one. */
  readonly regionsOf?: string;
  /** Take back what can be taken back when the alert resolves. */
  readonly undoOnResolved: boolean;
  /** The series whose return below its SLO shows that it helped; absent: the alert's end shows it. */
  readonly verify?: ForecastMatcher;
}

/** What heals a target, in words for people. */
export function healedBy({ name, mitigation }: Target, playbooks: readonly Playbook[]): string {
  const own = playbooks.filter((p) => p.forecast?.target === name);
  const some = own.map((p) => `${p.forecast?.signal} by playbook ${p.name}`).join(", ");
  if (mitigation === undefined)
    return some === ""
      ? "watched only: nothing is allowed to heal it"
      : `healed for ${some}; else watched only: nothing is allowed to heal it`;
  const by =
    "playbook" in mitigation
      ? `playbook ${mitigation.playbook}`
      : mitigation.on === undefined
        ? "its Helius admin plane"
        : `${mitigation.action} ${mitigation.on.name}`;
  return `healed by ${by}${some === "" ? "" : `; ${some}`}`;
}
