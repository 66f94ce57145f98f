import { z } from "zod";
import { type SealError, seal, sha256, unseal } from "../state/sealed.ts";
import type { Attribution } from "./attribution.ts";
import type { Quality } from "./evaluation.ts";
import type { ModelItem } from "./item-model.ts";

/** A trained model as it is stored and sent. */
export interface ModelBody {
  /** ISO-8601. */
  readonly trained_at: string;
  readonly catalogue: { readonly size: number; readonly seed: number };
  readonly baskets: { readonly generated: number; readonly live: number };
  readonly quality: Quality;
  readonly attribution_baseline: Attribution;
  readonly items: readonly ModelItem[];
}

/** The bytes are no usable model; the message says why. */
export class ModelFormatError extends Error {
  override readonly name = "ModelFormatError";
}

/** Name of the model's file in its artifact folder. */
export const ARTIFACT_FILE = "recommender.model";
/** Largest artifact that is taken, bytes. */
export const MAX_ARTIFACT_BYTES = 32 * 1024 * 1024;

const share = z.number().min(0).max(1);
const id = z.number().int().min(1).max(1_000_000_000);
const count = z.number().int().min(0).max(1_000_000_000);
const neighbour = z.tuple([id, z.number().gt(0).max(1)]);

const bodySchema = z.strictObject({
  trained_at: z.iso.datetime(),
  catalogue: z.strictObject({ size: id, seed: z.number().int() }),
  baskets: z.strictObject({ generated: count, live: count }),
  quality: z.strictObject({ hit_rate_at_5: share, baseline_hit_rate_at_5: share, held_out: count }),
  attribution_baseline: z.record(z.string().max(100), share),
  items: z
    .array(z.strictObject({ id, customers: count, neighbours: z.array(neighbour).max(1_000) }))
    .min(1)
    .max(100_000),
});

/** The bytes of a model: a sealed JSON text. */
export function encodeModel(body: ModelBody): Buffer {
  const items = body.items.map((item) => ({
    ...item,
    neighbours: item.neighbours.map(({ id: other, weight }) => [other, weight]),
  }));
  return seal("model", Buffer.from(JSON.stringify({ ...body, items }), "utf8"));
}

/** Reads a model's bytes. Throws `ModelFormatError` for a damaged seal, a wrong shape, or products that do not fit. */
export function decodeModel(bytes: Buffer): ModelBody {
  if (bytes.length > MAX_ARTIFACT_BYTES) {
    throw new ModelFormatError(`${bytes.length} bytes: expected at most ${MAX_ARTIFACT_BYTES}`);
  }
  const parsed = bodySchema.safeParse(jsonOf(bytes));
  if (!parsed.success) {
    const issue = parsed.error.issues[0];
    throw new ModelFormatError(`${issue?.path.join(".") || "(model)"}: ${issue?.message ?? "wrong shape"}`);
  }
  const { items, ...rest } = parsed.data;
  const ids = new Set(items.map((item) => item.id));
  if (ids.size !== items.length) throw new ModelFormatError("items: a product is there twice");
  return {
    ...rest,
    items: items.map((item) => ({
      ...item,
      neighbours: item.neighbours.map(([other, weight]) => {
        if (other === item.id || !ids.has(other)) {
          throw new ModelFormatError(`items: product ${item.id} has the impossible neighbour ${other}`);
        }
        return { id: other, weight };
      }),
    })),
  };
}

/** SHA-256 of the whole artifact, for the registry's tag and for version names. */
export function fingerprint(artifact: Buffer): string {
  return sha256(artifact);
}

function jsonOf(bytes: Buffer): unknown {
  try {
    return JSON.parse(unseal("model", bytes).toString("utf8"));
  } catch (error) {
    throw new ModelFormatError((error as SealError | SyntaxError).message, { cause: error });
  }
}
