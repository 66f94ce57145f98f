import { type Pace, paceOf } from "./pace.ts";
import type { ClientAnswer, Recording } from "./recording.ts";

/** For tests only: a recording of an incident of 60 s at speed 30, looked at once a second. */
export function recordingOf(
  change: Partial<Omit<Recording, "looks">> & { readonly levels?: readonly (number | undefined)[] } = {},
): Recording {
  const { levels = [], ...rest } = change;
  const pace: Pace = rest.pace ?? paceOf(30);
  return {
    drill: "a-drill",
    title: "something happens",
    heal: "on",
    pace,
    prometheus: false,
    level: { title: "messages waiting", unit: "messages", slo: 100, contained: "peak" },
    targets: ["telemetry-gateway"],
    incidentS: 60,
    looks: levels.map((level, atS) => ({
      atS,
      ...(level === undefined ? {} : { level, queue: Math.round(level) }),
    })),
    pages: [],
    predictions: [],
    acts: [],
    messages: { acked: 10, delivered: 9, deadLettered: 1, lost: 0, refused: 0 },
    longestStallMs: 21,
    ...rest,
  };
}

/** For tests only: an answer a second, from 0; `1` valid, `0` invalid, `-` none. */
export function answersOf(pattern: string): ClientAnswer[] {
  return [...pattern].map((mark, atS) => ({ atS, ok: mark !== "-", valid: mark === "1" }));
}
