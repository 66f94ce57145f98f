import { z } from "zod";
import { readState } from "../kernel/problem.ts";
import type { GuardState } from "./guard.ts";

const text = z.string();
const number = z.number();
const mayNumber = number.optional();
const instant = z.object({ wallMs: number, monoMs: number });
const matcher = { target: text, signal: text, action: text };

const guardState = z.object({
  bootId: text,
  actions: z.array(
    z.object({ run: text, asker: text, targets: z.array(text), monoMs: number, shadow: z.boolean() }),
  ),
  starts: z.array(instant),
  storm: z.object({
    active: z.boolean(),
    sinceMs: mayNumber,
    sinceMonoMs: mayNumber,
    calmSinceMonoMs: mayNumber,
    turned: z.record(text, number),
    atRisk: z.array(text),
    turnedCount: number,
    unwellCount: number,
    total: number,
  }),
  seen: z.record(text, number),
  data: z.object({ fleet: text.optional(), targets: z.record(text, text) }),
  silences: z.array(
    z.object({ id: text, ...matcher, author: text, reason: text, startsAtMs: number, endsAtMs: number }),
  ),
  latches: z.record(
    text,
    z.object({
      startMs: number,
      lengthMs: number,
      leastMonoMs: number,
      mostMonoMs: number,
      holding: z.boolean(),
    }),
  ),
  calendar: z.array(
    z.object({
      kind: z.enum(["silence", "maintenance"]),
      ...matcher,
      detail: text,
      untilMonoMs: number,
    }),
  ),
  pause: z
    .object({ by: text, reason: text, since: instant, untilMs: mayNumber, untilMonoMs: mayNumber })
    .optional(),
  lostMonoMs: mayNumber,
  own: z.record(text, z.unknown()).optional(),
}) satisfies z.ZodType<GuardState>;

/**
 * The state of the guards as a store kept it.
 * @returns the state, or what is wrong with it: `lostGuards` then takes its place.
 */
export function readGuards(body: unknown): { readonly state: GuardState } | { readonly problem: string } {
  return readState(guardState, body, "guards");
}
