import type { Controls } from "../cycle/guards/controls.ts";
import type { TickReport } from "../cycle/types.ts";
import type { Pause, Silence } from "../kernel/guards.ts";

type Known = Pick<Controls, "guards" | "healing">;

/** The brakes as the status API shows them. */
export function guardStatus(latest: TickReport | undefined, { guards }: Known): Record<string, unknown> {
  const { pause, silences, calendar, storm } = guards;
  return {
    holding: latest?.guards.holding ?? [],
    held_back: latest?.guards.heldBack ?? [],
    budgets: latest?.guards.budgets ?? [],
    paused: pause === undefined ? null : pauseFields(pause),
    silences: silences.map(silenceFields),
    calendar: calendar.map(({ hold, target, signal, action, detail }) => ({
      hold,
      target,
      metric: signal,
      action,
      detail,
    })),
    storm: storm.active
      ? { since: orNull(storm.sinceMs), unwell: storm.unwellCount, targets: storm.total }
      : null,
  };
}

/** A pause as the API shows it. */
export function pauseFields({ by, reason, since, untilMs }: Pause): Record<string, unknown> {
  return { by, reason, since: iso(since.wallMs), until: orNull(untilMs) };
}

/** A silence as the API shows it. */
export function silenceFields({ startsAtMs, endsAtMs, ...silence }: Silence): Record<string, unknown> {
  return { ...silence, starts_at: iso(startsAtMs), ends_at: iso(endsAtMs) };
}

/** Targets on which the monitor has stopped, and who has answered. */
export function escalationStatus({ healing }: Known): Record<string, unknown>[] {
  return Object.values(healing.targets).flatMap(({ escalation: e }) => {
    if (e === undefined) return [];
    const { acknowledged: ack } = e;
    return [
      {
        target: e.target,
        metric: e.signal,
        cause: e.cause,
        since: iso(e.since.wallMs),
        tries: e.tries.map(({ at, ...made }) => ({ at: iso(at.wallMs), ...made })),
        acknowledged:
          ack === undefined
            ? null
            : { by: ack.by, reason: ack.reason, at: iso(ack.at.wallMs), until: orNull(ack.untilMs) },
      },
    ];
  });
}

const MAX_SHOWN = 100;

/** What the last actions turned out to have done, the newest first; those still watched are `pending`. */
export function recentAttempts({ healing }: Known): Record<string, unknown>[] {
  const tries = Object.values(healing.targets).flatMap((t) => t.tries);
  const done = tries.map(({ intentId, at, target, signal, action, outcome, detail }) => ({
    intent: intentId,
    at: iso(at.wallMs),
    target,
    metric: signal,
    action,
    outcome,
    detail,
  }));
  const pending = Object.values(healing.pending).map((v) => ({
    intent: v.intentId,
    at: iso(v.at.wallMs),
    target: v.target,
    metric: v.signal,
    action: v.action,
    outcome: "pending",
    detail: `${v.samples.length} samples so far`,
  }));
  return [...done, ...pending].sort((a, b) => b.at.localeCompare(a.at)).slice(0, MAX_SHOWN);
}

function iso(ms: number): string {
  return new Date(ms).toISOString();
}

function orNull(ms: number | undefined): string | null {
  return ms === undefined ? null : iso(ms);
}
