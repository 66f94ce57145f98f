import { isRegion, type Region } from "./regions.ts";

/** Largest payload of one message, bytes. */
export const MAX_PAYLOAD_BYTES = 64 * 1_024;
const MAX_METRICS = 100;
const MAX_NAME_CHARS = 128;
/** Printable, without control characters and line separators. */
const PRINTABLE = /^[^\p{C}\p{Zl}\p{Zp}]{1,128}$/u;
const DEVICE = /^[A-Za-z0-9][A-Za-z0-9._:-]{0,127}$/;

/** Where a topic of the scheme `helius/<region>/<device>/telemetry` leads. */
export interface Route {
  readonly region: Region;
  readonly device: string;
}

/** One reading of one device, checked. */
export interface Telemetry {
  readonly id: string;
  /** Time of the reading, milliseconds since the epoch. */
  readonly ts: number;
  readonly metrics: Readonly<Record<string, number>>;
}

/** The message is not what it must be; the text names the field and what would be right. */
export class MalformedMessageError extends Error {
  override readonly name = "MalformedMessageError";
}

/** Throws `MalformedMessageError` for a topic outside the scheme. */
export function parseTopic(topic: string): Route {
  const parts = topic.split("/");
  const [root, region = "", device = "", kind] = parts;
  if (parts.length !== 4 || root !== "helius" || kind !== "telemetry") {
    throw new MalformedMessageError(`topic ${shown(topic)}: expected helius/<region>/<device>/telemetry`);
  }
  return parseRoute(region, device);
}

/** Throws `MalformedMessageError` for an unknown region or a bad device name. */
export function parseRoute(region: string, device: string): Route {
  if (!isRegion(region)) throw new MalformedMessageError(`region ${shown(region)}: expected a known region`);
  if (!DEVICE.test(device)) {
    throw new MalformedMessageError(
      `device ${shown(device)}: expected 1 to 128 letters, digits, or . _ : -, starting with a letter or digit`,
    );
  }
  return { region, device };
}

/** Throws `MalformedMessageError` for bytes that are not a telemetry message. */
export function parseTelemetry(payload: Uint8Array): Telemetry {
  if (payload.byteLength > MAX_PAYLOAD_BYTES) {
    throw new MalformedMessageError(
      `payload of ${payload.byteLength} bytes: expected at most ${MAX_PAYLOAD_BYTES}`,
    );
  }
  let value: unknown;
  try {
    value = JSON.parse(UTF8.decode(payload));
  } catch {
    throw new MalformedMessageError("payload: expected JSON in UTF-8");
  }
  return checkTelemetry(value);
}

const UTF8 = new TextDecoder("utf-8", { fatal: true });

/** Throws `MalformedMessageError` for a value that is not a telemetry message. */
export function checkTelemetry(value: unknown): Telemetry {
  if (typeof value !== "object" || value === null || Array.isArray(value)) {
    throw new MalformedMessageError("payload: expected an object with id, ts and metrics");
  }
  const { id, ts, metrics } = value as Record<string, unknown>;
  if (typeof id !== "string" || !PRINTABLE.test(id)) {
    throw new MalformedMessageError(`id ${shown(id)}: expected 1 to 128 printable characters`);
  }
  if (typeof ts !== "number" || !Number.isFinite(ts) || ts < 0 || ts > 8.64e15) {
    throw new MalformedMessageError(`ts ${shown(ts)}: expected milliseconds since the epoch`);
  }
  if (typeof metrics !== "object" || metrics === null || Array.isArray(metrics)) {
    throw new MalformedMessageError(`metrics ${shown(metrics)}: expected an object of numbers by name`);
  }
  const entries = Object.entries(metrics);
  if (entries.length === 0 || entries.length > MAX_METRICS) {
    throw new MalformedMessageError(`metrics has ${entries.length} entries: expected 1 to ${MAX_METRICS}`);
  }
  for (const [name, number] of entries) {
    if (name.length === 0 || name.length > MAX_NAME_CHARS) {
      throw new MalformedMessageError(
        `metrics ${shown(name)}: expected a name of 1 to ${MAX_NAME_CHARS} characters`,
      );
    }
    if (typeof number !== "number" || !Number.isFinite(number)) {
      throw new MalformedMessageError(
        `metrics.${name.slice(0, 40)} ${shown(number)}: expected a finite number`,
      );
    }
  }
  return { id, ts, metrics: metrics as Record<string, number> };
}

const SEPARATOR = "\n";

/** Key of a message within its region. Neither part holds the separator. */
export function messageKey(device: string, id: string): string {
  return `${device}${SEPARATOR}${id}`;
}

/** Whether a key names a message; the key of a dead letter that was malformed is its topic. */
export function isMessageKey(key: string): boolean {
  return key.includes(SEPARATOR);
}

/** What `messageKey` was made of. */
export function splitKey(key: string): { readonly device: string; readonly id: string } {
  const at = key.indexOf(SEPARATOR);
  return { device: key.slice(0, at), id: key.slice(at + 1) };
}

function shown(value: unknown): string {
  const text = JSON.stringify(value) ?? "(missing)";
  return text.length > 80 ? `${text.slice(0, 80)}…` : text;
}
