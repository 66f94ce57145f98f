import type { Pause, Silence } from "../../domain/guards.ts";
import type { Instant } from "../../domain/time.ts";
import { createPause } from "./pause.ts";

/** What is wrong with what a person asked for. */
export interface RequestProblem {
  readonly field: string;
  /** Reads after the field's name: "must be …". */
  readonly message: string;
}

export type Parsed<T> = { readonly value: T } | { readonly problems: readonly RequestProblem[] };

/** An answer to an escalation, as `src/policy/verify/answer.ts` takes it. */
export interface EscalationAnswer {
  readonly answer: "go_on" | "stay_stopped";
  readonly target: string;
  readonly by: string;
  readonly reason: string;
  readonly forMs?: number;
}

/** Longest silence, pause or acknowledgement with an end: 90 days. */
const MAX_SECONDS = 90 * 86_400;

type Field =
  | { readonly kind: "text"; readonly max: number; readonly what: string }
  | { readonly kind: "pattern" }
  | { readonly kind: "seconds"; readonly min: number }
  | { readonly kind: "choice"; readonly of: readonly string[] };

interface Spec extends Readonly<Record<string, Field & { readonly optional?: boolean }>> {}

const AUTHOR: Field = { kind: "text", max: 100, what: "who asks for it" };
const REASON: Field = { kind: "text", max: 500, what: "why" };
const PATTERN: Field & { optional: true } = { kind: "pattern", optional: true };

/**
 * A silence that is asked for while the monitor runs:
 * `{target?, signal?, action?, author, reason, duration_seconds, starts_in_seconds?}`.
 * Durations, so that the clock of who asks does not matter.
 */
export function parseSilence(body: unknown, given: { id: string; now: Instant }): Parsed<Silence> {
  const read = readFields(body, {
    target: PATTERN,
    signal: PATTERN,
    action: PATTERN,
    author: AUTHOR,
    reason: REASON,
    duration_seconds: { kind: "seconds", min: 1 },
    starts_in_seconds: { kind: "seconds", min: 0, optional: true },
  });
  if ("problems" in read) return read;
  const { text, number } = read;
  const startsAtMs = given.now.wallMs + 1000 * (number("starts_in_seconds") ?? 0);
  return {
    value: {
      id: given.id,
      target: text("target") ?? "*",
      signal: text("signal") ?? "*",
      action: text("action") ?? "*",
      author: text("author") ?? "",
      reason: text("reason") ?? "",
      startsAtMs,
      endsAtMs: startsAtMs + 1000 * (number("duration_seconds") ?? 0),
    },
  };
}

/** A pause that is asked for: `{author, reason, duration_seconds?}`; without a duration it lasts until it is lifted. */
export function parsePause(body: unknown, now: Instant): Parsed<Pause> {
  const read = readFields(body, {
    author: AUTHOR,
    reason: REASON,
    duration_seconds: { kind: "seconds", min: 1, optional: true },
  });
  if ("problems" in read) return read;
  return { value: createPause({ ...saidBy(read), ...lasting(read) }, now) };
}

/** An answer to an escalation: `{target, answer: "go_on" | "stay_stopped", author, reason, duration_seconds?}`. */
export function parseAnswer(body: unknown): Parsed<EscalationAnswer> {
  const read = readFields(body, {
    target: { kind: "text", max: 200, what: "the name of a target" },
    answer: { kind: "choice", of: ["go_on", "stay_stopped"] },
    author: AUTHOR,
    reason: REASON,
    duration_seconds: { kind: "seconds", min: 1, optional: true },
  });
  if ("problems" in read) return read;
  const answer = read.text("answer") === "go_on" ? "go_on" : "stay_stopped";
  if (answer === "go_on" && read.number("duration_seconds") !== undefined)
    return { problems: [{ field: "duration_seconds", message: 'has a meaning for "stay_stopped" only' }] };
  return { value: { answer, target: read.text("target") ?? "", ...saidBy(read), ...lasting(read) } };
}

interface Read {
  text(field: string): string | undefined;
  number(field: string): number | undefined;
}

function saidBy(read: Read): { by: string; reason: string } {
  return { by: read.text("author") ?? "", reason: read.text("reason") ?? "" };
}

function lasting(read: Read): { forMs?: number } {
  const seconds = read.number("duration_seconds");
  return seconds === undefined ? {} : { forMs: 1000 * seconds };
}

/** Every field checked, every problem named, unknown fields refused: a misspelt duration must not mean "for ever". */
function readFields(body: unknown, spec: Spec): Read | { problems: RequestProblem[] } {
  if (typeof body !== "object" || body === null || Array.isArray(body))
    return { problems: [{ field: "body", message: "must be a JSON object" }] };
  const given = body as Readonly<Record<string, unknown>>;
  const problems: RequestProblem[] = [];
  for (const field of Object.keys(given))
    if (!Object.hasOwn(spec, field))
      problems.push({ field, message: `is not known here; known: ${Object.keys(spec).join(", ")}` });
  for (const [field, rule] of Object.entries(spec)) {
    const value = given[field];
    if (value === undefined && rule.optional === true) continue;
    const message = wrong(value, rule);
    if (message !== undefined) problems.push({ field, message });
  }
  if (problems.length > 0) return { problems };
  return {
    text: (field) => given[field] as string | undefined,
    number: (field) => given[field] as number | undefined,
  };
}

function wrong(value: unknown, rule: Field): string | undefined {
  switch (rule.kind) {
    case "text": {
      const fits = typeof value === "string" && value.trim() !== "" && value.length <= rule.max;
      return fits && value.isWellFormed()
        ? undefined
        : `must say ${rule.what}, in at most ${rule.max} characters`;
    }
    case "pattern":
      return typeof value === "string" && /^[a-zA-Z0-9_.:/*-]{1,200}$/.test(value)
        ? undefined
        : "must be a name, * for any run of characters, at most 200 characters";
    case "seconds": {
      const fits = typeof value === "number" && value >= rule.min && value <= MAX_SECONDS;
      return fits ? undefined : `must be a number of seconds from ${rule.min} up to ${MAX_SECONDS} (90 days)`;
    }
    case "choice":
      return typeof value === "string" && rule.of.includes(value)
        ? undefined
        : `must be ${rule.of.map((one) => `"${one}"`).join(" or ")}`;
  }
}
