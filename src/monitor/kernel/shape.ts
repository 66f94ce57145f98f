/**
 * Checks of plain data that comes from outside the program: what a store kept, what a person posted. Each answers with
 * what is wrong, named by the path of the field, or with undefined.
 */
export type Check = (value: unknown, path: string) => string | undefined;

export const isText: Check = (value, path) =>
  typeof value === "string" ? undefined : `${path} must be text`;

export const isFlag: Check = (value, path) =>
  typeof value === "boolean" ? undefined : `${path} must be true or false`;

export const isNumber: Check = (value, path) =>
  Number.isFinite(value) ? undefined : `${path} must be a finite number`;

export function isOneOf(allowed: readonly string[]): Check {
  return (value, path) =>
    allowed.some((one) => one === value) ? undefined : `${path} must be one of ${allowed.join(", ")}`;
}

export function optional(check: Check): Check {
  return (value, path) => (value === undefined ? undefined : check(value, path));
}

export function isList(check: Check): Check {
  return (value, path) =>
    Array.isArray(value)
      ? firstProblem(
          value.map((item, n) => [item, `${path}[${n}]`] as const),
          check,
        )
      : `${path} must be a list`;
}

/** A mapping whose keys are anything and whose values are alike. */
export function isRecord(check: Check): Check {
  return (value, path) =>
    isObject(value)
      ? firstProblem(
          Object.entries(value).map(([key, item]) => [item, `${path}.${key}`] as const),
          check,
        )
      : `${path} must be a mapping`;
}

/** A mapping with these fields; others are left alone, so that an older program can read what a newer one wrote. */
export function isShape(shape: Readonly<Record<string, Check>>): Check {
  return (value, path) => {
    if (!isObject(value)) return `${path} must be a mapping`;
    for (const [field, check] of Object.entries(shape)) {
      const problem = check(value[field], `${path}.${field}`);
      if (problem !== undefined) return problem;
    }
    return undefined;
  };
}

function isObject(value: unknown): value is Readonly<Record<string, unknown>> {
  return typeof value === "object" && value !== null && !Array.isArray(value);
}

function firstProblem(items: readonly (readonly [unknown, string])[], check: Check): string | undefined {
  for (const [item, path] of items) {
    const problem = check(item, path);
    if (problem !== undefined) return problem;
  }
  return undefined;
}
