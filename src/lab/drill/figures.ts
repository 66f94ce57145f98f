import type { ClientAnswer, Look, Recording } from "./recording.ts";

/** The figures of one run. Times in seconds since the onset; undefined: it did not happen while it was watched. */
export interface Figures {
  /** First decision to act on a target of the drill, also where it was not carried out. */
  readonly detectS: number | undefined;
  readonly containS: number | undefined;
  /** From here on the level stayed within its SLO; 0: it never left it. */
  readonly recoverS: number | undefined;
  /** Cycles from detection to recovery. */
  readonly recoverCycles: number | undefined;
  readonly maxQueue: number | undefined;
  readonly maxLevel: number | undefined;
  /** Time with the level above its SLO, and how much of it after containment. */
  readonly secondsAbove: number;
  readonly secondsAboveAfter: number | undefined;
  /** Share of the answers that broke their schema: predictions where the drill has them, else pages. */
  readonly invalidRatio: number | undefined;
  readonly invalidRatioAfter: number | undefined;
  /** Share of the pages that were answered, and of those the share without a part from the catalogue. */
  readonly availability: number | undefined;
  readonly wholePages: number | undefined;
  /** Share of the predictions that were answered. */
  readonly predictionAvailability: number | undefined;
  /** Queue when the monitor first decided to act. */
  readonly queueAtDetection: number | undefined;
}

/** A rise by less than this share of the SLO is none; to have ended it must not have risen for so many cycles. */
const STEADY_CYCLES = 5;
const STEADY_RISE = 0.05;

/** Computes the figures of a run from what was seen while the incident lasted. */
export function figuresOf(recording: Recording): Figures {
  const { incidentS, level, pace } = recording;
  const within = <T extends { readonly atS: number }>(all: readonly T[]): T[] =>
    all.filter(({ atS }) => atS >= 0 && atS <= incidentS);
  const looks = within(recording.looks);
  const known = looks.filter((look) => look.level !== undefined);
  const pages = within(recording.pages);
  const predictions = within(recording.predictions);
  const judged = recording.predictions.length > 0 ? predictions : pages;
  const detectS = within(recording.acts).find((act) => recording.targets.includes(act.target))?.atS;
  const containS =
    level.contained === "peak"
      ? stoppedGrowing(known, {
          fromS: detectS,
          forS: STEADY_CYCLES * pace.cycleS,
          by: STEADY_RISE * level.slo,
          untilS: incidentS,
        })
      : lastInvalid(judged, incidentS - STEADY_CYCLES * pace.cycleS);
  const recoverS = recovered(known, level.slo, incidentS);
  return {
    detectS,
    containS,
    recoverS,
    recoverCycles:
      detectS === undefined || recoverS === undefined
        ? undefined
        : Math.max(0, recoverS - detectS) / pace.cycleS,
    maxQueue: most(looks.map((look) => look.queue)),
    maxLevel: most(looks.map((look) => look.level)),
    secondsAbove: timeAbove(known, level.slo, incidentS),
    secondsAboveAfter:
      containS === undefined
        ? undefined
        : timeAbove(
            known.filter(({ atS }) => atS > containS),
            level.slo,
            incidentS,
          ),
    invalidRatio: share(answered(judged), (answer) => !answer.valid),
    invalidRatioAfter:
      containS === undefined
        ? undefined
        : share(answered(judged.filter(({ atS }) => atS > containS)), (answer) => !answer.valid),
    availability: share(pages, (page) => page.ok),
    wholePages: share(answered(pages), (page) => page.whole === true),
    predictionAvailability: share(predictions, (answer) => answer.ok),
    queueAtDetection: detectS === undefined ? undefined : queueAt(looks, detectS),
  };
}

function answered(answers: readonly ClientAnswer[]): ClientAnswer[] {
  return answers.filter((answer) => answer.ok);
}

function share<T>(all: readonly T[], holds: (one: T) => boolean): number | undefined {
  return all.length === 0 ? undefined : all.filter(holds).length / all.length;
}

function most(values: readonly (number | undefined)[]): number | undefined {
  return values.reduce<number | undefined>(
    (max, value) => (value === undefined || (max !== undefined && max >= value) ? max : value),
    undefined,
  );
}

/** When the level last rose by more than `by` above where it had been from detection on; undefined while it still rises. */
function stoppedGrowing(
  known: readonly Look[],
  when: { fromS: number | undefined; forS: number; by: number; untilS: number },
): number | undefined {
  const { fromS, forS, by, untilS } = when;
  if (fromS === undefined) return undefined;
  let highest: Look | undefined;
  for (const look of known) {
    if (look.atS < fromS) continue;
    if (highest === undefined || (look.level ?? 0) > (highest.level ?? 0) + by) highest = look;
  }
  return highest === undefined || untilS - highest.atS < forS ? undefined : highest.atS;
}

/** When the last invalid answer was served, 0 without any; undefined when they still came after `latestS`. */
function lastInvalid(answers: readonly ClientAnswer[], latestS: number): number | undefined {
  const last = answered(answers).findLast((answer) => !answer.valid)?.atS ?? 0;
  return last > latestS ? undefined : last;
}

function recovered(known: readonly Look[], slo: number, incidentS: number): number | undefined {
  const index = known.findLastIndex((look) => (look.level ?? 0) > slo);
  if (index < 0) return known.length === 0 ? undefined : 0;
  // The first look within the SLO again; without one there is nothing to show that it recovered.
  const next = known[index + 1];
  return next === undefined || next.atS > incidentS ? undefined : next.atS;
}

/** A look speaks for the time until the next one. */
function timeAbove(known: readonly Look[], slo: number, untilS: number): number {
  return known.reduce((sum, look, index) => {
    if ((look.level ?? 0) <= slo) return sum;
    return sum + Math.max(0, (known[index + 1]?.atS ?? untilS) - look.atS);
  }, 0);
}

function queueAt(looks: readonly Look[], atS: number): number | undefined {
  return looks.findLast((look) => look.atS <= atS && look.queue !== undefined)?.queue;
}
