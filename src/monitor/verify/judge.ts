import { formatDuration, formatNumber } from "../kernel/text.ts";
import type { Instant } from "../kernel/time.ts";
import type { VerificationOutcome, VerificationSettings } from "../kernel/verification.ts";
import type { AfterSample, Judged, Verification } from "./types.ts";

/** Samples whose median is the level after the action. */
const LEVEL_SAMPLES = 5;
/** A slope counts as rising from this many standard errors. */
const RISING_ERRORS = 2;
/** Change is measured against at least this share of the SLO, so that a breach by a hair is not judged by hairs. */
const LEAST_SCALE = 0.1;

/** What the samples from after the action say. */
interface After {
  readonly level: number;
  readonly last: AfterSample;
  readonly slopePerSecond: number;
  readonly rising: boolean;
  readonly projected: number;
}

/**
 * The verdict on an action, once its window is over.
 *
 * Acted on **after** the SLO was passed: `recovered` when the level is below the exit threshold and not on its way past
 * the SLO again; otherwise by how much of the excess over the exit threshold has gone (`improved`), come on top
 * (`worse`), or neither (`ineffective`).
 *
 * Acted on **before**: there is nothing to come back from, so the question is whether the breach that was foreseen is
 * still to come, asked of the samples from after the action alone. `recovered` when the level is within the SLO and
 * either does not rise or leads, at the horizon, to below the exit threshold; `improved` when it still rises, but
 * clearly slower or not past the SLO; `ineffective` when it rises as before, or the breach came; `worse` when the level
 * came out clearly above what the old course would have led to.
 *
 * What would have gone away by itself counts as recovered too: nobody can tell the two apart from one series.
 *
 * @param final judge now, although the window is not over: another action begins.
 */
export function judge(
  v: Verification,
  now: Instant,
  settings: Pick<VerificationSettings, "minSamples" | "minChange">,
  final = false,
): Judged {
  const n = v.samples.length;
  const known = { samples: n, ...(v.before.value === undefined ? {} : { before: v.before.value }) };
  const leftMs = v.untilMonoMs - now.monoMs;
  if (leftMs > 0 && !final)
    return {
      outcome: "pending",
      detail: `${n} samples so far, judged in ${formatDuration(leftMs)}`,
      ...known,
    };
  const last = v.samples.at(-1);
  const lateMs = leftMs + (v.lateMs ?? 0);
  if (n < settings.minSamples && lateMs > 0 && !final)
    return {
      outcome: "pending",
      detail: `${n} samples so far, waiting for more up to ${formatDuration(lateMs)}`,
      ...known,
    };
  if (last === undefined || n < settings.minSamples)
    return {
      outcome: "inconclusive",
      detail: `${n} of the ${settings.minSamples} samples from after the action that a verdict needs`,
      ...known,
    };
  const endMs = Math.min(now.monoMs, v.untilMonoMs);
  const silentMs = endMs - last.monoMs;
  if (silentMs > (endMs - v.fromMonoMs) / 2)
    return { outcome: "inconclusive", detail: `no sample in the last ${formatDuration(silentMs)}`, ...known };
  const after = readAfter(v, last);
  const { value } = v.before;
  const outcome =
    value !== undefined && value > v.slo
      ? afterBreach({ v, before: value, after, minChange: settings.minChange })
      : beforeBreach(v, after, settings.minChange);
  return {
    outcome,
    detail: describe(v, after),
    ...known,
    after: after.level,
    slopePerSecond: after.slopePerSecond,
    projected: after.projected,
  };
}

function afterBreach(input: {
  v: Verification;
  before: number;
  after: After;
  minChange: number;
}): VerificationOutcome {
  const { v, before, after, minChange } = input;
  const change = minChange * Math.max(before - v.exit, LEAST_SCALE * v.slo);
  const again = after.rising && after.projected > v.slo;
  if (after.level <= v.exit && after.last.value <= v.slo && !again) return "recovered";
  if (after.level <= before - change) return "improved";
  return after.level >= before + change ? "worse" : "ineffective";
}

function beforeBreach(v: Verification, after: After, minChange: number): VerificationOutcome {
  const { value, slopePerSecond: slope } = v.before;
  if (after.level <= v.slo && after.last.value <= v.slo) {
    if (!after.rising || after.projected <= v.exit) return "recovered";
    const slower = slope !== undefined && after.slopePerSecond <= (1 - minChange) * slope;
    return after.projected <= v.slo || slower ? "improved" : "ineffective";
  }
  if (value === undefined) return "ineffective";
  // Where the old course would have led by now.
  const elapsedS = (after.last.monoMs - v.at.monoMs) / 1000;
  const expected = Math.max(v.slo, value + Math.max(0, slope ?? 0) * elapsedS);
  const change = minChange * Math.max(expected - v.exit, LEAST_SCALE * v.slo);
  return after.level >= expected + change ? "worse" : "ineffective";
}

function describe(v: Verification, after: After): string {
  const { value, forecast } = v.before;
  const course = after.rising ? `rising towards ${formatNumber(after.projected)}` : "not rising";
  const was = value === undefined ? "unknown" : formatNumber(value);
  const breached = value !== undefined && value > v.slo;
  const forecastText = breached || forecast === undefined ? "" : ` (${formatNumber(forecast)} forecast)`;
  return `${was} before${forecastText}, ${formatNumber(after.level)} after, ${course}; SLO ${formatNumber(v.slo)}, exit ${formatNumber(v.exit)}`;
}

function readAfter(v: Verification, last: AfterSample): After {
  const level = median(v.samples.slice(-LEVEL_SAMPLES).map((s) => s.value));
  const middle = (v.fromMonoMs + v.untilMonoMs) / 2;
  const later = v.samples.filter((s) => s.monoMs >= middle);
  const line = leastSquares(later.length >= 3 ? later : v.samples, last.monoMs);
  const rising = line.slope > RISING_ERRORS * line.error && line.slope > 0;
  return {
    level,
    last,
    slopePerSecond: line.slope,
    rising,
    projected: rising
      ? Math.min(v.max ?? Number.POSITIVE_INFINITY, line.end + (line.slope * v.horizonMs) / 1000)
      : level,
  };
}

/** Least squares: slope a second, its standard error, and the line's value at `endMs`. */
function leastSquares(
  samples: readonly AfterSample[],
  endMs: number,
): { slope: number; error: number; end: number } {
  const n = samples.length;
  const points = samples.map(({ monoMs, value }) => ({ t: (monoMs - endMs) / 1000, y: value }));
  const meanT = points.reduce((sum, { t }) => sum + t, 0) / n;
  const meanY = points.reduce((sum, { y }) => sum + y, 0) / n;
  let tt = 0;
  let ty = 0;
  for (const { t, y } of points) {
    tt += (t - meanT) ** 2;
    ty += (t - meanT) * (y - meanY);
  }
  // Two points always lie on a line, which says nothing of its slope.
  if (n < 3 || tt === 0) return { slope: 0, error: 0, end: meanY };
  const slope = ty / tt;
  const residual = points.reduce((sum, { t, y }) => sum + (y - meanY - slope * (t - meanT)) ** 2, 0);
  return { slope, error: Math.sqrt(residual / (n - 2) / tt), end: meanY - slope * meanT };
}

/** Of at least one value. */
function median(values: readonly number[]): number {
  const sorted = values.toSorted((a, b) => a - b);
  const half = sorted.length >> 1;
  const upper = sorted[half] as number;
  return sorted.length % 2 === 1 ? upper : ((sorted[half - 1] as number) + upper) / 2;
}

/**
 * The verdict on an action that an alert asked for and that no series verifies: the alert's end shows it.
 * @param alert as last heard of, on the monotonic clock; undefined: nothing is known of it.
 */
export function judgeByAlert(input: {
  alert: { readonly status: "firing" | "resolved"; readonly receivedMonoMs: number } | undefined;
  effectMonoMs: number;
  untilMonoMs: number;
  now: Instant;
}): { outcome: "pending" | "recovered" | "ineffective" | "inconclusive"; detail: string } {
  const { alert, effectMonoMs, untilMonoMs, now } = input;
  const fresh = alert !== undefined && alert.receivedMonoMs > effectMonoMs;
  if (fresh && alert.status === "resolved") return { outcome: "recovered", detail: "the alert has ended" };
  if (now.monoMs < untilMonoMs)
    return { outcome: "pending", detail: `judged in ${formatDuration(untilMonoMs - now.monoMs)}` };
  return fresh
    ? { outcome: "ineffective", detail: "the alert still fires" }
    : { outcome: "inconclusive", detail: "nothing was heard of the alert since the action" };
}
