import { z } from "zod";
import { HttpError } from "../kit/errors.ts";
import { CATEGORIES, type Product } from "./catalogue.ts";

const wholeNumber = z
  .string()
  .regex(/^\d{1,9}$/)
  .transform(Number);

/** `GET /products` */
export const listQuery = z.object({
  category: expecting(z.enum(CATEGORIES).optional(), `one of ${CATEGORIES.join(", ")}`),
  page: expecting(wholeNumber.pipe(z.number().min(1)).default(1), "a whole number, 1 or more"),
  limit: expecting(
    wholeNumber.pipe(z.number().min(1).max(100)).default(20),
    "a whole number, 1 <= limit <= 100",
  ),
});

/** `GET /search` */
export const searchQuery = z.object({
  q: expecting(z.string().trim().min(1).max(200), "1 to 200 characters"),
  limit: expecting(
    wholeNumber.pipe(z.number().min(1).max(100)).default(20),
    "a whole number, 1 <= limit <= 100",
  ),
});

/** `GET /products/:id` */
export const productPath = z.object({
  id: expecting(wholeNumber, "a whole number"),
});

/** `GET /products/:id/page` */
export const pageQuery = z.object({
  history: expecting(
    z
      .string()
      .regex(/^\d{1,9}(,\d{1,9}){0,49}$/)
      .transform((text) => text.split(",").map(Number))
      .default([]),
    "up to 50 product ids, separated by commas",
  ),
});

/** Most pieces in one order. */
const MAX_QUANTITY = 100;

/** `POST /orders` */
export const orderBody = z.strictObject({
  product_id: expecting(z.number().int().min(1), "the id of a product, a whole number"),
  quantity: expecting(
    z.number().int().min(1).max(MAX_QUANTITY),
    `a whole number, 1 <= quantity <= ${MAX_QUANTITY}`,
  ),
});

/** Checks foreign input. Throws `HttpError` 400 naming the field and what would be right. */
export function checked<T>(schema: z.ZodType<T>, input: unknown): T {
  const result = schema.safeParse(input);
  if (result.success) return result.data;
  const issue = result.error.issues[0];
  const unknown = issue?.code === "unrecognized_keys" ? issue.keys[0] : undefined;
  if (unknown !== undefined) {
    throw new HttpError(400, {
      error: `unknown field ${unknown.slice(0, 100)}`,
      field: unknown.slice(0, 100),
      expected: "no such field",
    });
  }
  const field = issue?.path.join(".") || "(body)";
  const expected = schemaDescription(schema, field) ?? "a JSON object (content-type application/json)";
  throw new HttpError(400, { error: `${field} is not valid`, field, expected });
}

/** The product with this id. Throws `HttpError` with `status`, naming the field that asked for one that is not there. */
export function existing(
  byId: ReadonlyMap<number, Product>,
  id: number,
  status: number,
  field: string,
): Product {
  const product = byId.get(id);
  if (product !== undefined) return product;
  throw new HttpError(status, {
    error: `there is no product ${id}`,
    field,
    expected: `the id of a product, 1 <= ${field} <= ${byId.size}`,
  });
}

function expecting<S extends z.ZodType>(schema: S, expected: string): S {
  return schema.describe(expected);
}

function schemaDescription(schema: z.ZodType, field: string): string | undefined {
  if (!(schema instanceof z.ZodObject)) return undefined;
  return (schema.shape as Record<string, z.ZodType>)[field]?.description;
}
