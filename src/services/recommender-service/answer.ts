import { z } from "zod";

/** Who the answer is from: the registry's model, its copy on disk, a model trained here, or the list built in. */
const SERVING_MODES = ["mlflow", "disk", "trained", "static"] as const;
export type ServingMode = (typeof SERVING_MODES)[number];

const productId = z.number().int().min(1);
const contribution = z.number().min(0);

/** The answer of `POST /predict`, as its consumers may check it. */
const predictAnswer = z.strictObject({
  items: z.array(
    z.strictObject({
      id: productId,
      score: z.number().min(0),
      because: z
        .array(
          z.discriminatedUnion("reason", [
            z.strictObject({ reason: z.literal("history"), id: productId, contribution }),
            z.strictObject({ reason: z.literal("popularity"), contribution }),
          ]),
        )
        .min(1),
    }),
  ),
  model_version: z.string().min(1),
  mode: z.enum(SERVING_MODES),
  unknown_products: z.array(z.number().int()),
});

export type PredictAnswer = z.infer<typeof predictAnswer>;

/** Rounding to 6 decimals, over up to a hundred contributions. */
const TOLERANCE = 1e-6;

/**
 * What is wrong with an answer, in one line; undefined when it holds. Beyond the schema: no product twice, best first,
 * and every score is the sum of its contributions.
 */
export function answerProblem(answer: unknown): string | undefined {
  const parsed = predictAnswer.safeParse(answer);
  if (!parsed.success) {
    const issue = parsed.error.issues[0];
    return `${issue?.path.join(".") || "(answer)"}: ${issue?.message ?? "wrong shape"}`;
  }
  const { items } = parsed.data;
  if (new Set(items.map((item) => item.id)).size !== items.length) return "items: a product is there twice";
  for (const [index, item] of items.entries()) {
    if (item.score > (items[index - 1]?.score ?? Number.POSITIVE_INFINITY)) {
      return `items.${index}.score: higher than the one before it`;
    }
    const sum = item.because.reduce((total, part) => total + part.contribution, 0);
    if (Math.abs(sum - item.score) > TOLERANCE) {
      return `items.${index}.because: adds up to ${sum}, the score is ${item.score}`;
    }
  }
  return undefined;
}
