import { addLead, count } from "./aggregate.ts";
import { rowAt, type ScoreBank } from "./bank.ts";
import * as at from "./layout.ts";

/**
 * A predictor speaks for acting on series `i` at `timeS`, whether it was acted on, held or only imagined. Repeats without
 * a pause of a horizon are one alarm, counted from its first trigger. When it is acted on for real, call `forget` after
 * it: then nobody will know what would have come. A trigger while the series is above its SLO, or was within the last horizon, is
 * late: it foresees nothing.
 */
export function noteAlarm(bank: ScoreBank, i: number, w: number, alarm: { readonly timeS: number }): void {
  const { timeS } = alarm;
  if (!Number.isFinite(timeS)) return;
  const { rows } = bank;
  const row = rowAt(bank, i, w);
  const paused = timeS - (rows[row + at.TRIGGER_S] as number) > bank.horizonS;
  rows[row + at.TRIGGER_S] = timeS;
  if (rows[row + at.ALARM] === at.ALARM_OPEN) return;
  if (rows[row + at.ALARM] === at.ALARM_SPENT && !paused) return;
  if (timeS - (bank.aboveS[i] as number) <= bank.horizonS) {
    count(bank, i, w, at.ALARMS_LATE);
    rows[row + at.ALARM] = at.ALARM_SPENT;
    return;
  }
  rows[row + at.ALARM] = at.ALARM_OPEN;
  rows[row + at.ALARM_S] = timeS;
}

/** What a new sample means for alarms; called before it becomes the newest one. */
export function judgeAlarms(
  bank: ScoreBank,
  i: number,
  sample: { readonly timeS: number; readonly value: number; readonly slo: number },
): void {
  const { timeS } = sample;
  const watched = timeS - (bank.lastS[i] as number) <= bank.gapS;
  const above = sample.value > sample.slo;
  const onset = above && watched && timeS - (bank.aboveS[i] as number) > bank.horizonS;
  const disturbed = timeS - (bank.forgottenS[i] as number) <= bank.alarmWindowS;
  for (let w = 0; w < bank.predictors.length; w++) {
    const row = rowAt(bank, i, w);
    const open = bank.rows[row + at.ALARM] === at.ALARM_OPEN;
    const announced = open && watched && judgeOne(bank, { i, w, row, timeS, onset });
    if (open && !watched) closeAlarm(bank, { i, w, row, verdict: at.ALARMS_UNKNOWABLE });
    if (!onset) continue;
    if (announced) count(bank, i, w, at.BREACHES_ANNOUNCED);
    else count(bank, i, w, disturbed ? at.BREACHES_UNKNOWABLE : at.BREACHES_UNANNOUNCED);
  }
  if (above) bank.aboveS[i] = timeS;
}

interface OpenAlarm {
  readonly i: number;
  readonly w: number;
  readonly row: number;
}

function judgeOne(bank: ScoreBank, alarm: OpenAlarm & { timeS: number; onset: boolean }): boolean {
  const { i, w, row, timeS, onset } = alarm;
  const leadS = timeS - (bank.rows[row + at.ALARM_S] as number);
  if (leadS > bank.alarmWindowS) {
    closeAlarm(bank, { i, w, row, verdict: at.ALARMS_FALSE });
    return false;
  }
  if (!onset) return false;
  if (leadS <= 0) {
    closeAlarm(bank, { i, w, row, verdict: at.ALARMS_LATE });
    return false;
  }
  closeAlarm(bank, { i, w, row, verdict: at.ALARMS_TRUE });
  addLead(bank, i, w, leadS);
  return true;
}

function closeAlarm(bank: ScoreBank, alarm: OpenAlarm & { verdict: number }): void {
  count(bank, alarm.i, alarm.w, alarm.verdict);
  // After a gap a trigger that still speaks is a new alarm; otherwise it is the one just counted.
  bank.rows[alarm.row + at.ALARM] = alarm.verdict === at.ALARMS_UNKNOWABLE ? at.ALARM_NONE : at.ALARM_SPENT;
}

/** An action changed the world: what an open alarm foresaw can no longer be known. */
export function forgetAlarm(bank: ScoreBank, i: number, w: number): void {
  const row = rowAt(bank, i, w);
  if (bank.rows[row + at.ALARM] === at.ALARM_OPEN) count(bank, i, w, at.ALARMS_UNKNOWABLE);
  bank.rows[row + at.ALARM] = at.ALARM_NONE;
  bank.rows[row + at.TRIGGER_S] = Number.NEGATIVE_INFINITY;
}
