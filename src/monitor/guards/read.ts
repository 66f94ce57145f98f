import {
  type Check,
  isFlag,
  isList,
  isNumber,
  isRecord,
  isShape,
  isText,
  optional,
} from "../kernel/shape.ts";
import type { GuardState } from "./types.ts";

const instant = isShape({ wallMs: isNumber, monoMs: isNumber });

const guardState: Check = isShape({
  bootId: isText,
  actions: isList(isShape({ target: isText, monoMs: isNumber, shadow: isFlag })),
  starts: isList(isShape({ wallMs: isNumber, monoMs: isNumber })),
  storm: isShape({
    active: isFlag,
    sinceMs: optional(isNumber),
    sinceMonoMs: optional(isNumber),
    calmSinceMonoMs: optional(isNumber),
    turned: isRecord(isNumber),
    atRisk: isList(isText),
    turnedCount: isNumber,
    unwellCount: isNumber,
    total: isNumber,
  }),
  seen: isRecord(isNumber),
  data: isShape({ fleet: optional(isText), targets: isRecord(isText) }),
  silences: isList(
    isShape({
      id: isText,
      target: isText,
      signal: isText,
      action: isText,
      author: isText,
      reason: isText,
      startsAtMs: isNumber,
      endsAtMs: isNumber,
    }),
  ),
  latches: isRecord(
    isShape({
      startMs: isNumber,
      lengthMs: isNumber,
      leastMonoMs: isNumber,
      mostMonoMs: isNumber,
      holding: isFlag,
    }),
  ),
  calendar: isList(
    isShape({
      hold: isText,
      target: isText,
      signal: isText,
      action: isText,
      detail: isText,
      untilMonoMs: isNumber,
    }),
  ),
  pause: optional(
    isShape({
      by: isText,
      reason: isText,
      since: instant,
      untilMs: optional(isNumber),
      untilMonoMs: optional(isNumber),
    }),
  ),
  lostMonoMs: optional(isNumber),
});

/**
 * The state of the guards as a store kept it.
 * @returns the state, or what is wrong with it: `lostGuards` then takes its place.
 */
export function readGuards(body: unknown): { readonly state: GuardState } | { readonly problem: string } {
  const problem = guardState(body, "guards");
  return problem === undefined ? { state: body as GuardState } : { problem };
}
