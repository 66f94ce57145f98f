import type { z } from "zod";
import { inner, shapeOf } from "../../src/common/settings/walk.ts";

type Schema = z.core.$ZodType;

/**
 * The schema of a dotted key.
 * @throws Error naming a key that the schema does not have.
 */
export function schemaAt(schema: Schema, path: string): Schema {
  return path.split(".").reduce((at, key) => {
    const next = shapeOf(at)?.[key];
    if (next === undefined) throw new Error(`the schema has no key ${path}`);
    return next;
  }, schema);
}

/**
 * What a value must be, in a few words: taken from what the schema says of a value that is wrong, so that the reference and
 * the error messages cannot differ.
 */
export function allowed(schema: Schema): string {
  const real = inner(schema);
  const { def } = real._zod;
  if (def.type === "array") {
    const each = inner((def as z.core.$ZodArrayDef).element);
    return each._zod.def.type === "object" ? "list" : `list: ${allowed(each)}`;
  }
  if (def.type === "object" || def.type === "record" || def.type === "union") return "mapping";
  // A number or a switch never takes a text; most texts never take a NUL character.
  const problem = (schema as z.ZodType).safeParse("\u0000").error?.issues[0]?.message;
  return problem === undefined ? "text" : short(problem);
}

const NUMBER = /^must be a (whole )?number (from|above) (\S+) up to (\S+)(?: \((.*)\))?$/;

function short(message: string): string {
  const number = NUMBER.exec(message);
  if (number === null) return message.replace(/^must be /, "").replaceAll('"', "`");
  const [, whole, from, low, high, unit] = number;
  const least = from === "above" ? `above ${low}` : low;
  // The largest number that JavaScript counts to is no limit that anybody meets.
  const range = Number(high) >= Number.MAX_SAFE_INTEGER ? least : `${least} to ${high}`;
  return [whole === undefined ? range : `${range}, whole`, unit].filter((x) => x !== undefined).join("; ");
}
