import type { Controls } from "../cycle/controls.ts";
import type { TickReport } from "../cycle/types.ts";
import { measuredAs } from "../guards/guard.ts";
import { BUDGET_LEFT } from "../guards/rate-cap/index.ts";
import type { Pause, Silence } from "../kernel/guards.ts";
import type { Attempt } from "../kernel/verification.ts";
import { iso, isoOrNull } from "./json.ts";

type Known = Pick<Controls, "guards" | "verification">;

/** The guards as the status API shows them. */
export function guardStatus(latest: TickReport | undefined, { guards }: Known) {
  const { pause, silences, calendar, storm } = guards;
  return {
    /** Guards that block something now, whether or not anything wants to act. */
    active: latest?.guards.holding ?? [],
    /** What they blocked in the last cycle: the first guard of each. */
    blocked: (latest?.guards.blocked ?? []).map(({ guard, target, signal }) => ({
      ...{ guard, target, metric: signal },
    })),
    budgets: [...measuredAs(latest?.guards ?? { measured: [] }, BUDGET_LEFT)].map(([scope, left]) => ({
      scope,
      left,
    })),
    paused: pause === undefined ? null : pauseFields(pause),
    silences: silences.map(silenceFields),
    calendar: calendar.map(({ kind, target, signal, action, detail }) => ({
      ...{ guard: kind === "silence" ? "silenced" : "maintenance_window" },
      ...{ target, metric: signal, action, detail },
    })),
    storm: storm.active
      ? { since: isoOrNull(storm.sinceMs), at_risk: storm.unwellCount, targets: storm.total }
      : null,
  };
}

/** A pause as the API shows it. */
export function pauseFields({ by, reason, since, untilMs }: Pause) {
  return { by, reason, since: iso(since.wallMs), until: isoOrNull(untilMs) };
}

/** A silence as the API shows it. */
export function silenceFields({ startsAtMs, endsAtMs, ...silence }: Silence) {
  return { ...silence, starts_at: iso(startsAtMs), ends_at: iso(endsAtMs) };
}

/** Targets on which the monitor has stopped, and who has answered. */
export function escalationStatus({ verification }: Known) {
  return Object.values(verification.targets).flatMap(({ escalation: e }) => {
    if (e === undefined) return [];
    const { target, cause, acknowledged: ack } = e;
    return [
      {
        ...{ target, metric: e.signal, cause },
        since: iso(e.since.wallMs),
        attempts: e.attempts.map(attemptFields),
        acknowledged:
          ack === undefined
            ? null
            : { by: ack.by, reason: ack.reason, at: iso(ack.at.wallMs), until: isoOrNull(ack.untilMs) },
      },
    ];
  });
}

const MAX_SHOWN = 100;

/** What the last actions turned out to have done, the newest first; those still watched are `pending`. */
export function recentAttempts({ verification }: Known) {
  const done = Object.values(verification.targets).flatMap((t) => t.attempts);
  const pending = Object.values(verification.pending).map((v) => ({
    ...v,
    outcome: "pending" as const,
    detail: `${v.samples.length} samples so far`,
  }));
  return [...done, ...pending]
    .map(attemptFields)
    .sort((a, b) => b.at.localeCompare(a.at))
    .slice(0, MAX_SHOWN);
}

/** An action and what it came to. */
function attemptFields(
  attempt: Omit<Attempt, "outcome" | "before"> & { outcome: Attempt["outcome"] | "pending" },
) {
  const { intentId, at, target, signal, action, outcome, detail } = attempt;
  return { intent: intentId, at: iso(at.wallMs), target, metric: signal, action, outcome, detail };
}
