/** One thing that a schema found; the fields of zod's issues, so that nothing here depends on it. */
interface Issue {
  readonly code: string;
  readonly path: readonly PropertyKey[];
  readonly message: string;
  readonly expected?: string;
  readonly values?: readonly unknown[];
  readonly input?: unknown;
}

/** A schema of zod, as far as it is needed here. */
export interface Schema<T> {
  safeParse(
    value: unknown,
    options: { readonly reportInput: true },
  ):
    | { readonly success: true; readonly data: T }
    | { readonly success: false; readonly error: { readonly issues: readonly Issue[] } };
}

/** What is wrong, and what would be right: together a sentence, "alerts[2].startsAt" and "must be …". */
export interface Problem {
  readonly field: string;
  readonly message: string;
}

/**
 * Plain data from outside the program (what a store kept, what was posted), as the schema makes it, or the first thing
 * that is wrong with it.
 * @param name what the path of the field begins with.
 */
export function parseAs<T>(
  schema: Schema<T>,
  value: unknown,
  name: string,
): { readonly data: T } | { readonly problem: Problem } {
  const result = schema.safeParse(value, { reportInput: true });
  if (result.success) return { data: result.data };
  const [issue] = result.error.issues;
  return {
    problem: { field: pathOf(issue?.path ?? [], name), message: issue ? messageOf(issue) : "is wrong" },
  };
}

/**
 * Data that fits, as it is: fields that the schema does not know are left alone, so that an older program can read what
 * a newer one wrote.
 */
export function readState<T>(
  schema: Schema<T>,
  body: unknown,
  name: string,
): { readonly state: T } | { readonly problem: string } {
  const parsed = parseAs(schema, body, name);
  if ("data" in parsed) return { state: body as T };
  return { problem: `${parsed.problem.field} ${parsed.problem.message}` };
}

function pathOf(path: Issue["path"], name: string): string {
  return name + path.map((step) => (typeof step === "number" ? `[${step}]` : `.${String(step)}`)).join("");
}

const KINDS: Readonly<Record<string, string>> = {
  string: "text",
  number: "a finite number",
  boolean: "true or false",
  array: "a list",
  object: "a mapping",
  record: "a mapping",
};

function messageOf({ code, message, expected = "", values = [], input }: Issue): string {
  if (message.startsWith("must ")) return message;
  if (code === "invalid_value") return `must be one of ${values.join(", ")}, is ${shown(input)}`;
  const kind = KINDS[expected] ?? expected;
  return `must be ${kind}${expected === "number" ? `, is ${shown(input)}` : ""}`;
}

/** A value that came from outside, short and on one line. */
export function shown(value: unknown): string {
  if (value === undefined) return "absent";
  if (typeof value === "object" && value !== null) return "an object";
  const text = typeof value === "string" ? JSON.stringify(value) : String(value);
  return text.length > 60 ? `${text.slice(0, 60)}…` : text;
}
