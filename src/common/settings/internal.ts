import type { z } from "zod";
import { metaOf } from "./walk.ts";

type Camel<K> = K extends `${infer A}_${infer B}` ? `${A}${Capitalize<Camel<B>>}` : K;
export type InternalKey<K> = K extends `${infer A}_seconds` ? `${Camel<A>}Ms` : Camel<K>;

/** Keys that may be absent. */
type Left<Shape> = { [K in keyof Shape]: Shape[K] extends z.ZodOptional ? K : never }[keyof Shape];

/**
 * Settings as code has them: `window_seconds: 60` of the file is `windowMs: 60_000`, `min_r2` is `minR2`. Only the keys
 * that the schema names: what stands in records (labels, parameters), what a schema transforms, and the kinds of
 * plug-ins (`ofKind`) stay as they are.
 */
export type Internal<S> =
  S extends z.ZodObject<infer Shape>
    ? { readonly [K in Exclude<keyof Shape, Left<Shape>> as InternalKey<K> & string]: Internal<Shape[K]> } & {
        readonly [K in Left<Shape> as InternalKey<K> & string]?: Internal<Shape[K]>;
      }
    : S extends z.ZodOptional<infer Inner>
      ? Internal<Inner> | undefined
      : S extends z.ZodDefault<infer Inner> | z.ZodPrefault<infer Inner>
        ? Internal<Inner>
        : S extends z.ZodArray<infer Element>
          ? readonly Internal<Element>[]
          : z.output<S>;

const SECONDS = "_seconds";

/** @param value what the schema made of a file; absent keys stay absent. */
export function toInternal<S extends z.core.$ZodType>(schema: S, value: z.output<S>): Internal<S> {
  return convert(schema, value) as Internal<S>;
}

function convert(schema: z.core.$ZodType, value: unknown): unknown {
  const { def } = schema._zod;
  if (value === undefined) return undefined;
  if ("innerType" in def) return convert(def.innerType as z.core.$ZodType, value);
  if (def.type === "array") {
    const { element } = def as z.core.$ZodArrayDef;
    return (value as unknown[]).map((each) => convert(element, each));
  }
  if (def.type !== "object") return value;
  const { shape } = def as z.core.$ZodObjectDef;
  return Object.fromEntries(
    Object.entries(value as Record<string, unknown>)
      .filter(([, inner]) => inner !== undefined)
      .map(([key, inner]) => {
        const at = shape[key] as z.core.$ZodType;
        return [metaOf(at).kind === true ? key : internalKey(key), scaled(key, convert(at, inner))];
      }),
  );
}

/** Name of a key in code. */
export function internalKey(key: string): string {
  const name = key.endsWith(SECONDS) ? `${key.slice(0, -SECONDS.length)}_ms` : key;
  return name.replaceAll(/_(.)/g, (_, letter: string) => letter.toUpperCase());
}

function scaled(key: string, value: unknown): unknown {
  return key.endsWith(SECONDS) ? 1000 * (value as number) : value;
}
