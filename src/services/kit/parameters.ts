import { printable } from "../../common/security/text.ts";
import { ParameterError } from "./errors.ts";

/** A number in the query, e.g. `inc` of latency. */
export interface NumberParameter {
  readonly name: string;
  readonly type: "number";
  /** What it counts, in the plural: `milliseconds`. Empty for a bare ratio or factor. */
  readonly unit: string;
  readonly min: number;
  /** True: `min` itself is refused. */
  readonly aboveMin?: boolean;
  readonly max: number;
  readonly integer?: boolean;
  readonly optional?: boolean;
}

/** One of a few words in the query, e.g. a region. */
interface ChoiceParameter {
  readonly name: string;
  readonly type: "choice";
  readonly oneOf: readonly string[];
  readonly optional?: boolean;
}

export type Parameter = NumberParameter | ChoiceParameter;

/** Checked parameters of one call. */
export interface ParameterValues {
  /** Value of a required number. */
  number(name: string): number;
  optionalNumber(name: string): number | undefined;
  /** Value of a required choice. */
  choice(name: string): string;
  optionalChoice(name: string): string | undefined;
}

const MAX_QUERY_CHARS = 2_048;
const DECIMAL = /^-?(\d+\.?\d*|\.\d+)(e[+-]?\d+)?$/i;

/**
 * The query of a URL, each name once. Throws `ParameterError` for a repeated name and for a query of more than 2,048
 * characters.
 */
export function parseQuery(url: string): ReadonlyMap<string, string> {
  const at = url.indexOf("?");
  const text = at < 0 ? "" : url.slice(at + 1);
  if (text.length > MAX_QUERY_CHARS) {
    throw new ParameterError({
      error: "the query is too long",
      parameter: "(query)",
      expected: `at most ${MAX_QUERY_CHARS} characters`,
    });
  }
  const query = new Map<string, string>();
  for (const [name, value] of new URLSearchParams(text)) {
    if (query.has(name)) {
      throw new ParameterError({
        error: `parameter ${quoted(name)} is given more than once`,
        parameter: name,
        expected: "one value",
      });
    }
    query.set(name, value);
  }
  return query;
}

/** What a right value looks like, for people. */
function expectedOf(parameter: Parameter): string {
  if (parameter.type === "choice") return `one of ${parameter.oneOf.join(", ")}`;
  const kind = parameter.integer === true ? "a whole number" : "a number";
  const unit = parameter.unit === "" ? kind : `${kind} of ${parameter.unit}`;
  const relation = parameter.aboveMin === true ? "<" : "<=";
  return `${unit}, ${parameter.min} ${relation} ${parameter.name} <= ${parameter.max}`;
}

/**
 * Checks a query against the parameters of a call. `selectors` are names that were read already (`mode`).
 * Throws `ParameterError` for an unknown, missing or wrong one.
 */
export function checkParameters(options: {
  readonly query: ReadonlyMap<string, string>;
  readonly parameters: readonly Parameter[];
  readonly selectors: readonly string[];
}): ParameterValues {
  const { query, parameters, selectors } = options;
  const known = [...selectors, ...parameters.map((parameter) => parameter.name)];
  for (const name of query.keys()) {
    if (known.includes(name)) continue;
    throw new ParameterError({
      error: `unknown parameter ${quoted(name)}`,
      parameter: name.slice(0, 100),
      expected: known.length === 0 ? "no parameter at all" : `only ${known.join(", ")}`,
    });
  }
  const numbers = new Map<string, number>();
  const choices = new Map<string, string>();
  for (const parameter of parameters) {
    const text = query.get(parameter.name);
    if (text === undefined) {
      if (parameter.optional === true) continue;
      throw refused(parameter, `parameter ${parameter.name} is missing`);
    }
    if (parameter.type === "number") numbers.set(parameter.name, numberOf(parameter, text));
    else choices.set(parameter.name, choiceOf(parameter, text));
  }
  return {
    number: (name) => present(name, numbers.get(name)),
    optionalNumber: (name) => numbers.get(name),
    choice: (name) => present(name, choices.get(name)),
    optionalChoice: (name) => choices.get(name),
  };
}

function numberOf(parameter: NumberParameter, text: string): number {
  const value = DECIMAL.test(text) ? Number(text) : Number.NaN;
  const fits =
    Number.isFinite(value) &&
    value <= parameter.max &&
    (parameter.aboveMin === true ? value > parameter.min : value >= parameter.min) &&
    (parameter.integer !== true || Number.isInteger(value));
  if (!fits) throw refused(parameter, `parameter ${parameter.name} is ${quoted(text)}`);
  return value;
}

function choiceOf(parameter: ChoiceParameter, text: string): string {
  if (parameter.oneOf.includes(text)) return text;
  throw refused(parameter, `parameter ${parameter.name} is ${quoted(text)}`);
}

function refused(parameter: Parameter, error: string): ParameterError {
  return new ParameterError({ error, parameter: parameter.name, expected: expectedOf(parameter) });
}

function present<T>(name: string, value: T | undefined): T {
  if (value === undefined) throw new TypeError(`parameter ${name} is not declared as required`);
  return value;
}

/** A foreign text, short and harmless enough to be sent back. */
export function quoted(text: string): string {
  return JSON.stringify(printable(text, 60));
}
