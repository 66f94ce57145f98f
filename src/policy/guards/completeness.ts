import type { CompletenessSettings } from "../../domain/guards.ts";
import { seriesKey } from "../../domain/target.ts";
import type { Instant } from "../../domain/time.ts";
import { percent, spell } from "../words.ts";
import type { DataFindings, GuardState, Held, ObservedTarget } from "./types.ts";

type Memory = Pick<GuardState, "seen">;

/**
 * How complete the picture is in this cycle. Two questions:
 * of a target, which share of its signals is usable, not counting those that are merely absent (a service without
 * traffic has no latency); of the fleet, which share of the series seen of late has a value now (a Prometheus that
 * starts with an empty store answers well and knows nothing).
 */
export function findCompleteness(input: {
  state: Memory;
  targets: readonly ObservedTarget[];
  settings: CompletenessSettings;
  now: Instant;
}): { seen: Readonly<Record<string, number>>; data: DataFindings } {
  const { state, targets, settings, now } = input;
  const findings: Record<string, string> = {};
  const fresh: string[] = [];
  for (const { target, signals } of targets) {
    const ok = signals.filter((s) => s.status === "ok");
    for (const s of ok) fresh.push(seriesKey(target, s.signal));
    const broken = signals.filter((s) => s.status !== "ok" && s.status !== "missing");
    const of = ok.length + broken.length;
    if (of === 0 || ok.length / of >= settings.targetShare) continue;
    findings[target] =
      `only ${ok.length} of ${of} signals are usable, ${percent(settings.targetShare)} are wanted (${broken.map((s) => `${s.signal} ${s.status}`).join(", ")})`;
  }
  const seen = remember(state.seen, fresh, settings.memoryMs, now);
  const planned = new Set(targets.flatMap((t) => t.signals.map((s) => seriesKey(t.target, s.signal))));
  const expected = Object.keys(seen).filter((key) => planned.has(key)).length;
  const partial = expected >= settings.minSeries && fresh.length / expected < settings.fleetShare;
  const fleet = `only ${fresh.length} of ${expected} series seen within ${spell(settings.memoryMs)} have a value, ${percent(settings.fleetShare)} are wanted`;
  return { seen, data: { targets: findings, ...(partial ? { fleet } : {}) } };
}

/** Holds a target on too small a part of its own data, and every target on too small a part of the fleet's. */
export function dataPartialHold(data: DataFindings, target: string): Held | undefined {
  const detail = data.fleet ?? data.targets[target];
  return detail === undefined ? undefined : { hold: "data_partial", detail };
}

/** Copied only when something changes by a tenth of the memory: this runs in every cycle for every series. */
function remember(
  seen: Readonly<Record<string, number>>,
  fresh: readonly string[],
  memoryMs: number,
  now: Instant,
): Readonly<Record<string, number>> {
  const old = (at: number) => now.monoMs - at > memoryMs;
  const due = fresh.filter((key) => !(now.monoMs - (seen[key] ?? Number.NEGATIVE_INFINITY) < memoryMs / 10));
  if (due.length === 0 && !Object.values(seen).some(old)) return seen;
  const next = Object.fromEntries(Object.entries(seen).filter(([, at]) => !old(at)));
  for (const key of due) next[key] = now.monoMs;
  return next;
}
