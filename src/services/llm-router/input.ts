import { createHash, randomUUID } from "node:crypto";
import { z } from "zod";
import { HttpError } from "../kit/errors.ts";
import { quoted } from "../kit/parameters.ts";

/** Longest prompt, characters. */
const MAX_PROMPT_CHARS = 8_000;
/** Largest body, as express writes it. */
export const BODY_LIMIT = "64kb";
/** The providers there are. */
const PROVIDERS: readonly string[] = ["local"];

const EXPECTED: Readonly<Record<string, string>> = {
  prompt: `a text of 1 to ${MAX_PROMPT_CHARS} characters that is not blank`,
  provider: `one of ${PROVIDERS.join(", ")}, or no such field`,
};

const body = z.strictObject({
  prompt: z
    .string()
    .max(MAX_PROMPT_CHARS)
    .regex(/\S/)
    // A half of a surrogate pair cannot be stored or sent as UTF-8.
    .refine((text) => text.isWellFormed()),
  provider: z.string().max(100).default("local"),
});

/**
 * The prompt of a request. Throws `HttpError`: 400 naming the field for a body that is not what it must be, 501 for a
 * provider that is not there.
 */
export function readPrompt(input: unknown): string {
  const parsed = body.safeParse(input);
  if (!parsed.success) {
    const issue = parsed.error.issues[0];
    const extra = issue?.code === "unrecognized_keys" ? issue.keys[0] : undefined;
    const field = extra?.slice(0, 100) ?? (issue?.path.join(".") || "(body)");
    throw new HttpError(400, {
      error: extra === undefined ? `${field} is not valid` : `unknown field ${quoted(extra)}`,
      field,
      expected:
        extra === undefined
          ? (EXPECTED[field] ?? 'a JSON object {"prompt":TEXT} (content-type application/json)')
          : "no such field",
    });
  }
  const { prompt, provider } = parsed.data;
  if (!PROVIDERS.includes(provider.toLowerCase())) {
    throw new HttpError(501, {
      error: `provider ${quoted(provider)} is not implemented`,
      field: "provider",
      expected: `one of ${PROVIDERS.join(", ")}`,
    });
  }
  return prompt;
}

const JOB_ID = /^job-[0-9a-f]{32}$/;

/** Whether a text has the form of a job's id. */
export function isJobId(text: string): boolean {
  return JOB_ID.test(text);
}

/**
 * The id of a new job: the same for the same idempotency key, so that a submission whose answer was lost can be
 * repeated; random without one. Throws `HttpError` 400 for a key that is none.
 */
export function newJobId(key: string | undefined): string {
  if (key === undefined) return `job-${randomUUID().replaceAll("-", "")}`;
  if (!/^[\x21-\x7e]{1,200}$/.test(key)) {
    throw new HttpError(400, {
      error: `idempotency-key is ${quoted(key)}`,
      field: "idempotency-key",
      expected: "1 to 200 printable ASCII characters without a space",
    });
  }
  return `job-${createHash("sha256").update(key).digest("hex").slice(0, 32)}`;
}

/** Where to resume: the sequence number of the last event seen, 0 for all. Undefined for a text that is none. */
export function parseAfter(text: string): number | undefined {
  return /^\d{1,9}$/.test(text) ? Number(text) : undefined;
}
