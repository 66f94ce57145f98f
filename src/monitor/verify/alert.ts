import { formatNumber, isoUtc, oneLine } from "../kernel/text.ts";
import type { Instant } from "../kernel/time.ts";
import type { Attempt, Escalation, EscalationAlert } from "../kernel/verification.ts";
import type { EndedEscalation, VerificationState } from "./types.ts";

/** Name of the alert; Alertmanager's routes and inhibitions know it by this. */
const ESCALATION_ALERT = "SelfHealEscalation";
/** Where people read on. */
const RUNBOOK = "docs/runbooks.md#selfhealescalation";
/** Attempts listed in the description. */
const MAX_LISTED = 10;
/** Ends are told for so long, then left to Alertmanager's own clock, milliseconds. */
const TELL_END_MS = 3_600_000;

/** Whether people have to be told now: something is new, or what lasts has to be said again. */
export function notificationDue(state: VerificationState, now: Instant, resendMs: number): boolean {
  const any = state.ended.length > 0 || Object.values(state.targets).some((t) => t.escalation !== undefined);
  return any && (state.notifiedMonoMs === undefined || now.monoMs - state.notifiedMonoMs >= resendMs);
}

/**
 * Every escalation that lasts, and every one whose end has not been told. The labels and the start of an episode never
 * change, so that it stays one alert; the end of one that lasts lies `lastsMs` ahead, so that it goes out by itself
 * when the monitor does not renew it.
 */
export function escalationAlerts(
  state: VerificationState,
  context: { now: Instant; lastsMs: number; externalUrl?: string },
): EscalationAlert[] {
  const { now, lastsMs, externalUrl } = context;
  const url = externalUrl === undefined ? {} : { generatorUrl: externalUrl };
  const lasting = Object.values(state.targets).flatMap(({ escalation }) =>
    escalation === undefined ? [] : [escalation],
  );
  const again = new Set(lasting.map(identity));
  const over = state.ended.filter(({ escalation }) => !again.has(identity(escalation)));
  return [
    ...lasting.map((e) => ({ ...alertOf(e), ...ending(e, now.wallMs + lastsMs), ...url })),
    ...over.map((e) => ({ ...alertOf(e.escalation, e), ...ending(e.escalation, e.endedAt.wallMs), ...url })),
  ];
}

/**
 * They have been told: ends need not be told again, what lasts only after the interval.
 * @param began the state that was told of: what has become new since still has to be.
 */
export function told(state: VerificationState, began: VerificationState, now: Instant): VerificationState {
  const done = new Set(began.ended.map(endOf));
  const ended = state.ended.filter((e) => !done.has(endOf(e)));
  return { ...state, ended, ...(state.news === began.news ? { notifiedMonoMs: now.monoMs } : {}) };
}

/** Without ends that could not be told for an hour: the alert has gone out by itself long since. */
export function forgetOldEnds(state: VerificationState, now: Instant): VerificationState {
  const ended = state.ended.filter((e) => now.monoMs - e.endedAt.monoMs < TELL_END_MS);
  return ended.length === state.ended.length ? state : { ...state, ended };
}

function identity({ target, signal }: Escalation): string {
  return `${target}/${signal}`;
}

function endOf({ escalation, endedAt }: EndedEscalation): string {
  return `${identity(escalation)}/${escalation.since.wallMs}/${endedAt.monoMs}`;
}

/** Alertmanager refuses an end before the start, which a clock set back would give. */
function ending({ since }: Escalation, endsAtMs: number): { startsAtMs: number; endsAtMs: number } {
  return { startsAtMs: since.wallMs, endsAtMs: Math.max(endsAtMs, since.wallMs + 1) };
}

function alertOf(e: Escalation, ended?: EndedEscalation): Pick<EscalationAlert, "labels" | "annotations"> {
  const { target, signal, cause, since, attempts, acknowledged: ack } = e;
  const many = attempts.length === 1 ? "an action" : `${attempts.length} actions`;
  const why = cause === "refused" ? "the target refuses the action" : `${many} did not help`;
  const last = attempts.at(-1);
  return {
    labels: { alertname: ESCALATION_ALERT, target, signal, severity: "critical" },
    annotations: {
      summary: `Self-healing of ${target} has stopped: ${why}`,
      description: [
        `Since ${isoUtc(since.wallMs)} the monitor does not act on ${target} (${signal}) any more: ${why}.`,
        ...attempts.slice(-MAX_LISTED).map(lineOf),
        "It goes on when somebody says so, or when the target has been well for long enough.",
      ].join("\n"),
      runbook_url: RUNBOOK,
      cause,
      attempts: `${attempts.length}`,
      since: isoUtc(since.wallMs),
      intents: attempts
        .slice(-MAX_LISTED)
        .map((t) => t.intentId)
        .join(","),
      ...(last?.after === undefined ? {} : { level: formatNumber(last.after) }),
      ...(last?.slo === undefined ? {} : { slo: formatNumber(last.slo) }),
      ...(ack === undefined
        ? {}
        : {
            acknowledged: `by ${oneLine(ack.by, 80)} at ${isoUtc(ack.at.wallMs)}${ack.untilMs === undefined ? "" : ` until ${isoUtc(ack.untilMs)}`}: ${oneLine(ack.reason)}`,
          }),
      ...(ended === undefined ? {} : { ended: ended.detail }),
    },
  };
}

function lineOf(t: Attempt): string {
  return `- ${isoUtc(t.at.wallMs)} ${t.action} (${oneLine(t.intentId, 60)}): ${t.outcome}; ${oneLine(t.detail, 160)}`;
}
