import type { z } from "zod";
import type { SettingMeta } from "./fields.ts";

type Schema = z.core.$ZodType;

/** What is inside optional, default and transformed schemas. */
export function inner(schema: Schema): Schema {
  const { def } = schema._zod;
  if ("innerType" in def) return inner(def.innerType as Schema);
  return def.type === "pipe" ? inner((def as z.core.$ZodPipeDef).in) : schema;
}

/** The keys of a mapping, or of the mappings in a list; undefined where the schema is neither. */
export function shapeOf(schema: Schema): Readonly<Record<string, Schema>> | undefined {
  const { def } = inner(schema)._zod;
  if (def.type === "array") return shapeOf((def as z.core.$ZodArrayDef).element);
  return def.type === "object" ? (def as z.core.$ZodObjectDef).shape : undefined;
}

/** The default that the schema itself fills in; undefined where it has none. */
export function defaultOf(schema: Schema): unknown {
  const { def } = schema._zod;
  return def.type === "default" || def.type === "prefault"
    ? (def as z.core.$ZodDefaultDef).defaultValue
    : undefined;
}

/** What the reference knows of a key. */
export function metaOf(schema: Schema): Partial<SettingMeta> {
  return (schema as z.ZodType).meta() ?? {};
}

/** The keys that the mapping at `path` may have; empty where there is none. */
export function keysAt(schema: Schema, path: readonly PropertyKey[]): string[] {
  const real = inner(schema);
  const { def } = real._zod;
  if (def.type === "union") {
    const { options } = def as z.core.$ZodUnionDef;
    return [...new Set(options.flatMap((option) => keysAt(option, path)))];
  }
  const [step, ...rest] = path;
  if (def.type === "array")
    return step === undefined ? [] : keysAt((def as z.core.$ZodArrayDef).element, rest);
  if (def.type !== "object") return [];
  const { shape } = def as z.core.$ZodObjectDef;
  if (step === undefined) return Object.keys(shape);
  const next = shape[String(step)];
  return next === undefined ? [] : keysAt(next, rest);
}
