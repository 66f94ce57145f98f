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

/**
 * What is wrong with plain data from outside the program (what a store kept, what a person posted), or undefined.
 * The first problem, by the path of its field: "healing.targets.a.tries[1].at must be a mapping".
 * @param name what the path begins with.
 */
export function problemOf(schema: Schema<unknown>, value: unknown, name: string): string | undefined {
  const result = schema.safeParse(value, { reportInput: true });
  const issue = result.success ? undefined : result.error.issues[0];
  if (issue === undefined) return undefined;
  const path = issue.path.map((step) => (typeof step === "number" ? `[${step}]` : `.${String(step)}`));
  return `${name}${path.join("")} ${messageOf(issue)}`;
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
  const problem = problemOf(schema, body, name);
  return problem === undefined ? { state: body as T } : { problem };
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
  if (code === "invalid_value") return `must be one of ${values.join(", ")}, is ${shown(input)}`;
  if (code !== "invalid_type") return message;
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
