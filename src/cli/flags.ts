import { type ParseArgsOptionsConfig, parseArgs } from "node:util";
import { errorMessage } from "../common/text/error.ts";
import { bindings, flagOf, type ValueKind } from "../monitor/config/bindings.ts";
import { UsageError } from "./command.ts";

/** One flag of a command. */
export interface Flag {
  /** Without the dashes. */
  readonly name: string;
  readonly kind: ValueKind;
  readonly shownDefault: string;
  readonly help: string;
  readonly env?: string | undefined;
}

/** Flags for every key of the configuration. */
export const configFlags: readonly Flag[] = bindings.map((b) => ({ ...b, name: flagOf(b.path) }));

export const configFileFlag: Flag = {
  name: "config.file",
  kind: "string",
  shownDefault: "config/helius.yml if there is one",
  help: "configuration file",
};

export interface Parsed {
  readonly values: Readonly<Record<string, string>>;
  readonly positionals: readonly string[];
}

/**
 * Reads flags as Prometheus does: `--name value`, `--name=value`; a boolean may stand alone.
 * @throws UsageError naming an unknown flag, one without its value, or one given twice.
 */
export function readFlags(args: readonly string[], flags: readonly Flag[], positionals = 0): Parsed {
  const options: ParseArgsOptionsConfig = { help: { type: "boolean", short: "h" } };
  for (const f of flags) options[f.name] = { type: "string", multiple: true };
  const booleans = new Set(flags.filter((f) => f.kind === "boolean").map((f) => `--${f.name}`));
  const whole = args.map((arg) => (booleans.has(arg) ? `${arg}=true` : arg));
  let parsed: ReturnType<typeof parseArgs>;
  try {
    parsed = parseArgs({ args: whole, options, allowPositionals: true, strict: true });
  } catch (error) {
    throw new UsageError(plain(error));
  }
  const values: Record<string, string> = {};
  for (const [name, given] of Object.entries(parsed.values)) {
    if (name === "help") continue;
    const list = given as string[];
    if (list.length > 1) throw new UsageError(`--${name} is given ${list.length} times; give it once`);
    values[name] = list[0] ?? "";
  }
  if (parsed.positionals.length > positionals)
    throw new UsageError(`unexpected argument "${parsed.positionals[positionals]}"`);
  return { values, positionals: parsed.positionals };
}

/** The library's advice on positional arguments does not fit here. */
function plain(error: unknown): string {
  const message = errorMessage(error);
  const unknown = /^Unknown option '([^']+)'/.exec(message);
  return unknown === null
    ? (message.split(". To specify")[0] as string)
    : `unknown flag ${unknown[1]}; see --help`;
}

/** Values of the flags that stand for keys of the configuration, by key. */
export function configValues(values: Readonly<Record<string, string>>): Record<string, string> {
  return Object.fromEntries(
    bindings.flatMap((b) => {
      const value = values[flagOf(b.path)];
      return value === undefined ? [] : [[b.path, value]];
    }),
  );
}

/** Every flag with its meaning, variable and default. */
export function describeFlags(flags: readonly Flag[]): string {
  const shown = flags.map((f) => ({
    left: `  --${f.name}${f.kind === "boolean" ? "" : `=<${f.kind}>`}`,
    flag: f,
  }));
  const width = Math.max(...shown.map((s) => s.left.length)) + 2;
  return shown
    .map(({ left, flag }) => {
      const extras = [
        flag.shownDefault === "" ? "" : `default ${flag.shownDefault}`,
        flag.env === undefined ? "" : `$${flag.env}`,
      ].filter((x) => x !== "");
      return `${left.padEnd(width)}${flag.help}${extras.length === 0 ? "" : ` (${extras.join(", ")})`}`;
    })
    .join("\n");
}
