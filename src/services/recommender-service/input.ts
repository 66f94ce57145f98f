import { z } from "zod";
import { HttpError } from "../kit/errors.ts";

/** Most products in one answer. */
const MAX_K = 50;
/** Most products in one history; the newest are enough for anyone. */
const MAX_HISTORY = 100;

const FIELDS: Readonly<Record<string, string>> = {
  history: `a list of at most ${MAX_HISTORY} product ids, whole numbers; it may be empty`,
  k: `a whole number, 1 <= k <= ${MAX_K}`,
};

const predictBody = z.strictObject({
  history: z.array(z.number().int()).max(MAX_HISTORY),
  k: z.number().int().min(1).max(MAX_K).default(5),
});

export type PredictInput = z.infer<typeof predictBody>;

/** Checks the body of `POST /predict`. Throws `HttpError` 400 naming the field and what would be right. */
export function readPredictInput(body: unknown): PredictInput {
  const parsed = predictBody.safeParse(body);
  if (parsed.success) return parsed.data;
  const issue = parsed.error.issues[0];
  if (issue?.code === "unrecognized_keys") {
    const field = (issue.keys[0] ?? "").slice(0, 100);
    throw new HttpError(400, { error: `unknown field ${field}`, field, expected: "only history and k" });
  }
  const field = String(issue?.path[0] ?? "(body)");
  throw new HttpError(400, {
    error: `${issue?.path.join(".") || field} is not valid`,
    field,
    expected:
      FIELDS[field] ?? 'a JSON object such as {"history":[1,2],"k":5} (content-type application/json)',
  });
}
