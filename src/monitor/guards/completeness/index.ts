import { z } from "zod";
import { count, setting, share, window } from "../../../common/settings/fields.ts";
import type { Internal } from "../../../common/settings/internal.ts";
import { seriesKey } from "../../kernel/target.ts";
import { formatDuration, percent } from "../../kernel/text.ts";
import type { Instant } from "../../kernel/time.ts";
import type { DataFindings, Finding, Guard, GuardState, ObservedSignal, ObservedTarget } from "../guard.ts";

const settings = z
  .strictObject({
    target_share: setting(share().default(0.5), "least share of a target's signals that must be usable"),
    fleet_share: setting(
      share().default(0.5),
      "least share of the series seen of late that must have a value",
    ),
    min_series: setting(
      count(1, 100_000, "series").default(8),
      "below so many series guards.completeness.fleet_share says nothing",
    ),
    memory_seconds: setting(window().default(900), "how long a series is expected after it was last seen"),
  })
  .prefault({});

type CompletenessSettings = Internal<typeof settings>;

type Memory = Pick<GuardState, "seen">;

/**
 * How complete the picture is in this cycle. Two questions:
 * of a target, which share of its signals is usable, not counting those that are merely absent (a service without
 * traffic has no latency); of the fleet, which share of the series seen of late has a value now (a Prometheus that
 * starts with an empty store answers well and knows nothing).
 * @internal for its tests
 */
export function findCompleteness(input: {
  state: Memory;
  targets: readonly ObservedTarget[];
  settings: CompletenessSettings;
  now: Instant;
}): { seen: Readonly<Record<string, number>>; data: DataFindings } {
  const { state, targets, settings, now } = input;
  const { memoryMs } = settings;
  const findings: Record<string, string> = {};
  const due: string[] = [];
  let fresh = 0;
  let expected = 0;
  for (const { target, signals } of targets) {
    let ok = 0;
    let broken = 0;
    for (const { signal, status, key = seriesKey(target, signal) } of signals) {
      const ageMs = now.monoMs - (state.seen[key] ?? Number.NEGATIVE_INFINITY);
      if (status === "ok") {
        ok += 1;
        if (ageMs >= memoryMs / 10) due.push(key);
      } else if (status !== "missing") broken += 1;
      if (status === "ok" || ageMs <= memoryMs) expected += 1;
    }
    fresh += ok;
    if (broken > 0 && ok / (ok + broken) < settings.targetShare)
      findings[target] = describeTarget(ok, signals, settings);
  }
  const seen = due.length === 0 ? state.seen : remember(state.seen, due, memoryMs, now);
  const partial = expected >= settings.minSeries && fresh / expected < settings.fleetShare;
  if (!partial) return { seen, data: { targets: findings } };
  const fleet = `only ${fresh} of ${expected} series seen within ${formatDuration(memoryMs)} have a value, ${percent(settings.fleetShare)} are wanted`;
  return { seen, data: { targets: findings, fleet } };
}

function describeTarget(
  ok: number,
  signals: readonly ObservedSignal[],
  { targetShare }: CompletenessSettings,
): string {
  const broken = signals.filter((s) => s.status !== "ok" && s.status !== "missing");
  const which = broken.map((s) => `${s.signal} ${s.status}`).join(", ");
  return `only ${ok} of ${ok + broken.length} signals are usable, ${percent(targetShare)} are wanted (${which})`;
}

/** Holds a target on too small a part of its own data, and every target on too small a part of the fleet's. */
export const completeness = {
  kind: "data_partial",
  looksAt: ["asker", "callee"],
  asked: "step",
  docs: { summary: "too much of the data is missing" },
  section: "completeness",
  settings,
  metrics: [],
  check(party, _, { state }): Finding | undefined {
    const detail = state.data.fleet ?? state.data.targets[party.name];
    return detail === undefined ? undefined : { detail };
  },
  advance: (state, { targets, now }, settings) => ({
    ...state,
    ...findCompleteness({ state, targets, settings, now }),
  }),
  resume: (state) => ({ ...state, seen: {}, data: { targets: {} } }),
} as const satisfies Guard<CompletenessSettings>;

/** Noted anew only every tenth of the memory, so that not every cycle copies the whole of it. */
function remember(
  seen: Readonly<Record<string, number>>,
  due: readonly string[],
  memoryMs: number,
  now: Instant,
): Readonly<Record<string, number>> {
  const next: Record<string, number> = {};
  for (const [key, at] of Object.entries(seen)) if (now.monoMs - at <= memoryMs) next[key] = at;
  for (const key of due) next[key] = now.monoMs;
  return next;
}
