import { aggregateAt, type ScoreBank } from "./bank.ts";
import * as at from "./layout.ts";

/** Adds 1 to a counter of the aggregate that series `i` and predictor `w` belong to. */
export function count(bank: ScoreBank, i: number, w: number, counter: number): void {
  const a = aggregateAt(bank, w, bank.groupOf[i] as number) + counter;
  at.add(bank.aggregates, a, 1);
}

/** Remembers the lead of a true alarm, s; the oldest of `LEADS` gives way. */
export function addLead(bank: ScoreBank, i: number, w: number, leadS: number): void {
  const s = bank.aggregates;
  const a = aggregateAt(bank, w, bank.groupOf[i] as number);
  const head = s[a + at.LEAD_HEAD] as number;
  s[a + at.LEAD + head] = leadS;
  s[a + at.LEAD_HEAD] = (head + 1) % at.LEADS;
  s[a + at.LEAD_COUNT] = Math.min(at.LEADS, (s[a + at.LEAD_COUNT] as number) + 1);
}

/** Which tenth of 0..1 a probability lies in; 1 belongs to the last. */
function decileOf(probability: number): number {
  return Math.min(at.DECILES - 1, Math.floor(probability * at.DECILES));
}

/** Weight left after `blocks` blocks. */
export function fade(bank: ScoreBank, blocks: number): number {
  return 2 ** (-(blocks * bank.blockS) / bank.halfLifeS);
}

interface Deviation {
  readonly test: number;
  readonly squares: number;
  readonly sum: number;
  readonly n: number;
  readonly model: number;
}

function addBlock(s: Float64Array, a: number, d: Deviation): void {
  at.add(s, a + d.test + at.T_SUM, d.sum);
  at.add(s, a + d.test + at.T_N, d.n);
  at.add(s, a + d.squares + at.Q_SEEN, d.sum * d.sum);
  at.add(s, a + d.squares + at.Q_MODEL, d.model);
  at.add(s, a + d.squares + at.Q_N, d.n * d.n);
}

/**
 * Folds the open block into the tests. Each decile's deviation counts with the sign that earlier blocks taught: of a
 * calibrated predictor that is a fair game (mean zero, whatever the signs), of another it gathers the calibration error
 * without the upward bias that the error of few forecasts has.
 */
function closeBlock(bank: ScoreBank, a: number, nominal: number): void {
  const s = bank.aggregates;
  const n = s[a + at.OPEN_N] as number;
  const series = Math.max(1, s[a + at.OPEN_SERIES] as number);
  if (n > 0) {
    let sum = 0;
    let noTriggerReason = 0;
    for (let d = 0; d < at.DECILES; d++) {
      const deviation = s[a + at.OPEN_D + d] as number;
      const learned = s[a + at.LEARNED + d] as number;
      sum += Math.sign(learned) * deviation;
      if (d === 0) noTriggerReason = sum;
      s[a + at.LEARNED + d] = learned + deviation;
    }
    // Forecasts of one series in one block are taken as one and the same, as a rising series makes them.
    const model = (n / series) * (s[a + at.OPEN_PQ] as number);
    addBlock(s, a, { test: at.TEST_CALIBRATION, squares: at.SQUARES_CALIBRATION, sum, n, model });
    const spoken = s[a + at.OPEN_SPOKEN_N] as number;
    if (spoken > 0) {
      const each = spoken / (s[a + at.OPEN_SPOKEN_SERIES] as number);
      const test = at.TEST_SPOKEN;
      const spokenModel = each * (s[a + at.OPEN_SPOKEN_PQ] as number);
      addBlock(s, a, {
        test,
        squares: at.SQUARES_SPOKEN,
        sum: sum - noTriggerReason,
        n: spoken,
        model: spokenModel,
      });
    }
  }
  const covers = s[a + at.OPEN_COVER_N] as number;
  if (covers > 0) {
    const sum = s[a + at.OPEN_COVER_D] as number;
    const model = (covers / series) * covers * nominal * (1 - nominal);
    addBlock(s, a, { test: at.TEST_COVERAGE, squares: at.SQUARES_COVERAGE, sum, n: covers, model });
  }
  s.fill(0, a + at.OPEN, a + at.OPEN_END);
}

function enterBlock(bank: ScoreBank, a: number, block: number, nominal: number): void {
  const s = bank.aggregates;
  const open = s[a + at.BLOCK] as number;
  // A score from before the open block (another series was slower) counts with the open one.
  if (block <= open) return;
  if (!Number.isNaN(open)) {
    closeBlock(bank, a, nominal);
    const left = fade(bank, block - open);
    for (let k = a + at.FADING; k < a + at.FADING_END; k++) s[k] = (s[k] as number) * left;
    for (let k = a + at.FADING_END; k < a + at.FADING_SQUARES_END; k++) s[k] = (s[k] as number) * left * left;
  }
  s[a + at.BLOCK] = block;
}

/** A forecast whose time has come: where it is pending, and what came. */
export interface Outcome {
  readonly i: number;
  readonly w: number;
  /** Offsets of the row and of the slot in `bank.rows`. */
  readonly row: number;
  readonly slot: number;
  readonly timeS: number;
  readonly observed: number;
  readonly slo: number;
}

/** Scores one forecast: percentage error, interval, probability. */
export function score(bank: ScoreBank, outcome: Outcome): void {
  const { i, w, row, slot, timeS, observed, slo } = outcome;
  const { rows, aggregates: s } = bank;
  const a = aggregateAt(bank, w, bank.groupOf[i] as number);
  const nominal = (bank.predictors[w] as { nominalCoverage: number }).nominalCoverage;
  enterBlock(bank, a, Math.floor(timeS / bank.blockS), nominal);
  if (rows[row + at.LAST_BLOCK] !== s[a + at.BLOCK]) {
    rows[row + at.LAST_BLOCK] = s[a + at.BLOCK] as number;
    at.add(s, a + at.OPEN_SERIES, 1);
  }
  at.add(s, a + at.SCORED, 1);
  s[a + at.LAST_SCORED] = timeS;
  const value = rows[slot + at.VALUE] as number;
  if (!Number.isNaN(value)) {
    if (observed < bank.percentageFloor * slo) {
      at.add(s, a + at.BELOW_FLOOR, 1);
    } else {
      at.add(s, a + at.APE_N, 1);
      at.add(s, a + at.APE, Math.abs(value - observed) / observed);
    }
  }
  const low = rows[slot + at.LOW] as number;
  if (!Number.isNaN(low)) {
    const covered = observed >= low && observed <= (rows[slot + at.HIGH] as number) ? 1 : 0;
    at.add(s, a + at.COVER_N, 1);
    at.add(s, a + at.COVERED, covered);
    at.add(s, a + at.OPEN_COVER_N, 1);
    at.add(s, a + at.OPEN_COVER_D, covered);
    at.add(s, a + at.OPEN_COVER_D, -nominal);
  }
  const p = rows[slot + at.PROBABILITY] as number;
  if (!Number.isNaN(p)) {
    const level = rows[slot + at.EVENT_LEVEL] as number;
    if (decileOf(p) > 0 && rows[row + at.LAST_SPOKEN] !== s[a + at.BLOCK]) {
      rows[row + at.LAST_SPOKEN] = s[a + at.BLOCK] as number;
      at.add(s, a + at.OPEN_SPOKEN_SERIES, 1);
    }
    scoreProbability(s, a, p, observed > (Number.isNaN(level) ? slo : level) ? 1 : 0);
  }
}

function scoreProbability(s: Float64Array, a: number, p: number, hit: number): void {
  const d = decileOf(p);
  const off = hit - p;
  at.add(s, a + at.PROB_N, 1);
  at.add(s, a + at.SQUARED, off * off);
  at.add(s, a + at.DECILE_N + d, 1);
  at.add(s, a + at.DECILE_P + d, p);
  at.add(s, a + at.DECILE_HITS + d, hit);
  at.add(s, a + at.OPEN_N, 1);
  at.add(s, a + at.OPEN_PQ, p * (1 - p));
  at.add(s, a + at.OPEN_D + d, off);
  if (d === 0) return;
  at.add(s, a + at.OPEN_SPOKEN_N, 1);
  at.add(s, a + at.OPEN_SPOKEN_PQ, p * (1 - p));
}
