import type { MetricSource, Observation, ObserveRequest, Unusable } from "../kernel/observation.ts";
import type { Signal } from "../kernel/signal.ts";
import type { Series } from "../kernel/target.ts";
import { errorMessage, formatNumber } from "../kernel/text.ts";
import type { Clock, Instant } from "../kernel/time.ts";
import type { SourceReport } from "./types.ts";
import { within } from "./within.ts";

/** How far a sample may lie ahead of our clock, milliseconds. Sources are stricter; this catches a clock that jumps. */
const MAX_FUTURE_MS = 60_000;

/** No measurement is larger, in any unit: 8 PiB, 285,000 years. One such value would also spoil every line through it. */
const MAX_VALUE = Number.MAX_SAFE_INTEGER;

export interface Observed {
  /** When the last source had answered: what samples' ages count from. */
  readonly at: Instant;
  readonly observations: readonly Observation[];
  readonly sources: readonly SourceReport[];
}

interface Heard {
  readonly source: MetricSource;
  readonly observations: readonly Observation[];
  readonly durationMs: number;
}

/**
 * Stage 1: asks every source at once and takes, series by series, the first usable answer in order of preference.
 * The sources that are not preferred are asked too: rates need the past, so a fall-back has to be warm.
 */
export async function observe(input: {
  sources: readonly MetricSource[];
  plan: readonly Series[];
  now: Instant;
  clock: Clock;
  /** Sources give up when this aborts. */
  deadline: AbortSignal;
  /** A source that has not given up by then is left behind. */
  giveUp: AbortSignal;
}): Promise<Observed> {
  const { plan, now, clock, deadline, giveUp } = input;
  const heard = await Promise.all(
    input.sources.map(async (source): Promise<Heard> => {
      const began = clock.now().monoMs;
      const observations = await ask(source, { plan, now, signal: deadline }, giveUp);
      return { source, observations, durationMs: clock.now().monoMs - began };
    }),
  );
  const at = clock.now();
  const checked = heard.map((h) => ({
    ...h,
    observations: h.observations.map((o, i) => sound(o, (plan[i] as Series).signal, at)),
  }));
  const observations = plan.map((_, i) => {
    const said = checked.map((h) => h.observations[i] as Observation);
    return said.find((o) => o.status === "ok") ?? fallback(said);
  });
  return { at, observations, sources: checked.map(report) };
}

/** What is wrong with a sample whichever source it comes from; undefined when it may be used. */
export function sampleProblem(
  sample: { value: number; timestampMs: number },
  now: Instant,
): string | undefined {
  if (!(sample.value >= 0 && sample.value < Number.POSITIVE_INFINITY))
    return `value ${sample.value} is not a finite number of at least 0`;
  if (sample.value > MAX_VALUE) return `value ${sample.value} is larger than any measurement`;
  if (!Number.isFinite(sample.timestampMs)) return `timestamp ${sample.timestampMs} is not a time`;
  const aheadMs = sample.timestampMs - now.wallMs;
  return aheadMs > MAX_FUTURE_MS ? `timestamp is ${Math.round(aheadMs / 1000)} s in the future` : undefined;
}

/** So much may a value pass the largest there can be, by the inexactness of rates, and is then taken for it. */
const TOLERANCE = 1.1;
/** A value of which only a least is known lies above it, if by a hair. */
const HAIR = 1e-6;

/** What may be used of an observation, whichever source it comes from. */
function sound(o: Observation, { max, thresholds }: Signal, now: Instant): Observation {
  if (o.status !== "ok") return o;
  const invalid = (detail: string): Observation => ({ status: "invalid", source: o.source, detail });
  const detail = sampleProblem(o, now);
  if (detail !== undefined) return invalid(detail);
  if (max !== undefined && o.value > max * TOLERANCE)
    return invalid(`value ${formatNumber(o.value)} is larger than there can be, ${max}`);
  const value = Math.min(o.value, max ?? o.value);
  if (o.atLeast === undefined) return value === o.value ? o : { ...o, value };
  const { slo, limit } = thresholds;
  if (value < slo)
    return invalid(
      `at least ${formatNumber(value)}, which does not tell whether the SLO ${formatNumber(slo)} is kept: ${o.atLeast}; ` +
        `measure with a bucket at the SLO and more up to the limit ${formatNumber(limit)}`,
    );
  return { ...o, value: Math.max(value, slo * (1 + HAIR)) };
}

/** A source must not throw, hang or answer short; one that does has not answered. */
async function ask(
  source: MetricSource,
  request: ObserveRequest,
  giveUp: AbortSignal,
): Promise<readonly Observation[]> {
  const { plan } = request;
  let detail: string;
  try {
    const got = await within(source.observe(request), giveUp);
    if (got.length === plan.length) return got;
    detail = `answered ${got.length} of ${plan.length} series`;
  } catch (error) {
    detail = errorMessage(error);
  }
  return plan.map(() => ({ status: "unreachable", source: source.name, detail }));
}

/** No source has a value: the preferred one's reason, with the others' words. */
function fallback(said: readonly Observation[]): Observation {
  const bad = said.filter((o) => o.status !== "ok");
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
