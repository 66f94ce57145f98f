import { figuresOf } from "./figures.ts";
import type { Recording } from "./recording.ts";

/** One run as a flat object, times in seconds; what did not happen or is not known is null. */
export function runObject(recording: Recording): Record<string, string | number | boolean | null> {
  const f = figuresOf(recording);
  const { pace, messages } = recording;
  return {
    drill: recording.drill,
    heal: recording.heal,
    speed: pace.speed,
    cycle_s: pace.cycleS,
    incident_s: rounded(recording.incidentS),
    prometheus: recording.prometheus,
    detect_s: rounded(f.detectS),
    contain_s: rounded(f.containS),
    recover_s: rounded(f.recoverS),
    recover_cycles: rounded(f.recoverCycles),
    max_queue: f.maxQueue ?? null,
    queue_at_detection: f.queueAtDetection ?? null,
    max_level: rounded(f.maxLevel),
    slo: recording.level.slo,
    level_unit: recording.level.unit,
    seconds_above: rounded(f.secondsAbove),
    seconds_above_after_containment: rounded(f.secondsAboveAfter),
    acked: messages.acked,
    delivered: messages.delivered,
    dead_lettered: messages.deadLettered,
    lost: messages.lost,
    refused: messages.refused,
    invalid_ratio: f.invalidRatio ?? null,
    invalid_ratio_after_containment: f.invalidRatioAfter ?? null,
    availability: f.availability ?? null,
    whole_pages: f.wholePages ?? null,
    prediction_availability: f.predictionAvailability ?? null,
    longest_stall_ms: Math.round(recording.longestStallMs),
  };
}

/** Three decimals say more than was measured already. */
function rounded(value: number | undefined): number | null {
  return value === undefined ? null : Math.round(1000 * value) / 1000;
}
