import { z } from "zod";
import { flag, name, number, text } from "../../common/settings/fields.ts";
import type { Internal } from "../../common/settings/internal.ts";
import { workloadInstance } from "../actions/shared/callees.ts";
import type { Precondition } from "../kernel/containment.ts";

const series = z.strictObject({
  target: text("the name of a target"),
  signal: text("the name of a signal"),
});

const labels = z.record(z.string(), z.string({ error: "must be text" })).default({});

const condition = z.union(
  [
    z.enum(["region_known", "region_unknown"]).transform((kind): Precondition => ({ kind })),
    z
      .strictObject({
        signal_above: series.extend({ above: number({ min: 0, max: 2 ** 53 - 1, unit: "of the signal" }) }),
      })
      .transform(({ signal_above: above }): Precondition => ({ kind: "signal_above", ...above })),
  ],
  { error: "must be region_known, region_unknown or {signal_above: {target: …, signal: …, above: …}}" },
);

/** Numbers and switches may stand as they are; a call carries text. */
const parameters = z
  .record(
    z.string(),
    z.union([z.string(), z.number(), z.boolean()], { error: "must be text or a number" }).transform(String),
  )
  .default({});

const step = z.strictObject({
  action: text("a kind of action"),
  on: text("the name of a target, or of an entry of actions.http").optional(),
  workload: z
    .string({ error: "must be NAMESPACE/deployment/NAME" })
    .refine((name) => workloadInstance(name) !== undefined, {
      error: "must be NAMESPACE/deployment/NAME (or statefulset, daemonset)",
    })
    .optional(),
  parameters,
  when: z.array(condition).default([]),
  undo: z
    .union([z.literal(false), z.strictObject({ action: text("a kind of action"), parameters })], {
      error: "must be false, or {action: …, parameters: {…}}",
    })
    .optional(),
});

const playbook = z.strictObject({
  name: name(),
  alert: z.strictObject({ name: text("the name of an alert"), labels }).optional(),
  forecast: series.optional(),
  regions_of: text("the name of a target").optional(),
  undo_on_resolved: flag().default(true),
  verify: series.optional(),
  steps: z.array(step).min(1, "must list at least one step").max(20, "must list at most 20 steps"),
});

/** The list of playbooks; absent: those that are built in. */
export const playbooksSchema = z.array(playbook).max(100, "must list at most 100 playbooks").optional();

export type PlaybookConfig = Internal<typeof playbook>;
export type StepConfig = PlaybookConfig["steps"][number];
