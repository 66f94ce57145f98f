import type { AlertState, Playbook } from "../kernel/containment.ts";
import type { Decision, Hold, Trigger } from "../kernel/decision.ts";
import type { Instant } from "../kernel/time.ts";
import type { TargetSituation } from "../rules/decide.ts";
import { effectUntilMono, type Run } from "./run.ts";

/** Why a playbook is not started although something asks for it. */
export type PlaybookHold = "alert_stale" | Hold;

export type PlaybookReason = "alert" | Trigger | PlaybookHold;

/** What was decided on one playbook in one cycle; playbooks that nothing asks for have none. */
export interface PlaybookDecision {
  readonly playbook: string;
  readonly act: boolean;
  readonly reason: PlaybookReason;
  /** Fingerprints and names of the alerts that ask for it. */
  readonly alerts: readonly { readonly fingerprint: string; readonly name: string }[];
  /** The forecast that asks for it. */
  readonly forecast?: { readonly target: string; readonly signal: string };
  /** The step's target whose gate holds. */
  readonly heldBy?: string;
  /** Wall-clock milliseconds until which it holds, where that is known. */
  readonly untilMs?: number;
  readonly detail: string;
}

export interface PlaybookInput {
  readonly playbook: Playbook;
  /** Alerts of it that fire, and were heard of lately. */
  readonly firing: readonly AlertState[];
  /** Alerts of it that fired when last heard of, which is too long ago. */
  readonly stale: readonly AlertState[];
  /** The decision of a forecast that would act, and that the playbook answers. */
  readonly asked: Decision | undefined;
  /** Its newest run. */
  readonly run: Run | undefined;
  /** What is true of each target of its steps; a target without an entry is free. */
  readonly situations: ReadonlyMap<string, TargetSituation>;
  readonly now: Instant;
  readonly bootId: string;
}

/**
 * Whether a playbook starts now. It starts when an alert of it fires or a forecast asks for it, nothing of an earlier
 * run is under way or in effect, and no gate holds any target of its steps. A level is looked at, not an edge: what is
 * held back now starts in a later cycle if it is still wanted.
 */
export function decidePlaybook(input: PlaybookInput): PlaybookDecision | undefined {
  const { playbook, firing, stale, asked, run, now } = input;
  if (firing.length === 0 && asked === undefined && stale.length === 0) return undefined;
  const base = {
    playbook: playbook.name,
    alerts: [...firing, ...stale].map(({ fingerprint, name }) => ({ fingerprint, name })),
    ...(asked === undefined ? {} : { forecast: { target: asked.target, signal: asked.signal } }),
  };
  const hold = (reason: PlaybookReason, detail: string, more: Partial<PlaybookDecision> = {}) => ({
    ...base,
    act: false,
    reason,
    detail,
    ...more,
  });
  if (firing.length === 0 && asked === undefined) {
    const names = stale.map((a) => a.name).join(", ");
    return hold("alert_stale", `${names} fired when last heard of, which is too long ago to act on`);
  }
  if (run?.status === "undoing") return hold("undo_under_way", "what its last run did is being taken back");
  if (run?.status === "running") return hold("already_contained", `run ${run.id} of it is under way`);
  const untilMono = run && effectUntilMono(run, now, input.bootId);
  if (untilMono !== undefined) {
    const untilMs = now.wallMs + untilMono - now.monoMs;
    return hold("already_contained", `what run ${run?.id} of it did is still in effect`, { untilMs });
  }
  for (const name of new Set(playbook.steps.map((s) => s.on.name))) {
    const held = heldBy(input.situations.get(name), now);
    if (held !== undefined)
      return hold(held.reason, `${name}: ${held.detail}`, {
        heldBy: name,
        ...(held.untilMs === undefined ? {} : { untilMs: held.untilMs }),
      });
  }
  const reason = asked?.trigger ?? "alert";
  return { ...base, act: true, reason, detail: startDetail(firing, asked) };
}

function startDetail(firing: readonly AlertState[], asked: Decision | undefined): string {
  const parts = firing.length === 0 ? [] : [`${[...new Set(firing.map((a) => a.name))].join(", ")} fires`];
  if (asked !== undefined) parts.push(`${asked.signal} of ${asked.target} is forecast to exceed its SLO`);
  return parts.join("; ");
}

interface Held {
  readonly reason: Hold;
  readonly detail: string;
  readonly untilMs?: number;
}

/** The first gate of a target that holds. */
export function heldBy(situation: TargetSituation | undefined, now: Instant): Held | undefined {
  if (situation === undefined) return undefined;
  if (situation.intentUnresolved)
    return { reason: "intent_unresolved", detail: "the outcome of an earlier action is not known yet" };
  if (situation.cooldownLeftMs > 0) {
    const seconds = Math.ceil(situation.cooldownLeftMs / 1000);
    return {
      reason: "cooldown_active",
      detail: `in cooldown, ${seconds} s left`,
      untilMs: now.wallMs + situation.cooldownLeftMs,
    };
  }
  return undefined;
}
