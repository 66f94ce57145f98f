import { z } from "zod";

/** What the reference, `--help` and the environment know of a key. */
export interface SettingMeta {
  readonly description?: string;
  /** Shown where the default is no plain value, e.g. that of another key. */
  readonly shownDefault?: string;
  /** Environment variable of the contract. */
  readonly env?: string;
  /** It has a flag, and perhaps a variable, beside its key in the file. */
  readonly flag?: true;
  /** It is known to nobody else: given as a flag, the list of processes shows it. */
  readonly secret?: true;
  /** It is the kind of a plug-in. */
  readonly kind?: true;
}

/** Settings of a plug-in, under its kind. */
export function ofKind<T extends z.ZodType>(schema: T): T {
  return schema.meta({ ...schema.meta(), kind: true }) as T;
}

/**
 * A scalar setting: a key of the file, and a flag of the same name. The last call on a schema, which would else forget it.
 * @param help one line that stands alone.
 */
export function setting<T extends z.ZodType>(
  schema: T,
  help: string,
  more: Pick<SettingMeta, "env" | "shownDefault" | "secret"> = {},
): T {
  return schema.meta({ description: help, flag: true, ...more }) as T;
}

/** A key that stands in the file only; else as `setting`. */
export function described<T extends z.ZodType>(schema: T, meaning: string, shownDefault?: string): T {
  return schema.meta({ description: meaning, ...(shownDefault === undefined ? {} : { shownDefault }) }) as T;
}

/** A number with its range and unit in the message, so that an error says what would be right. */
export function number(spec: { min: number; max: number; unit: string; integer?: boolean; above?: boolean }) {
  const kind = spec.integer === true ? "a whole number" : "a number";
  const low = spec.above === true ? `above ${spec.min}` : `from ${spec.min}`;
  const unit = spec.unit === "" ? "" : ` (${spec.unit})`;
  const message = `must be ${kind} ${low} up to ${spec.max}${unit}`;
  return z
    .number({ error: message })
    .refine(
      (v) =>
        (spec.above === true ? v > spec.min : v >= spec.min) &&
        v <= spec.max &&
        (spec.integer !== true || Number.isInteger(v)),
      { error: message },
    );
}

/** A whole number. */
export const count = (min: number, max: number, unit: string) => number({ min, max, unit, integer: true });

/** Of a window that slides, seconds. */
export const window = () => seconds(1, 86_400);

export const seconds = (min: number, max: number) => number({ min, max, unit: "seconds" });

export const share = () => number({ min: 0, max: 1, unit: "a share" });

export const flag = () => z.boolean({ error: "must be true or false" });

export const text = (what: string) =>
  z.string({ error: `must be ${what}` }).min(1, `must be ${what}, not empty`);

const NAME = /^[a-zA-Z0-9]([a-zA-Z0-9_.-]{0,62}[a-zA-Z0-9])?$/;

/** A name that can stand in labels and keys. */
export const name = () =>
  z
    .string({ error: "must be a name" })
    .regex(NAME, "must be 1 to 64 letters, digits, dots, dashes or underscores");

/** A bare name of a metric; `what`: what kind of metric, with an example. */
export const metricName = (what: string) =>
  z
    .string({ error: `must be the name of ${what}` })
    .regex(/^[a-zA-Z_:][a-zA-Z0-9_:]*$/, { error: `must be the bare name of ${what}` });

/** An http or https base URL without credentials, query or fragment; a trailing slash is dropped. */
export const baseUrl = () =>
  z
    .string({ error: "must be an http:// or https:// URL" })
    .refine(isBaseUrl, { error: "must be an http:// or https:// URL without user, query or fragment" })
    .transform((url) => url.replace(/\/+$/, ""));

function isBaseUrl(value: string): boolean {
  const url = URL.parse(value);
  return (
    url !== null &&
    (url.protocol === "http:" || url.protocol === "https:") &&
    url.username === "" &&
    url.password === "" &&
    url.search === "" &&
    url.hash === ""
  );
}

/** `host:port`, `[v6]:port` or `:port`. */
export const listenAddress = () =>
  z.string({ error: "must be host:port or :port" }).refine((v) => parseListenAddress(v) !== undefined, {
    error: "must be host:port or :port, port 0 to 65535",
  });

/** @returns undefined when the text is not an address to listen on; without a host, all interfaces. */
export function parseListenAddress(value: string): { host: string; port: number } | undefined {
  const match = /^(\[[0-9a-fA-F:]+\]|[^:\s[\]]*):(\d{1,5})$/.exec(value);
  if (match === null) return undefined;
  const port = Number(match[2]);
  if (port > 65_535) return undefined;
  const host = (match[1] ?? "").replace(/^\[|\]$/g, "");
  return { host: host === "" ? "0.0.0.0" : host, port };
}

/** Of a plug-in that needs none: it has no section in the file. */
export const NO_SETTINGS = Object.assign(z.strictObject({}).prefault({}), { none: true } as const);
