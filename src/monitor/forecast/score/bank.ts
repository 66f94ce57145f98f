import * as at from "./layout.ts";

/** What a predictor' forecasts speak of, and how they are to be held against what came. */
export interface ScoredPredictor {
  readonly name: string;
  /** How far ahead it looks, s; `horizonS` of the bank unless given. */
  readonly horizonS?: number;
  /** Share of outcomes (0..1) that its interval claims to hold; absent: it gives no interval. */
  readonly nominalCoverage?: number;
  /**
   * Absent or 0: its forecasts speak of one sample, the one nearest the due time. Above 0: they speak of the level under
   * the noise, and the outcome is the mean of the samples within this many seconds centred on the due time.
   */
  readonly meanOverS?: number;
}

export interface ScoreOptions {
  /** Number of series. */
  readonly size: number;
  readonly predictors: readonly ScoredPredictor[];
  /** Names of the groups that figures are kept for (one a signal, say), and the group of each series. */
  readonly groups: readonly string[];
  readonly groupOf: ArrayLike<number>;
  /** Look-ahead that alarms are judged by, and time between samples, s. */
  readonly horizonS: number;
  readonly cycleS: number;
  /** What is older than this counts half in all rolling figures, s; default 6 hours, or 24 blocks where that is more. */
  readonly halfLifeS?: number;
  /** Alarms must come true within this many horizons; default 2. */
  readonly alarmHorizons?: number;
  /** Samples below this share of the SLO have no percentage error; default 0.01. */
  readonly percentageFloor?: number;
}

/** State of the bookkeeping, in typed arrays of fixed size. Opaque. */
export interface ScoreBank {
  readonly size: number;
  readonly predictors: readonly Required<ScoredPredictor>[];
  readonly groups: readonly string[];
  readonly groupOf: Int32Array;
  readonly horizonS: number;
  readonly cycleS: number;
  readonly halfLifeS: number;
  /** Length of the blocks that are taken as independent, s. */
  readonly blockS: number;
  readonly alarmWindowS: number;
  /** Samples further apart than this leave a gap in which a breach may have gone unseen, s. */
  readonly gapS: number;
  readonly percentageFloor: number;
  /** Slots of a row, least time between kept forecasts by predictor. */
  readonly pending: number;
  readonly spacingS: Float64Array;
  /** Rows: series by series, predictor by predictor. */
  readonly rows: Float64Array;
  readonly rowSize: number;
  /** By series: the newest sample, the newest one above the SLO, the newest one when it was last forgotten. */
  readonly lastS: Float64Array;
  readonly lastValue: Float64Array;
  readonly aboveS: Float64Array;
  readonly forgottenS: Float64Array;
  /** Aggregates: predictor by predictor, group by group. */
  readonly aggregates: Float64Array;
}

const HALF_LIFE_S = 21_600;
/** Blocks of a half-life: with fewer, fading leaves too few to ever tell poor from unlucky. */
const LEAST_BLOCKS_A_HALF_LIFE = 12;

function positive(name: string, value: number): void {
  if (!(value > 0) || value === Number.POSITIVE_INFINITY)
    throw new RangeError(`${name} must be a finite number > 0, not ${value}`);
}

function checkPredictor(predictor: Required<ScoredPredictor>, i: number, cycleS: number): void {
  const { name, horizonS, nominalCoverage, meanOverS } = predictor;
  positive(`predictors[${i}].horizonS`, horizonS);
  if (horizonS <= cycleS)
    throw new RangeError(`predictors[${i}].horizonS (${name}) must be longer than a cycle of ${cycleS} s`);
  if (!Number.isNaN(nominalCoverage) && !(nominalCoverage > 0 && nominalCoverage < 1))
    throw new RangeError(`predictors[${i}].nominalCoverage must be between 0 and 1, not ${nominalCoverage}`);
  if (!(meanOverS >= 0 && meanOverS <= horizonS))
    throw new RangeError(
      `predictors[${i}].meanOverS must be 0..horizonS (${horizonS}), so that no sample precedes the forecast; not ${meanOverS}`,
    );
}

function checkGroups(options: ScoreOptions): void {
  const { size, groups, groupOf } = options;
  if (!Number.isInteger(size) || size < 0)
    throw new RangeError(`size must be a whole number >= 0, not ${size}`);
  if (groupOf.length !== size)
    throw new RangeError(`groupOf must have one entry a series (${size}), not ${groupOf.length}`);
  for (let i = 0; i < size; i++) {
    const g = groupOf[i] as number;
    if (!Number.isInteger(g) || g < 0 || g >= groups.length)
      throw new RangeError(`groupOf[${i}] must be an index into groups (0..${groups.length - 1}), not ${g}`);
  }
}

/**
 * An empty bank. Memory is fixed from here on: a series takes about 64 (1 + pending) bytes a predictor, where pending is
 * horizon over cycle and at most 16. Throws RangeError naming the field that is wrong.
 */
export function createScoreBank(options: ScoreOptions): ScoreBank {
  const { size, groups, horizonS, cycleS } = options;
  positive("horizonS", horizonS);
  positive("cycleS", cycleS);
  checkGroups(options);
  const predictors = options.predictors.map((w) => ({
    name: w.name,
    horizonS: w.horizonS ?? horizonS,
    nominalCoverage: w.nominalCoverage ?? Number.NaN,
    meanOverS: w.meanOverS ?? 0,
  }));
  predictors.forEach((w, i) => {
    checkPredictor(w, i, cycleS);
  });
  const longest = Math.max(horizonS, ...predictors.map((w) => w.horizonS));
  // Forecasts that overlap share their outcome; four horizons share little with the next four.
  const blockS = Math.max(4 * longest, 600);
  const halfLifeS = options.halfLifeS ?? Math.max(HALF_LIFE_S, 2 * LEAST_BLOCKS_A_HALF_LIFE * blockS);
  if (!(halfLifeS >= LEAST_BLOCKS_A_HALF_LIFE * blockS) || halfLifeS === Number.POSITIVE_INFINITY)
    throw new RangeError(
      `halfLifeS must be at least ${LEAST_BLOCKS_A_HALF_LIFE * blockS} (${LEAST_BLOCKS_A_HALF_LIFE} blocks of four horizons) for a judgement to be possible, not ${halfLifeS}`,
    );
  const alarmHorizons = options.alarmHorizons ?? 2;
  positive("alarmHorizons", alarmHorizons);
  const percentageFloor = options.percentageFloor ?? 0.01;
  positive("percentageFloor", percentageFloor);
  // How long a forecast waits for its outcome, and how often one is kept so that the ring suffices.
  const waits = predictors.map((w) => w.horizonS + w.meanOverS / 2);
  const spacingS = Float64Array.from(waits, (wait) => Math.max(cycleS, wait / 12));
  const pending = Math.min(
    at.MAX_PENDING,
    Math.max(0, ...waits.map((wait, w) => Math.ceil(wait / (spacingS[w] as number)) + 3)),
  );
  const rowSize = at.ROW_HEAD + pending * at.SLOT;
  const bank: ScoreBank = {
    size,
    predictors,
    groups,
    groupOf: Int32Array.from(options.groupOf),
    horizonS,
    cycleS,
    halfLifeS,
    blockS,
    alarmWindowS: alarmHorizons * horizonS,
    gapS: 3 * cycleS,
    percentageFloor,
    pending,
    spacingS,
    rows: new Float64Array(size * predictors.length * rowSize),
    rowSize,
    lastS: new Float64Array(size).fill(Number.NEGATIVE_INFINITY),
    lastValue: new Float64Array(size),
    aboveS: new Float64Array(size).fill(Number.NEGATIVE_INFINITY),
    forgottenS: new Float64Array(size).fill(Number.NEGATIVE_INFINITY),
    aggregates: new Float64Array(predictors.length * groups.length * at.AGGREGATE),
  };
  for (let r = 0; r < size * predictors.length; r++) {
    bank.rows[r * rowSize + at.LAST_MADE] = Number.NEGATIVE_INFINITY;
    bank.rows[r * rowSize + at.LAST_BLOCK] = Number.NaN;
    bank.rows[r * rowSize + at.LAST_SPOKEN] = Number.NaN;
    bank.rows[r * rowSize + at.TRIGGER_S] = Number.NEGATIVE_INFINITY;
  }
  for (let a = 0; a < predictors.length * groups.length; a++) {
    bank.aggregates[a * at.AGGREGATE + at.BLOCK] = Number.NaN;
    bank.aggregates[a * at.AGGREGATE + at.LAST_SCORED] = Number.NaN;
  }
  return bank;
}

/** Where the row of series `i` and predictor `w` begins. */
export function rowAt(bank: ScoreBank, i: number, w: number): number {
  return (i * bank.predictors.length + w) * bank.rowSize;
}

/** Where the aggregate of predictor `w` and group `g` begins. */
export function aggregateAt(bank: ScoreBank, w: number, g: number): number {
  return (w * bank.groups.length + g) * at.AGGREGATE;
}

/**
 * Carries on in `to` what `from` knows, as after a reload: aggregates of predictors and groups of the same name, and
 * the rows of series `fromIndex[k]` (-1: new) as series k. Pending forecasts and figures are kept only where the timing is the
 * same (horizon, cycle, half-life, what a predictor speaks of): figures of another horizon would be figures of something else.
 * @returns whether anything was carried over.
 */
export function carryOver(from: ScoreBank, to: ScoreBank, fromIndex: ArrayLike<number>): boolean {
  if (fromIndex.length !== to.size)
    throw new RangeError(`fromIndex must have one entry a series (${to.size}), not ${fromIndex.length}`);
  const timing = (b: ScoreBank) =>
    `${b.horizonS} ${b.cycleS} ${b.halfLifeS} ${b.blockS} ${b.alarmWindowS} ${b.percentageFloor} ${b.pending}`;
  if (timing(from) !== timing(to)) return false;
  const pairs = to.predictors.flatMap((predictor, w) => {
    const v = from.predictors.findIndex((one) => JSON.stringify(one) === JSON.stringify(predictor));
    return v < 0 ? [] : [{ v, w }];
  });
  for (const { v, w } of pairs) {
    to.groups.forEach((group, g) => {
      const f = from.groups.indexOf(group);
      if (f < 0) return;
      const o = aggregateAt(from, v, f);
      to.aggregates.set(from.aggregates.subarray(o, o + at.AGGREGATE), aggregateAt(to, w, g));
    });
  }
  for (let k = 0; k < to.size; k++) {
    const i = fromIndex[k] as number;
    if (!(i >= 0 && i < from.size)) continue;
    for (const name of ["lastS", "lastValue", "aboveS", "forgottenS"] as const)
      to[name][k] = from[name][i] as number;
    for (const { v, w } of pairs) {
      const o = rowAt(from, i, v);
      to.rows.set(from.rows.subarray(o, o + from.rowSize), rowAt(to, k, w));
    }
  }
  return pairs.length > 0;
}
