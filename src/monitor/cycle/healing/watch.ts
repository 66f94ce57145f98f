import type { Intent, Outcome } from "../../kernel/action.ts";
import type { ActionTarget } from "../../kernel/containment.ts";
import type { Decision } from "../../kernel/decision.ts";
import type { Signal } from "../../kernel/signal.ts";
import type { Instant } from "../../kernel/time.ts";
import { beginVerification, recordCallFailure, watch } from "../../verify/index.ts";
import { actionTargetOf, type LoopState } from "../state.ts";

/** What an action is judged on. */
export interface Watched {
  readonly intent: Pick<Intent, "id" | "target" | "kind" | "at" | "forecast">;
  /** The series that shows it. */
  readonly series: { readonly target: string; readonly signal: string };
}

/** Keeps what was known when it was decided to act. */
export function recordBaseline(state: LoopState, intentId: string, decision: Decision): void {
  const forecast = decision.verdicts.find((v) => v.predictor === decision.predictor)?.forecast;
  state.healing.before.set(intentId, {
    value: decision.current,
    forecast: forecast?.value,
    slopePerSecond: forecast?.slopePerSecond,
  });
}

/** From now on the effect of an action is watched. One on a series that is not watched itself cannot be. */
export function watchEffect(state: LoopState, { intent, series }: Watched, effectAt: Instant): boolean {
  const signal = signalOf(state, series);
  if (signal === undefined) return false;
  const { healing, settings } = state;
  const before = healing.before.get(intent.id);
  healing.before.delete(intent.id);
  healing.state = watch(
    healing.state,
    beginVerification({
      intent: { ...intent, ...series },
      thresholds: signal.thresholds,
      before: before ?? (intent.forecast === undefined ? {} : { forecast: intent.forecast }),
      effectAt,
      rateWindowMs: signal.windowed ? settings.rateWindowMs : 0,
      // Configured, or of a run that is not forgotten.
      cooldownMs: (actionTargetOf(state, intent.target) as ActionTarget).cooldownMs,
      cycleMs: settings.cycleMs,
      horizonMs: 1000 * settings.rules.horizonS,
      settings: settings.verification,
    }),
  );
  return true;
}

function signalOf(state: LoopState, { target, signal }: Watched["series"]): Signal | undefined {
  return state.configured.get(target)?.signals.find((s) => s.name === signal);
}

/** What the end of a plain mitigation means for its target: an effect to watch, or a try that did nothing. */
export function settleAttempt(state: LoopState, written: Intent, outcome: Outcome): void {
  const { status } = outcome;
  if (written.origin !== undefined) return;
  const intent = ofThisBoot(written, state, outcome.at);
  if (status === "applied" || status === "partial" || status === "unknown") {
    watchEffect(state, { intent, series: { target: intent.target, signal: intent.signal } }, outcome.at);
    return;
  }
  state.healing.before.delete(intent.id);
  if (status === "failed" || status === "refused") recordFailure(state, intent, status, outcome);
}

/** Monotonic time begins anew with a boot: an intent from before it counts as written just now, like every older try. */
function ofThisBoot(intent: Intent, { healing }: LoopState, now: Instant): Intent {
  if (intent.bootId === healing.state.bootId) return intent;
  return { ...intent, at: { wallMs: intent.at.wallMs, monoMs: now.monoMs } };
}

/** A call that certainly did nothing: it counts as a try that did not help. */
export function recordFailure(
  state: LoopState,
  intent: Pick<Intent, "id" | "target" | "signal" | "kind" | "at">,
  outcome: "failed" | "refused",
  { detail, at }: Pick<Outcome, "detail" | "at">,
): void {
  const { id: intentId, target, signal, kind: action } = intent;
  const made = { intentId, target, signal, action, at: intent.at, outcome, detail };
  state.healing.state = recordCallFailure(state.healing.state, made, at);
}
