import { z } from "zod";

/** What a model may decide. `safemode_fallback` is not among them: only the router says that. */
export const MODEL_ACTIONS = [
  "scale_out",
  "restart_service",
  "rollback_release",
  "reduce_load",
  "isolate_region",
  "clear_cache",
  "notify_operator",
  "no_action",
] as const;
export type ModelAction = (typeof MODEL_ACTIONS)[number];

/** The action of a decision that no model took. */
const FALLBACK_ACTION = "safemode_fallback";

/** A decision as clients get it. Its confidence is 0.0 when no model answered: then it decides nothing. */
export interface ModelDecision {
  readonly action: ModelAction | typeof FALLBACK_ACTION;
  /** 0 to 1. */
  readonly confidence: number;
  /** For people. */
  readonly rationale: string;
}

/** Largest answer of an assistant that is read, bytes. */
export const MAX_OUTPUT_BYTES = 16 * 1_024;
/** Longest rationale, characters. */
const MAX_RATIONALE_CHARS = 1_000;

const modelOutput = z.strictObject({
  action: z.enum(MODEL_ACTIONS),
  confidence: z.number().min(0).max(1),
  // A rationale is shown to people and logged: no control character may reach a terminal.
  rationale: z
    .string()
    .min(1)
    .max(MAX_RATIONALE_CHARS)
    .regex(/^[^\p{Cc}]*$/u),
});

/** Why an output was refused: `not_json`, `not_utf8`, or `schema` with the field. */
export interface OutputProblem {
  readonly reason: "not_utf8" | "not_json" | "schema";
  /** One sentence without any part of the output. */
  readonly detail: string;
}

export type CheckedOutput =
  | { readonly ok: true; readonly decision: ModelDecision }
  | { readonly ok: false; readonly problem: OutputProblem };

/**
 * Checks an assistant's output strictly: UTF-8, JSON, exactly the three fields, each in its range. Nothing is repaired:
 * an output that is nearly right is wrong.
 */
export function checkOutput(bytes: Uint8Array): CheckedOutput {
  let text: string;
  try {
    text = new TextDecoder("utf-8", { fatal: true, ignoreBOM: true }).decode(bytes);
  } catch {
    return refused("not_utf8", "the output is not UTF-8");
  }
  let value: unknown;
  try {
    value = JSON.parse(text);
  } catch {
    return refused("not_json", "the output is not JSON");
  }
  const parsed = modelOutput.safeParse(value);
  if (parsed.success) {
    const { action, confidence, rationale } = parsed.data;
    return { ok: true, decision: { action, confidence, rationale } };
  }
  const issue = parsed.error.issues[0];
  const extra = issue?.code === "unrecognized_keys";
  const field = issue?.path.join(".") || (extra ? "a further field" : "the output");
  return refused("schema", `${field} is not what the schema wants`);
}

function refused(reason: OutputProblem["reason"], detail: string): CheckedOutput {
  return { ok: false, problem: { reason, detail } };
}

/** The decision of a router without a model: confidence 0.0, so that nothing follows from it. */
export function fallbackDecision(rationale: string): ModelDecision {
  return { action: FALLBACK_ACTION, confidence: 0, rationale };
}

/**
 * Whether anything may follow from a decision. Never for confidence 0.0, for `safemode_fallback`, or for what is no
 * decision at all: whoever acts on decisions asks this first.
 */
export function isActionable(decision: unknown, minConfidence = 0): decision is ModelDecision {
  const parsed = modelOutput.safeParse(decision);
  return parsed.success && parsed.data.confidence > 0 && parsed.data.confidence >= minConfidence;
}
