import type { AlertState, Playbook } from "../kernel/containment.ts";
import type { Decision, GuardName, Hold, Trigger } from "../kernel/decision.ts";
import type { Instant } from "../kernel/time.ts";
import { effectUntilMono, type Run } from "./run.ts";

/** Why a playbook is not started although something asks for it. */
type PlaybookHold = "alert_stale" | Hold;

type PlaybookReason = "alert" | "person" | Trigger | PlaybookHold | GuardName;

/** What was decided on one playbook in one cycle; playbooks that nothing asks for have none. */
export interface PlaybookDecision {
  readonly playbook: string;
  readonly act: boolean;
  readonly reason: PlaybookReason;
  /** Fingerprints and names of the alerts that ask for it. */
  readonly alerts: readonly { readonly fingerprint: string; readonly name: string }[];
  /** The forecast that asks for it. */
  readonly forecast?: { readonly target: string; readonly signal: string };
  /** The target whose guard holds. */
  readonly blockedBy?: string;
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
  /** The person who asks for it. */
  readonly person?: string | undefined;
  /** Its newest run. */
  readonly run: Run | undefined;
  readonly now: Instant;
  readonly bootId: string;
}

/**
 * Whether a playbook is proposed now: an alert of it fires, a forecast or a person asks for it, and nothing of an earlier
 * run is under way or in effect. A level is looked at, not an edge: what is blocked now is proposed again in a later
 * cycle if it is still wanted.
 */
export function decidePlaybook(input: PlaybookInput): PlaybookDecision | undefined {
  const { playbook, firing, stale, asked, person, run, now } = input;
  const wanted = firing.length > 0 || asked !== undefined || person !== undefined;
  if (!wanted && stale.length === 0) return undefined;
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
  if (!wanted) {
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
  const reason = asked?.trigger ?? (firing.length > 0 ? "alert" : "person");
  return { ...base, act: true, reason, detail: startDetail(input) };
}

function startDetail({ firing, asked, person }: PlaybookInput): string {
  const parts = firing.length === 0 ? [] : [`${[...new Set(firing.map((a) => a.name))].join(", ")} fires`];
  if (asked !== undefined) parts.push(`${asked.signal} of ${asked.target} is forecast to exceed its SLO`);
  if (person !== undefined) parts.push(`${person} asks for it`);
  return parts.join("; ");
}
