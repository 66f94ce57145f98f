import type { MetricSource, Observation } from "../../../monitor/kernel/observation.ts";
import type { Series } from "../../../monitor/kernel/target.ts";
import type { Plant, Soil } from "./types.ts";

type Twist = (seen: Observation, series: Series, nowMs: number) => Observation;

/** A source whose observations are changed one by one. */
function twisted(source: MetricSource, twist: Twist): MetricSource {
  return {
    ...source,
    async observe(request) {
      const seen = await source.observe(request);
      return seen.map((o, i) => twist(o, request.plan[i] as Series, request.now.wallMs));
    },
  };
}

function usable(value: number, timestampMs: number): Observation {
  return { status: "ok", source: "prometheus", value, timestampMs };
}

/** Remembers the last usable observation of each series. */
function remembering(
  twist: (seen: Observation, last: Observation | undefined, nowMs: number) => Observation,
) {
  return (source: MetricSource): MetricSource => {
    const last = new Map<string, Observation>();
    return twisted(source, (seen, { target, signal }, nowMs) => {
      const key = `${target.name}/${signal.name}`;
      if (seen.status === "ok") last.set(key, seen);
      return twist(seen, last.get(key), nowMs);
    });
  };
}

/** Bugs of a metric source. */
export const SOURCE_PLANTS: readonly Plant[] = [
  {
    name: "unknown_is_zero",
    about: "what is missing counts as 0",
    breaks: [2],
    source: (source) => twisted(source, (o, _, nowMs) => (o.status === "missing" ? usable(0, nowMs) : o)),
  },
  {
    name: "unreachable_is_worst",
    about: "what cannot be reached counts as past its limit",
    breaks: [2],
    source: (source) =>
      twisted(source, (o, series, nowMs) =>
        o.status === "unreachable" ? usable(2 * series.signal.thresholds.limit, nowMs) : o,
      ),
  },
  {
    name: "stale_is_fresh",
    about: "an old sample is given the present time",
    breaks: [2],
    source: remembering((o, last, nowMs) =>
      o.status === "stale" && last?.status === "ok" ? { ...last, timestampMs: nowMs } : o,
    ),
  },
  {
    name: "invalid_is_last",
    about: "in place of an answer that cannot be trusted the last one is taken",
    breaks: [2],
    source: remembering((o, last) => (o.status === "invalid" && last !== undefined ? last : o)),
  },
  {
    name: "goes_blind",
    about: "after half a day it sees nothing any more",
    breaks: [7],
    source: (source, soil: Soil) =>
      twisted(source, (o) =>
        soil.now() > 12 * 3_600_000
          ? { status: "missing", source: "prometheus", detail: "no such series" }
          : o,
      ),
  },
];
