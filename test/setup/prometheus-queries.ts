/** What the source asks Prometheus for, told by its queries. */
export type Question =
  /** Values of a signal, or the requests behind them. */
  | "values"
  /** Time and success of the last scrape. */
  | "scraped"
  /** Time of the samples that are used. */
  | "ages"
  /** Whether start times of processes, or counters, go back. */
  | "alternation"
  /** Bounds of a histogram. */
  | "buckets"
  /** Why something was not found. */
  | "why"
  /** The list of scraped targets. */
  | "targets";

const QUESTIONS: readonly (readonly [RegExp, Question])[] = [
  [/^bottomk by \(/, "scraped"],
  [/^min by \([^)]*\) \(timestamp\(/, "ages"],
  [/\bresets\(/, "alternation"],
  [/^group by \([^)]*le\)/, "buckets"],
  [/^max by \([^)]*\) \((?:timestamp|count_over_time|max_over_time)\(/, "why"],
];

export const promqlIn = (body: string): string => new URLSearchParams(body).get("query") ?? "";

/** @param body of the request: a form, or nothing where the targets are asked for. */
export function questionOf(body: string): Question {
  if (body === "") return "targets";
  const promql = promqlIn(body);
  return QUESTIONS.find(([pattern]) => pattern.test(promql))?.[1] ?? "values";
}
