import type { Target } from "../../kernel/target.ts";

/** Labels that tell the targets of a query apart, `job` first. */
export type Names = readonly string[];

/** Which labels a target's series are found by. */
export function identityNames({ match = {} }: Target): Names {
  return ["job", ...Object.keys(match).sort()];
}

/** The values of those labels. */
export function identityOf({ job, match = {} }: Target, names: Names): readonly string[] {
  return names.map((name) => (name === "job" ? job : (match[name] ?? "")));
}

/** Two targets with the same labels have the same key; an absent label is an empty one, as in PromQL. */
export function keyOf(values: readonly string[]): string {
  return values.length === 1 ? (values[0] as string) : values.join("\n");
}

/** For people: `job "shop", env "prod"`. */
export function described(names: Names, values: readonly string[]): string {
  return names.map((name, i) => `${name} ${values[i] === "" ? '""' : values[i]}`).join(", ");
}
