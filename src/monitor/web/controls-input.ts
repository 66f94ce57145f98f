import { z } from "zod";
import { ApiError } from "./errors.ts";

/** Longest pause or acknowledgement with an end, and how far ahead a silence may lie, milliseconds. */
const MAX_AHEAD_MS = 366 * 86_400_000;
const MAX_FOR_S = 30 * 86_400;
/** Problems that are listed in an answer. */
const MAX_LISTED = 10;

const said = {
  author: words("who says so", 80),
  reason: words("why, for those who come after", 500),
};

const forSeconds = z
  .number({ error: FOR() })
  .min(1, { error: FOR() })
  .max(MAX_FOR_S, { error: FOR() })
  .optional();

const moment = z
  .string({ error: MOMENT() })
  .refine(
    (v) =>
      /^\d{4}-\d\d-\d\d[Tt ]\d\d:\d\d(:\d\d(\.\d+)?)?([Zz]|[+-]\d\d:\d\d)$/.test(v) &&
      !Number.isNaN(Date.parse(v)),
    { error: MOMENT() },
  )
  .transform((v) => Date.parse(v));

const pattern = z
  .string({ error: PATTERN() })
  .regex(/^[a-zA-Z0-9_.:/*-]{1,200}$/, { error: PATTERN() })
  .default("*");

const SAID = z.strictObject(said);
const PAUSE = z.strictObject({ ...said, for_seconds: forSeconds });
const ACKNOWLEDGE = z.strictObject({
  ...said,
  resume: z.boolean({ error: "must be true (go on acting) or false (leave the target stopped)" }),
  for_seconds: forSeconds,
});
const name = words("a name of the configuration", 200);
const REQUEST = z.strictObject({ ...said, target: name, playbook: name.optional() });
const SILENCE = z.strictObject({
  ...said,
  target: pattern,
  signal: pattern,
  action: pattern,
  starts_at: moment.optional(),
  ends_at: moment,
});

export const readSaid = (body: unknown) => readBody(SAID, body);
export const readRequest = (body: unknown) => readBody(REQUEST, body);
export const readPause = (body: unknown) => readBody(PAUSE, body);

/** @throws ApiError 400 naming every field that is wrong */
export function readAcknowledge(body: unknown): z.output<typeof ACKNOWLEDGE> {
  const given = readBody(ACKNOWLEDGE, body);
  if (given.resume && given.for_seconds !== undefined)
    throw invalid([
      {
        field: "for_seconds",
        message: "is for leaving the target stopped: leave it out, or say resume: false",
      },
    ]);
  return given;
}

/**
 * A silence as it was asked for; without `starts_at` it begins now.
 * @throws ApiError 400 naming every field that is wrong
 */
export function readSilence(body: unknown, nowMs: number) {
  const { starts_at: startsAtMs = nowMs, ends_at: endsAtMs, ...given } = readBody(SILENCE, body);
  const latest = new Date(nowMs + MAX_AHEAD_MS).toISOString();
  const wrong: Problem[] = [];
  if (endsAtMs <= nowMs)
    wrong.push({ field: "ends_at", message: `must be after now, ${new Date(nowMs).toISOString()}` });
  else if (endsAtMs <= startsAtMs) wrong.push({ field: "ends_at", message: "must be after starts_at" });
  if (endsAtMs > nowMs + MAX_AHEAD_MS)
    wrong.push({ field: "ends_at", message: `must be within a year, before ${latest}` });
  if (wrong.length > 0) throw invalid(wrong);
  return { ...given, startsAtMs, endsAtMs };
}

interface Problem {
  readonly field: string;
  readonly message: string;
}

export function readBody<T extends z.ZodType>(schema: T, body: unknown): z.output<T> {
  const result = schema.safeParse(body ?? {});
  if (result.success) return result.data;
  throw invalid(
    result.error.issues.flatMap((issue): Problem[] =>
      issue.code === "unrecognized_keys"
        ? issue.keys.map((key) => ({
            field: key.slice(0, 60),
            message: `is not known; known are ${knownOf(schema).join(", ")}`,
          }))
        : [
            {
              field: issue.path.join(".") || "body",
              message: issue.path.length > 0 ? issue.message : "must be a JSON object",
            },
          ],
    ),
  );
}

function knownOf(schema: z.ZodType): string[] {
  return schema instanceof z.ZodObject ? Object.keys(schema.shape) : [];
}

function invalid(problems: readonly Problem[]): ApiError {
  const [first] = problems;
  const more = problems.length > 1 ? `, and ${problems.length - 1} more` : "";
  return new ApiError(400, `${first?.field} ${first?.message}${more}`, {
    details: { problems: problems.slice(0, MAX_LISTED) },
  });
}

/** Text of a person: something must be left of it without blanks and control characters. */
function words(what: string, max: number) {
  const error = `must say ${what}: 1 to ${max} characters`;
  return z
    .string({ error })
    .transform((v) => v.replaceAll(/[\s\p{Cc}\p{Cf}\p{Cs}\p{Zl}\p{Zp}]+/gu, " ").trim())
    .refine((v) => v.length > 0 && v.length <= max, { error });
}

function FOR(): string {
  return `must be a number of seconds from 1 to ${MAX_FOR_S}; left out: until a person ends it`;
}

function MOMENT(): string {
  return "must be a time with its zone, e.g. 2026-11-21T14:00:00Z";
}

function PATTERN(): string {
  return "must be a name, * for any run of characters: letters, digits, and _ . : / * -";
}
