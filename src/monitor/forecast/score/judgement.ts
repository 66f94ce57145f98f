import { aggregateAt, type ScoreBank } from "./bank.ts";
import * as at from "./layout.ts";

/** One test of a predictor: how far off it is, how sure that is, on how much. */
interface TestFigures {
  /**
   * Probability: calibration error (0..1), gathered forward in time, so that chance alone gives 0 on average; over all
   * forecasts, and over those that spoke (probability 0.1 or more), which the many quiet ones would hide.
   * Interval: coverage - nominal coverage.
   */
  readonly estimate: number;
  readonly standardError: number;
  /** Distance from zero in standard errors. */
  readonly z: number;
  /** Number of equally filled blocks that would carry as much, and forecasts in them (the older counting less). */
  readonly blocks: number;
  readonly forecasts: number;
}

export interface Judgement {
  readonly verdict: "unknown" | "good" | "poor";
  readonly reason:
    | "too_few"
    | "too_uncertain"
    | "calibrated"
    | "probability_off"
    | "spoken_off"
    | "coverage_off";
  /** For people: one line with the numbers. */
  readonly detail: string;
  /** Undefined where the predictor has given no probability, none of 0.1 or more, no interval. */
  readonly probability: TestFigures | undefined;
  readonly spoken: TestFigures | undefined;
  readonly coverage: TestFigures | undefined;
}

/** Off by this much is poor, once it is certain; surely less than this is good. */
const POOR_FROM = 0.1;
/** The same for the few forecasts that spoke. */
const SPOKEN_POOR_FROM = 0.2;
/** Standard errors that make it certain: a fair game of K blocks passes them with probability below 2 exp(-z^2 / 2). */
const CERTAIN_Z = 4;
/** Independent blocks before anything is said. */
const LEAST_BLOCKS = 20;

function testAt(s: Float64Array, test: number, squares: number): TestFigures | undefined {
  const n = s[test + at.T_N] as number;
  if (!(n > 0)) return undefined;
  const sum = s[test + at.T_SUM] as number;
  const q = s[squares + at.Q_N] as number;
  // Whichever is larger: blocks as they scattered (series that fail together), or what chance alone would do to them.
  const variance = Math.max(s[squares + at.Q_SEEN] as number, s[squares + at.Q_MODEL] as number);
  const sd = Math.sqrt(variance);
  return {
    estimate: sum / n,
    standardError: sd / n,
    z: sd > 0 ? sum / sd : 0,
    blocks: (n * n) / q,
    forecasts: n,
  };
}

type Part = "too_few" | "too_uncertain" | "good" | "poor";

function isPoor(t: TestFigures, from: number): boolean {
  // A hair's breadth above, so that an interval of 0.9 that holds everything is not poor by a rounding error.
  return Math.abs(t.estimate) > from + 1e-9 && Math.abs(t.z) >= CERTAIN_Z;
}

function judgeProbability(t: TestFigures): Part {
  if (t.blocks < LEAST_BLOCKS) return "too_few";
  if (isPoor(t, POOR_FROM)) return "poor";
  return Math.abs(t.estimate) + 2 * t.standardError <= POOR_FROM ? "good" : "too_uncertain";
}

/** An interval that is a little too wide does no harm: only too narrow must be ruled out for good. */
function judgeCoverage(t: TestFigures): Part {
  if (t.blocks < LEAST_BLOCKS) return "too_few";
  if (isPoor(t, POOR_FROM)) return "poor";
  const ruledOut = t.estimate - 2 * t.standardError >= -POOR_FROM;
  return ruledOut && t.estimate <= POOR_FROM + 1e-9 ? "good" : "too_uncertain";
}

/** All that a judgement depends on: the tests' sums lie side by side, and their squares behind them. */
const FROM = at.TEST_CALIBRATION;
const TO = at.FADING_SQUARES_END;

interface Given {
  readonly on: Float64Array;
  readonly judgement: Judgement;
}

/** The newest judgement of each aggregate of a bank. */
const given = new WeakMap<ScoreBank, (Given | undefined)[]>();

/**
 * Whether the recent calibration of predictor `w` on a group can be trusted, and why.
 *
 * Forecasts a cycle apart speak of nearly the same moment and many series fail together, so they are not counted one
 * by one: time is cut into blocks of four horizons, and a block is one observation, the sum of (outcome - claim) over
 * all series in it. The sum of blocks is set against the root of the sum of their squares (a self-normalized sum: K
 * blocks can never give more than sqrt(K), so that few cannot say poor), which is not let below what chance gives when
 * forecasts of one series in one block all share their outcome. Poor: off by more than `POOR_FROM` with |z| >=
 * `CERTAIN_Z`, over at least `LEAST_BLOCKS` blocks. Good: surely off by less than that; having spoken seldom does not
 * stand against it. Else unknown. The block under way is left out, so that asking again before it closes costs a
 * comparison of numbers.
 * Sources: prequential testing (Dawid 1984); self-normalized sums (Efron 1969).
 */
export function judgement(bank: ScoreBank, w: number, group: number): Judgement {
  let known = given.get(bank);
  if (known === undefined) {
    known = [];
    given.set(bank, known);
  }
  const place = w * bank.groups.length + group;
  const before = known[place];
  const o = aggregateAt(bank, w, group);
  if (before !== undefined && isSame(before.on, bank.aggregates, o + FROM)) return before.judgement;
  const judged = judge(bank, bank.aggregates.subarray(o, o + at.AGGREGATE));
  known[place] = { on: bank.aggregates.slice(o + FROM, o + TO), judgement: judged };
  return judged;
}

function isSame(on: Float64Array, now: Float64Array, from: number): boolean {
  for (let k = 0; k < on.length; k++) if (on[k] !== now[from + k]) return false;
  return true;
}

function judge(bank: ScoreBank, s: Float64Array): Judgement {
  const probability = testAt(s, at.TEST_CALIBRATION, at.SQUARES_CALIBRATION);
  const spoken = testAt(s, at.TEST_SPOKEN, at.SQUARES_SPOKEN);
  const coverage = testAt(s, at.TEST_COVERAGE, at.SQUARES_COVERAGE);
  const byProbability = probability === undefined ? undefined : judgeProbability(probability);
  const byCoverage = coverage === undefined ? undefined : judgeCoverage(coverage);
  const spokenPoor =
    spoken !== undefined && spoken.blocks >= LEAST_BLOCKS && isPoor(spoken, SPOKEN_POOR_FROM);
  const heard = [byProbability, byCoverage].filter((part) => part !== undefined);
  const minutes = bank.blockS / 60;
  const detail = [
    probability === undefined ? "no probability scored yet" : describe("probability", probability, minutes),
    spoken === undefined ? "none of 0.1 or more" : describe("of 0.1 or more", spoken, minutes),
    coverage === undefined ? "no interval scored yet" : describe("coverage", coverage, minutes),
  ].join("; ");
  const said = (verdict: Judgement["verdict"], reason: Judgement["reason"]): Judgement => ({
    verdict,
    reason,
    detail,
    probability,
    spoken,
    coverage,
  });
  if (byProbability === "poor") return said("poor", "probability_off");
  if (spokenPoor) return said("poor", "spoken_off");
  if (byCoverage === "poor") return said("poor", "coverage_off");
  if (heard.length === 0 || heard.includes("too_few")) return said("unknown", "too_few");
  if (heard.includes("too_uncertain")) return said("unknown", "too_uncertain");
  return said("good", "calibrated");
}

function describe(name: string, t: TestFigures, minutes: number): string {
  const off = `${name} off by ${t.estimate.toFixed(3)} +- ${t.standardError.toFixed(3)}`;
  return `${off} (${t.z.toFixed(1)} standard errors, ${t.blocks.toFixed(1)} blocks of ${Number(minutes.toFixed(1))} min)`;
}
