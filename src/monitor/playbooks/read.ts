import { z } from "zod";
import { OUTCOME_STATUSES } from "../kernel/action.ts";
import { CAUSES } from "../kernel/decision.ts";
import { readState } from "../kernel/problem.ts";
import { VERIFICATION_OUTCOMES } from "../kernel/verification.ts";
import type { Run } from "./run.ts";

const text = z.string();
const number = z.number();
const mayNumber = number.optional();
const instant = z.object({ wallMs: number, monoMs: number });

const step = z.object({
  kind: text,
  on: z.object({
    name: text,
    instances: z.array(z.object({ name: text, url: text, adminUrl: text.optional() })),
    cooldownMs: number,
    autoHeal: z.boolean(),
  }),
  status: z.enum(["pending", "done", "skipped", "failed", "shadow", "undone", "kept"]),
  detail: text,
  outcome: z.enum(OUTCOME_STATUSES).optional(),
  at: instant.optional(),
  expiresMs: mayNumber,
  undo: z.object({ kind: text, parameters: z.record(text, text) }).optional(),
  undoAttempts: number,
});

const run = z.object({
  id: text,
  playbook: text.optional(),
  // What an earlier version kept names none.
  asker: text.optional(),
  mode: z.enum(["auto", "shadow"]),
  cause: z.enum(CAUSES),
  target: text,
  signal: text,
  by: text.optional(),
  predictor: text,
  forecast: mayNumber,
  threshold: mayNumber,
  baseline: z.object({ value: mayNumber, forecast: mayNumber, slopePerSecond: mayNumber }).optional(),
  episodes: z.array(z.object({ fingerprint: text, startsAtMs: number })),
  region: text.optional(),
  regionWhy: text.optional(),
  undoOnResolved: z.boolean(),
  startedAt: instant,
  bootId: text,
  steps: z.array(step),
  verify: z.object({ target: text, signal: text }).optional(),
  verified: z.object({ outcome: z.enum(VERIFICATION_OUTCOMES), detail: text }).optional(),
  status: z.enum(["running", "done", "undoing", "ended"]),
}) satisfies z.ZodType<Omit<Run, "asker">>;

/** A run as the store kept it; undefined when it is not one: what it did then ends by itself. */
export function readRun(body: unknown): Run | undefined {
  const read = readState(run, body, "run");
  if ("problem" in read) return undefined;
  const { asker, ...known } = read.state;
  return { ...known, asker: asker ?? known.steps[0]?.on.name ?? known.target };
}
