import { z } from "zod";
import type { AlertState, BootInstant, Webhook } from "../kernel/containment.ts";
import { type Problem, parseAs, shown } from "../kernel/problem.ts";
import { parseTime } from "./time.ts";

/** Labels an alert may have. */
const MAX_LABELS = 64;
/** Name and value of one label together, bytes of UTF-8. */
const MAX_LABEL_BYTES = 4096;
/** All labels of one alert together, bytes of UTF-8. */
const MAX_LABELS_BYTES = 16_384;
/** How far an alert's time may lie ahead of ours: clocks differ, but not by more, milliseconds. */
const MAX_AHEAD_MS = 600_000;

const mustBe = (right: string) => ({
  error: ({ input }: { readonly input?: unknown }) => `must be ${right}, not ${shown(input)}`,
});
const WHOLE = "must be a whole number from 0";
const FINGERPRINT = mustBe("16 hexadecimal digits");
const TIME = mustBe("an RFC 3339 time, e.g. 2026-11-21T14:29:04Z");

const ENVELOPE = z.object(
  {
    version: z.literal("4", mustBe('"4"')),
    groupKey: z.string("must be text").optional(),
    truncatedAlerts: z.int(WHOLE).min(0, WHOLE).nullish(),
    alerts: z.array(z.unknown(), "must be a list"),
  },
  "must be a JSON object, as Alertmanager's webhook sends it",
);

/** Not `z.record`: that one looks past a label `__proto__`. */
const LABELS = z
  .custom<Record<string, string>>(
    (value) => typeof value === "object" && value !== null && !Array.isArray(value),
    { error: "must be a mapping of names to texts", abort: true },
  )
  .superRefine((labels, { addIssue }) => {
    const wrong = (message: string, ...path: string[]) => addIssue({ code: "custom", path, message });
    const entries = Object.entries(labels);
    if (entries.length > MAX_LABELS) return wrong(`must be at most ${MAX_LABELS}, not ${entries.length}`);
    let all = 0;
    for (const [name, text] of entries) {
      if (typeof text !== "string") return wrong("must be text", name);
      const bytes = new TextEncoder().encode(name + text).length;
      if (bytes > MAX_LABEL_BYTES)
        return wrong(`must have at most ${MAX_LABEL_BYTES} bytes, not ${bytes}`, name);
      all += bytes;
    }
    if (all > MAX_LABELS_BYTES)
      return wrong(`must have at most ${MAX_LABELS_BYTES} bytes in all, not ${all}`);
    if (!Object.hasOwn(labels, "alertname") || labels.alertname === "")
      wrong("must name the alert", "alertname");
  })
  .transform((labels): Record<string, string> => Object.fromEntries(Object.entries(labels)));

const time = z.string(TIME).refine((text) => parseTime(text) !== undefined, TIME);

const ALERT = z.object(
  {
    status: z.enum(["firing", "resolved"], mustBe('"firing" or "resolved"')),
    fingerprint: z.string(FINGERPRINT).regex(/^[0-9a-f]{16}$/, FINGERPRINT),
    labels: LABELS,
    startsAt: time.refine((text) => msOf(text) > 0, mustBe("after 1970")),
    endsAt: time.optional(),
  },
  "must be a JSON object",
);

function msOf(text = ""): number {
  return parseTime(text) ?? Number.NaN;
}

/**
 * Reads Alertmanager's webhook payload, version 4. Each alert is judged alone: one that cannot be used does not take
 * the others with it. Never throws.
 * @param body the JSON, parsed.
 */
export function parseWebhook(body: unknown, at: BootInstant): Webhook {
  const envelope = parseAs(ENVELOPE, body, "body");
  if ("problem" in envelope) {
    const { field, message } = envelope.problem;
    return {
      alerts: [],
      problems: [{ field: field.replace("body.", ""), message }],
      unusable: 0,
      truncated: 0,
    };
  }
  const { alerts: entries, truncatedAlerts } = envelope.data;
  const alerts: AlertState[] = [];
  const problems: Problem[] = [];
  for (const [i, entry] of entries.entries()) {
    const name = `alerts[${i}]`;
    const parsed = parseAs(ALERT, entry, name);
    const problem = "problem" in parsed ? parsed.problem : timeProblem(parsed.data, name, at);
    if (problem !== undefined) problems.push(problem);
    else if ("data" in parsed) alerts.push(alertOf(parsed.data, at));
  }
  return { alerts, problems, unusable: problems.length, truncated: truncatedAlerts ?? 0 };
}

type Posted = z.output<typeof ALERT>;

function timeProblem(posted: Posted, name: string, { now }: BootInstant): Problem | undefined {
  for (const field of ["startsAt", "endsAt"] as const) {
    const aheadMs = msOf(posted[field]) - now.wallMs;
    if (aheadMs > MAX_AHEAD_MS)
      return {
        field: `${name}.${field}`,
        message: `must not be more than ${MAX_AHEAD_MS / 1000} s ahead of the monitor's clock; ${shown(posted[field])} is by ${Math.round(aheadMs / 1000)} s`,
      };
  }
  // The end of one that fires is not known yet: the zero time, and nothing is read out of another one.
  if (posted.status === "firing" || msOf(posted.endsAt) >= msOf(posted.startsAt)) return undefined;
  const message =
    posted.endsAt === undefined
      ? TIME.error({})
      : `must not lie before startsAt, as ${shown(posted.endsAt)} does`;
  return { field: `${name}.endsAt`, message };
}

function alertOf({ status, fingerprint, labels, startsAt, endsAt }: Posted, at: BootInstant): AlertState {
  const name = labels.alertname ?? "";
  const alert = {
    fingerprint,
    name,
    labels,
    startsAtMs: msOf(startsAt),
    receivedAt: at.now,
    bootId: at.bootId,
  };
  return status === "firing" ? { ...alert, status } : { ...alert, status, endsAtMs: msOf(endsAt) };
}
