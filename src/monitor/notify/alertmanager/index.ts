import { DelegateBackoff, handleWhenResult, retry } from "cockatiel";
import { Agent, type Dispatcher } from "undici";
import { z } from "zod";
import {
  excerpt,
  exchange,
  type FailureKind,
  first,
  type Headers,
  type HttpFailure,
} from "../../../common/net/exchange.ts";
import { baseUrl, setting } from "../../../common/settings/fields.ts";
import type { Internal } from "../../../common/settings/internal.ts";
import type { EscalationAlert, Notifier, NotifyResult } from "../../kernel/verification.ts";
import type { NotifierContext, NotifierPlugin } from "../shared/context.ts";

const settings = z
  .strictObject({
    url: setting(
      baseUrl().optional(),
      "Alertmanager that escalations are sent to; without any notifier they are only logged and shown",
    ),
  })
  .prefault({});

/** Longest wait before a repeat, milliseconds. */
const MAX_RETRY_DELAY_MS = 2000;

export const alertmanager = {
  kind: "alertmanager",
  docs: { summary: "alerts for Alertmanager's v2 API, which routes them to people" },
  settings,
  metrics: [],
  describe: ({ url }) => (url === undefined ? [] : [url]),
  create: (context, { url }) =>
    url === undefined
      ? undefined
      : createAlertmanagerNotifier({ ...context, url, maxRetryDelayMs: MAX_RETRY_DELAY_MS }),
} as const satisfies NotifierPlugin<Internal<typeof settings>>;

export interface AlertmanagerSettings extends NotifierContext {
  /** Base URL without a trailing slash. */
  readonly url: string;
  /** Longest wait before a repeat; the wait is between half of it and all of it, milliseconds. */
  readonly maxRetryDelayMs: number;
  /** Connections to use instead of its own; the caller then closes them. */
  readonly dispatcher?: Dispatcher;
}

/** Attempts of one call, the first included. */
const ATTEMPTS = 3;
/** Alerts of one call: what there is more goes in the next. */
const BATCH = 50;
/** Longest answer that is read, bytes. Alertmanager answers with nothing, or with a short complaint. */
const MAX_ANSWER = 16_384;
/** The header `Date` has whole seconds, and the answer took its time: less than this is no difference of clocks. */
const SKEW_MS = 5000;

/** What may well go through another time. */
const RETRYABLE: readonly FailureKind[] = ["refused", "lost", "not_http"];

type Refusal = { readonly ok: false; readonly detail: string; readonly retryable: boolean };
type Answer = { readonly ok: true; readonly skewMs: number | undefined } | Refusal;

/**
 * Notifies people through Alertmanager's v2 API. Redirects are refused, answers bounded, repeats jittered, and all of it
 * within one deadline. Alertmanager takes an alert for over when its end has passed on its own clock; where that differs
 * from ours by seconds, as its answers show, times are given on its clock.
 */
export function createAlertmanagerNotifier(settings: AlertmanagerSettings): Notifier {
  const { url, timeoutMs, maxRetryDelayMs, random, now } = settings;
  const own = settings.dispatcher ? undefined : new Agent({ connect: { timeout: timeoutMs } });
  const dispatcher = settings.dispatcher ?? (own as Dispatcher);
  const retryable = handleWhenResult((result) => !(result as Answer).ok && (result as Refusal).retryable);
  const backoff = new DelegateBackoff(() => maxRetryDelayMs * (0.5 + 0.5 * random()));
  const policy = retry(retryable, { maxAttempts: ATTEMPTS - 1, backoff });
  // Kept until it differs clearly, so that the start of an episode stays what it was.
  let skewMs = 0;

  const post = async (alerts: readonly EscalationAlert[], signal: AbortSignal): Promise<Answer> => {
    const body = JSON.stringify(alerts.map((alert) => payload(alert, skewMs)));
    return policy.execute(() => call({ dispatcher, url: `${url}/api/v2/alerts`, body, signal, now }), signal);
  };

  const notifyBatch = async (alerts: readonly EscalationAlert[], signal: AbortSignal): Promise<Answer> => {
    const answer = await post(alerts, signal);
    if (!answer.ok || answer.skewMs === undefined || Math.abs(answer.skewMs - skewMs) <= SKEW_MS)
      return answer;
    // What was just sent may already be over on its clock.
    skewMs = answer.skewMs;
    return post(alerts, signal);
  };

  return {
    async notify(alerts, outer): Promise<NotifyResult> {
      const signal = AbortSignal.any([outer, AbortSignal.timeout(timeoutMs)]);
      for (let from = 0; from < alerts.length; from += BATCH) {
        const answer = await notifyBatch(alerts.slice(from, from + BATCH), signal);
        // What ran out of time is not repeated here, but may well be taken later.
        if (!answer.ok)
          return { status: "failed", detail: answer.detail, retryable: answer.retryable || signal.aborted };
      }
      return { status: "delivered" };
    },
    close: async () => {
      await own?.destroy();
    },
  };
}

/** As Alertmanager takes it: RFC 3339, on its clock. */
function payload(alert: EscalationAlert, skewMs: number): Record<string, unknown> {
  const at = (ms: number) => new Date(ms + skewMs).toISOString();
  return {
    labels: alert.labels,
    annotations: alert.annotations,
    startsAt: at(alert.startsAtMs),
    endsAt: at(alert.endsAtMs),
    ...(alert.generatorUrl === undefined ? {} : { generatorURL: alert.generatorUrl }),
  };
}

interface Posting {
  readonly dispatcher: Dispatcher;
  readonly url: string;
  readonly body: string;
  readonly signal: AbortSignal;
  readonly now: () => number;
}

async function call({ now, ...request }: Posting): Promise<Answer> {
  const began = now();
  const headers = { "content-type": "application/json", accept: "application/json" };
  const result = await exchange({ ...request, method: "POST", headers, maxBytes: MAX_ANSWER });
  // What it had to say may have broken off, or been too long: its status counts.
  const cut = !result.ok && (result.kind === "broken_off" || result.kind === "too_large");
  const answer = result.ok ? result : cut ? result.answer : undefined;
  if (answer === undefined) {
    const { kind, detail } = result as HttpFailure;
    return { ok: false, detail, retryable: RETRYABLE.includes(kind) };
  }
  const { status, body } = answer;
  if (status < 300) return { ok: true, skewMs: skewOf(answer.headers, began, now()) };
  const said = excerpt(body, 200);
  const detail = `HTTP ${status}${said === "" ? "" : `: ${said}`}`;
  return { ok: false, detail, retryable: status >= 500 || status === 429 };
}

/** How far its clock is ahead of ours, milliseconds; undefined where the answer does not say. */
function skewOf(headers: Headers, began: number, ended: number): number | undefined {
  const its = Date.parse(first(headers.date) ?? "");
  return Number.isNaN(its) ? undefined : its - (began + ended) / 2;
}
