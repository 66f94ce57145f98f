import type { z } from "zod";
import { defaultOf, inner, metaOf } from "../../common/settings/walk.ts";
import { fileSchema } from "./schema.ts";

export type ValueKind = "number" | "boolean" | "string" | "list";

/** One setting that can be given in three places: read from the schema, where `setting` made it one. */
export interface Binding {
  /** Key in the file, dotted. */
  readonly path: string;
  readonly kind: ValueKind;
  /** Environment variable of the contract, where there is one. */
  readonly env: string | undefined;
  /** For `--help`. */
  readonly help: string;
  /** Known to nobody else. */
  readonly secret: boolean;
  /** Shown in `--help`. */
  readonly shownDefault: string;
  readonly schema: z.core.$ZodType;
}

/** Every scalar setting of the monitor, in the order of `--help`. */
export const bindings: readonly Binding[] = bindingsOf(fileSchema, []);

function bindingsOf(schema: z.core.$ZodType, path: readonly string[]): Binding[] {
  const { flag, env, description, shownDefault, secret = false } = metaOf(schema);
  const { def } = inner(schema)._zod;
  if (flag === true) {
    const value = defaultOf(schema);
    return [
      {
        path: path.join("."),
        kind:
          def.type === "array"
            ? "list"
            : def.type === "number" || def.type === "boolean"
              ? def.type
              : "string",
        env,
        secret,
        help: description ?? "",
        shownDefault: shownDefault ?? (value === undefined ? "" : String(value)),
        schema,
      },
    ];
  }
  if (def.type !== "object") return [];
  const { shape } = def as z.core.$ZodObjectDef;
  return Object.entries(shape).flatMap(([key, next]) => bindingsOf(next, [...path, key]));
}

/** Single-target shorthand: replaces the file's list of targets. */
export const TARGET_ENV = "TARGET_SERVICE_BASE";
export const DEFAULT_TARGET_BASE = "http://app:8000";

/** Command-line flag of a key: `predict.horizon_seconds` is `--predict.horizon-seconds`. */
export function flagOf(path: string): string {
  return path.replaceAll("_", "-");
}

/**
 * A setting given as text, as the value the schema expects. What is not a number stays text, so that the schema's
 * message says what would be right.
 */
export function fromText(kind: ValueKind, value: string): unknown {
  const trimmed = value.trim();
  if (kind === "number")
    return /^[+-]?(\d+\.?\d*|\.\d+)(e[+-]?\d+)?$/i.test(trimmed) ? Number(trimmed) : value;
  if (kind === "boolean") {
    if (/^(1|true|yes|on)$/i.test(trimmed)) return true;
    if (/^(0|false|no|off)$/i.test(trimmed)) return false;
    return value;
  }
  return kind === "list" ? trimmed.split(",").map((part) => part.trim()) : value;
}
