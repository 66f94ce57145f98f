import type { AlertProblem, AlertState, HeardAt, Webhook } from "../kernel/containment.ts";
import { parseTime, ZERO_TIME_MS } from "./time.ts";

/** Labels an alert may have. */
export const MAX_LABELS = 64;
/** Name and value of one label together, bytes of UTF-8. */
export const MAX_LABEL_BYTES = 4096;
/** All labels of one alert together, bytes of UTF-8. */
export const MAX_LABELS_BYTES = 16_384;
/** How far an alert's time may lie ahead of ours: clocks differ, but not by more, milliseconds. */
export const MAX_AHEAD_MS = 600_000;

/**
 * Reads Alertmanager's webhook payload, version 4. Each alert is judged alone: one that cannot be used does not take
 * the others with it. Never throws.
 * @param body the JSON, parsed.
 */
export function parseWebhook(body: unknown, at: HeardAt): Webhook {
  const nothing = (field: string, message: string): Webhook => ({
    alerts: [],
    problems: [{ field, message }],
    unusable: 0,
    truncated: 0,
  });
  if (!isObject(body)) return nothing("body", "must be a JSON object, as Alertmanager's webhook sends it");
  if (body.version !== "4") return nothing("version", `must be "4", not ${shown(body.version)}`);
  if (body.groupKey !== undefined && typeof body.groupKey !== "string")
    return nothing("groupKey", "must be text");
  const truncated = body.truncatedAlerts ?? 0;
  if (typeof truncated !== "number" || !Number.isSafeInteger(truncated) || truncated < 0)
    return nothing("truncatedAlerts", "must be a whole number from 0");
  if (!Array.isArray(body.alerts)) return nothing("alerts", "must be a list");
  const alerts: AlertState[] = [];
  const problems: AlertProblem[] = [];
  for (const [i, entry] of body.alerts.entries()) {
    const parsed = parseAlert(entry, at);
    if ("alert" in parsed) alerts.push(parsed.alert);
    else
      problems.push({
        field: parsed.field === "" ? `alerts[${i}]` : `alerts[${i}].${parsed.field}`,
        message: parsed.message,
      });
  }
  return { alerts, problems, unusable: problems.length, truncated };
}

type Parsed = { readonly alert: AlertState } | AlertProblem;

function parseAlert(entry: unknown, at: HeardAt): Parsed {
  if (!isObject(entry)) return { field: "", message: "must be a JSON object" };
  const { status, fingerprint } = entry;
  if (status !== "firing" && status !== "resolved")
    return { field: "status", message: `must be "firing" or "resolved", not ${shown(status)}` };
  if (typeof fingerprint !== "string" || !/^[0-9a-f]{16}$/.test(fingerprint))
    return { field: "fingerprint", message: `must be 16 hexadecimal digits, not ${shown(fingerprint)}` };
  const labels = parseLabels(entry.labels);
  if ("message" in labels) return labels;
  const startsAtMs = parseInstant("startsAt", entry.startsAt, at);
  if (typeof startsAtMs !== "number") return startsAtMs;
  if (startsAtMs <= 0)
    return { field: "startsAt", message: `must be after 1970, not ${shown(entry.startsAt)}` };
  const common = { fingerprint, name: labels.name, labels: labels.labels, startsAtMs, ...heard(at) };
  if (status === "firing") {
    // Its end is not known yet: the zero time, and nothing is read out of another one.
    const end = entry.endsAt === undefined ? ZERO_TIME_MS : parseInstant("endsAt", entry.endsAt, at);
    return typeof end === "number" ? { alert: { ...common, status } } : end;
  }
  const endsAtMs = parseInstant("endsAt", entry.endsAt, at);
  if (typeof endsAtMs !== "number") return endsAtMs;
  if (endsAtMs < startsAtMs)
    return { field: "endsAt", message: `must not lie before startsAt, as ${shown(entry.endsAt)} does` };
  return { alert: { ...common, status, endsAtMs } };
}

function heard(at: HeardAt): Pick<AlertState, "heardAt" | "bootId"> {
  return { heardAt: at.now, bootId: at.bootId };
}

function parseInstant(field: string, value: unknown, at: HeardAt): number | AlertProblem {
  const ms = typeof value === "string" ? parseTime(value) : undefined;
  if (ms === undefined)
    return { field, message: `must be an RFC 3339 time, e.g. 2026-11-21T14:29:04Z, not ${shown(value)}` };
  const aheadMs = ms - at.now.wallMs;
  if (aheadMs > MAX_AHEAD_MS)
    return {
      field,
      message: `must not be more than ${MAX_AHEAD_MS / 1000} s ahead of the monitor's clock; ${shown(value)} is by ${Math.round(aheadMs / 1000)} s`,
    };
  return ms;
}

function parseLabels(
  value: unknown,
): { readonly name: string; readonly labels: Readonly<Record<string, string>> } | AlertProblem {
  if (!isObject(value)) return { field: "labels", message: "must be a mapping of names to texts" };
  const entries = Object.entries(value);
  if (entries.length > MAX_LABELS)
    return { field: "labels", message: `must be at most ${MAX_LABELS}, not ${entries.length}` };
  let all = 0;
  for (const [name, text] of entries) {
    if (typeof text !== "string") return { field: labelField(name), message: "must be text" };
    const bytes = utf8Bytes(name) + utf8Bytes(text);
    if (bytes > MAX_LABEL_BYTES)
      return { field: labelField(name), message: `must have at most ${MAX_LABEL_BYTES} bytes, not ${bytes}` };
    all += bytes;
  }
  if (all > MAX_LABELS_BYTES)
    return { field: "labels", message: `must have at most ${MAX_LABELS_BYTES} bytes in all, not ${all}` };
  const name = Object.hasOwn(value, "alertname") ? value.alertname : undefined;
  if (typeof name !== "string" || name === "")
    return { field: "labels.alertname", message: "must name the alert" };
  return { name, labels: Object.fromEntries(entries) as Record<string, string> };
}

function labelField(name: string): string {
  return `labels[${shown(name)}]`;
}

function isObject(value: unknown): value is Record<string, unknown> {
  return typeof value === "object" && value !== null && !Array.isArray(value);
}

/** A value that came from outside, short and on one line. */
function shown(value: unknown): string {
  if (value === undefined) return "absent";
  const text = typeof value === "object" && value !== null ? "an object" : JSON.stringify(value);
  return text.length > 60 ? `${text.slice(0, 60)}…` : text;
}

function utf8Bytes(text: string): number {
  let bytes = 0;
  for (const sign of text) {
    const code = sign.codePointAt(0) as number;
    bytes += code < 0x80 ? 1 : code < 0x800 ? 2 : code < 0x10000 ? 3 : 4;
  }
  return bytes;
}
