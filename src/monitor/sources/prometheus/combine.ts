import type { Observation, Unusable } from "../../kernel/observation.ts";
import type { Series } from "../../kernel/target.ts";
import type { Bounds } from "./bounds.ts";
import type { VectorAnswer } from "./client.ts";
import { type Freshness, type FreshnessLimits, judgeTime } from "./freshness.ts";
import type { QueryGroup } from "./groups.ts";
import { countKey, type Reading } from "./readings.ts";
import type { Read } from "./template.ts";

export const NAME = "prometheus";

/** Which step found nothing, so that it can be asked why. */
export type Step =
  /** Neither a scrape nor a young sample of it is known. */
  | { readonly kind: "no_target" }
  /** It is scraped, and this metric has no sample that is young enough. */
  | { readonly kind: "no_series"; readonly read: Read }
  /** Every metric is there, and the query finds nothing. */
  | { readonly kind: "no_value" }
  /** The last scrape failed. */
  | { readonly kind: "down" };

export interface Finding {
  readonly observation: Observation;
  /** Set where more can be said. */
  readonly step?: Step;
}

/** What all answers for a group say. */
export interface GroupAnswers {
  readonly group: QueryGroup;
  readonly values: VectorAnswer;
  readonly readings: ReadonlyMap<string, Reading> | undefined;
  readonly counts: ReadonlyMap<string, number> | undefined;
  readonly scraped: VectorAnswer;
  readonly fresh: ReadonlyMap<string, Freshness> | undefined;
  /** Along the metrics that the query reads. */
  readonly ages: readonly { readonly answer: VectorAnswer; readonly of: ReadonlyMap<string, Freshness> }[];
  /** Why a target is not to be trusted, whatever it says. */
  readonly alternates: (key: string) => string | undefined;
  readonly bounds: Bounds;
  /** Why the buckets could not be read. */
  readonly boundsProblem: string | undefined;
  readonly limits: FreshnessLimits;
  readonly configuredWindowMs: number;
}

/** One series' observation from its value and from the age of what it was computed of; the first thing that is wrong decides. */
export function combine(answers: GroupAnswers, key: string, series: Series): Finding {
  const { group, values, scraped } = answers;
  if (!values.ok) return unusable(values.status, values.detail);
  for (const answer of [scraped, ...answers.ages.map((age) => age.answer)])
    if (!answer.ok) return unusable(answer.status, `age of the samples is unknown: ${answer.detail}`);
  const fresh = answers.fresh?.get(key);
  if (fresh?.ok === false) {
    const found = unusable(fresh.status, fresh.detail);
    return fresh.down === undefined ? found : { ...found, step: { kind: "down" } };
  }
  const taken = oldest(answers, key, fresh);
  if ("observation" in taken) return taken;
  const reading = answers.readings?.get(key);
  if (!reading) return unexplained("missing", "the query finds nothing", { kind: "no_value" });
  if (!reading.ok) {
    if (reading.idle && answers.bounds.onlyOpen(group, key))
      return unusable(
        "invalid",
        `${group.template.buckets?.metric} has no finite bucket: it tells no quantile`,
      );
    return unusable(reading.status, reading.detail);
  }
  const evaluated = judgeTime("evaluation", reading.evaluatedMs, answers.limits);
  if (!evaluated.ok) return unusable(evaluated.status, evaluated.detail);
  const alternates = answers.alternates(key);
  if (alternates !== undefined) return unusable("invalid", alternates);
  return measured(answers, { key, series, reading, timestampMs: taken.atMs });
}

/** The time of the oldest sample that is used, or why there is none. */
function oldest(
  { group, ages }: GroupAnswers,
  key: string,
  fresh: Extract<Freshness, { ok: true }> | undefined,
): Finding | { readonly atMs: number } {
  let atMs = Number.POSITIVE_INFINITY;
  let lacking: Read | undefined;
  for (const [at, { of }] of ages.entries()) {
    const read = group.template.reads[at] as Read;
    const age = of.get(key);
    if (age?.ok === false) return unusable(age.status, age.detail);
    if (age !== undefined) atMs = Math.min(atMs, age.scrapedMs);
    else if (!read.mayBeAbsent) lacking ??= read;
  }
  if (lacking !== undefined && fresh !== undefined)
    return unexplained("missing", `no series ${lacking.metric}`, { kind: "no_series", read: lacking });
  if (lacking !== undefined)
    return unexplained("missing", "Prometheus knows no such target", { kind: "no_target" });
  if (atMs !== Number.POSITIVE_INFINITY) return { atMs };
  if (fresh !== undefined) return { atMs: fresh.scrapedMs };
  return unexplained("missing", "Prometheus knows no such target", { kind: "no_target" });
}

function measured(
  answers: GroupAnswers,
  found: {
    readonly key: string;
    readonly series: Series;
    readonly reading: Extract<Reading, { ok: true }>;
    readonly timestampMs: number;
  },
): Finding {
  const { group, bounds } = answers;
  const { key, reading, timestampMs } = found;
  const { signal } = found.series;
  const judged = bounds.judge(group, key, reading.value, signal);
  if (judged === "unknown")
    return unusable(
      "invalid",
      `the buckets behind the quantile are not known: ${answers.boundsProblem ?? "no such series"}`,
    );
  const support = answers.counts?.get(countKey(key, reading.instance));
  const { windowMs } = group;
  return {
    observation: {
      status: "ok",
      source: NAME,
      value: judged?.value ?? reading.value,
      timestampMs,
      ...(support === undefined ? {} : { support }),
      ...(judged === undefined ? {} : { atLeast: judged.why }),
      ...(windowMs === answers.configuredWindowMs || !signal.windowed ? {} : { windowMs }),
      ...(reading.instance === undefined ? {} : { instance: reading.instance }),
    },
  };
}

function unusable(status: Unusable, detail: string): Finding {
  return { observation: { status, source: NAME, detail } };
}

function unexplained(status: Unusable, detail: string, step: Step): Finding {
  return { ...unusable(status, detail), step };
}
