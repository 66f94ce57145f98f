import { z } from "zod";
import { described } from "../../../common/settings/fields.ts";

const pattern = () =>
  z
    .string({ error: "must be a name, * for any run of characters" })
    .regex(/^[a-zA-Z0-9_.:/*-]{1,200}$/, {
      error:
        "must be 1 to 200 letters, digits, dots, dashes, slashes, colons, underscores, and * for any run of characters",
    })
    .default("*");

/** Which actions an entry of a calendar is about. */
export const matcher = {
  target: described(pattern(), "targets that it is about"),
  signal: described(pattern(), "signals that it is about"),
  action: described(pattern(), "kinds of action that it is about"),
};

/** A moment as text; without a zone it would mean something else on every machine. */
export const moment = () =>
  z
    .string({ error: MOMENT })
    .refine(
      (v) =>
        /^\d{4}-\d\d-\d\d[Tt ]\d\d:\d\d(:\d\d(\.\d+)?)?([Zz]|[+-]\d\d:\d\d)$/.test(v) &&
        !Number.isNaN(Date.parse(v)),
      { error: MOMENT },
    )
    .transform((v) => Date.parse(v));
const MOMENT = "must be a time with its zone, e.g. 2026-11-21T14:00:00Z or 2026-11-21T11:00:00-03:00";

type Issues = { addIssue(issue: { code: "custom"; path: PropertyKey[]; message: string }): void };

/** An issue of a schema, at a key of what it checks. */
export function complain(context: Issues, path: PropertyKey[], message: string): void {
  context.addIssue({ code: "custom", path, message });
}

/** The names in a list, each once. */
export function unique<K extends string>(key: K) {
  return (list: readonly Readonly<Record<K, string>>[], context: Issues) => {
    const names = list.map((entry) => entry[key]);
    names.forEach((name, i) => {
      if (names.indexOf(name) < i) complain(context, [i, key], `"${name}" is taken; each must be unique`);
    });
  };
}
