import type { MetricSource, Observation, Unusable } from "../domain/observation.ts";
import type { Series } from "../domain/target.ts";
import type { Clock, Instant } from "../domain/time.ts";
import type { SourceReport } from "./types.ts";

export interface Observed {
  readonly observations: readonly Observation[];
  readonly sources: readonly SourceReport[];
}

interface Heard {
  readonly source: MetricSource;
  readonly observations: readonly Observation[];
  readonly durationMs: number;
}

/**
 * Asks every source at once and takes, series by series, the first usable answer in order of preference.
 * The sources that are not preferred are asked too: rates need the past, so a fall-back has to be warm.
 */
export async function observe(input: {
  sources: readonly MetricSource[];
  plan: readonly Series[];
  now: Instant;
  clock: Clock;
  deadline: AbortSignal;
}): Promise<Observed> {
  const { plan, now, clock, deadline } = input;
  const heard = await Promise.all(
    input.sources.map(async (source): Promise<Heard> => {
      const began = clock.now().monoMs;
      const observations = await ask(source, plan, now, deadline);
      return { source, observations, durationMs: clock.now().monoMs - began };
    }),
  );
  const observations = plan.map((_, i) => {
    for (const h of heard) if (h.observations[i]?.status === "ok") return h.observations[i] as Observation;
    return worstOfAll(heard, i);
  });
  return { observations, sources: heard.map(report) };
}

/** A source must not throw or answer short; one that does has not answered. */
async function ask(
  source: MetricSource,
  plan: readonly Series[],
  now: Instant,
  deadline: AbortSignal,
): Promise<readonly Observation[]> {
  let detail: string;
  try {
    const got = await source.observe({ plan, now, signal: deadline });
    if (got.length === plan.length) return got;
    detail = `answered ${got.length} of ${plan.length} series`;
  } catch (error) {
    detail = error instanceof Error ? error.message : String(error);
  }
  return plan.map(() => ({ status: "unreachable", source: source.name, detail }));
}

/** No source has a value: the preferred one's reason, with the others' words. */
function worstOfAll(heard: readonly Heard[], i: number): Observation {
  const bad = heard.flatMap((h) => {
    const o = h.observations[i];
    return o === undefined || o.status === "ok" ? [] : [o];
  });
  const first = bad[0];
  if (first === undefined)
    return { status: "unreachable", source: "none", detail: "no source is configured" };
  return { ...first, detail: bad.map((o) => `${o.source}: ${o.detail}`).join("; ") };
}

function report(h: Heard): SourceReport {
  const counts: Record<Unusable | "ok", number> = { ok: 0, missing: 0, stale: 0, invalid: 0, unreachable: 0 };
  let detail: string | undefined;
  for (const o of h.observations) {
    counts[o.status] += 1;
    if (o.status !== "ok" && o.status !== "missing") detail ??= o.detail;
  }
  return { name: h.source.name, ...counts, detail, durationMs: h.durationMs };
}
