import { Agent, type Dispatcher } from "undici";
import type { Action, Intent } from "../../kernel/action.ts";
import type { Instance } from "../../kernel/target.ts";
import { errorMessage } from "../../kernel/text.ts";
import { checkCall, type ServiceKind, serviceKinds } from "../kinds.ts";
import { callOnce, type Reply } from "../shared/call.ts";
import { CANCELLED_BEFORE, outcomeOf, type Verdict, verdict } from "../shared/outcome.ts";
import { withRetries } from "../shared/retry.ts";
import { type CallLimits, checkLimits } from "../shared/settings.ts";
import { executed, reconciled } from "./verdict.ts";

/** Settings of `createServiceActions`. */
export interface ServiceActionSettings extends CallLimits {
  /**
   * The admin tokens, asked for at every attempt, so that a rotated one is used at once: the one to present, and the one
   * to try where a service does not accept it.
   */
  readonly tokens: () => readonly string[];
  /** Uniform in [0, 1): spreads the waits. */
  readonly random: () => number;
  /** Waits; may resolve or reject when the signal is aborted. */
  readonly sleep: (ms: number, signal: AbortSignal) => Promise<void>;
  /** Makes the connections; one of its own when absent. */
  readonly dispatcher?: Dispatcher | undefined;
  /** Monotonic milliseconds, for durations and the total deadline. */
  readonly now?: (() => number) | undefined;
}

/** The actions of services, one a kind, with the connections that they share. */
export interface ServiceActions {
  readonly byKind: Readonly<Record<ServiceKind, Action>>;
  /** Drops its own connections; calls under way end as `unknown`. A dispatcher that was passed in is left alone. */
  close(): Promise<void>;
}

/**
 * Every kind that a service carries out: `POST /admin/mitigate[?action=KIND&…]` of an instance with the intent's id as
 * idempotency key and the epoch as fencing token. Throws `RangeError` for settings out of range, naming the field.
 */
export function createServiceActions(settings: ServiceActionSettings): ServiceActions {
  checkLimits(settings);
  // The attempt's own deadline ends a silent connection; undici's are only coarse.
  const own = settings.dispatcher
    ? undefined
    : new Agent({ connect: { timeout: settings.attemptTimeoutMs }, headersTimeout: 0, bodyTimeout: 0 });
  const dispatcher = settings.dispatcher ?? (own as Dispatcher);
  const now = settings.now ?? (() => performance.now());
  const kinds = Object.keys(serviceKinds) as ServiceKind[];
  const actions = kinds.map((kind) => [kind, serviceAction({ kind, settings, dispatcher, now })]);
  return {
    byKind: Object.fromEntries(actions) as Record<ServiceKind, Action>,
    close: async () => {
      await own?.destroy();
    },
  };
}

interface Parts {
  readonly kind: ServiceKind;
  readonly settings: ServiceActionSettings;
  readonly dispatcher: Dispatcher;
  readonly now: () => number;
}

function serviceAction({ kind, settings, dispatcher, now }: Parts): Action {
  return {
    kind,
    execute: (intent, instance, signal) =>
      outcomeOf(instance, now, async () => {
        if (signal.aborted) return CANCELLED_BEFORE;
        const wrong = refusal(kind, intent);
        if (wrong !== undefined) return wrong;
        const result = await withRetries({
          ...settings,
          rules: settings.retry,
          now,
          signal,
          attempt: (timeoutMs) =>
            withTokens({ settings, now, timeoutMs }, (token, leftMs) =>
              callOnce({
                ...settings,
                dispatcher,
                method: "POST",
                url: `${adminUrl(instance)}/admin/mitigate${queryOf(kind, intent)}`,
                headers: headersOf(intent, token),
                body: reasonOf(intent),
                timeoutMs: leftMs,
                signal,
              }),
            ),
        });
        return executed(result);
      }),
    reconcile: (intent, instance, signal) =>
      outcomeOf(instance, now, async () => {
        const timeoutMs = settings.attemptTimeoutMs;
        const reply = await withTokens({ settings, now, timeoutMs }, (token, leftMs) =>
          callOnce({
            ...settings,
            dispatcher,
            method: "GET",
            url: `${adminUrl(instance)}/admin/actions/${encodeURIComponent(intent.id)}`,
            headers: { "x-admin-token": token, "x-predictive-automated": "1" },
            timeoutMs: leftMs,
            signal,
          }),
        );
        return reconciled(reply);
      }),
  };
}

/** Why an intent cannot become a call: an action of another kind, or parameters that the kind does not take. */
function refusal(kind: ServiceKind, intent: Intent): Verdict | undefined {
  if (intent.kind !== kind) return verdict("refused", `not called: this is not an action of ${intent.kind}`);
  const wrong = checkCall(serviceKinds[kind], intent.parameters ?? {});
  if (wrong.length === 0) return undefined;
  const named = wrong.map((problem) => `parameter ${problem.parameter} ${problem.message}`);
  return verdict("refused", `not called: ${named.join("; ")}`);
}

/** Always in the same order: under the same key a service takes the same call only. */
function queryOf(kind: ServiceKind, { parameters = {} }: Intent): string {
  if (kind === "mitigate") return "";
  const sorted = Object.entries(parameters).sort(([a], [b]) => (a < b ? -1 : 1));
  return `?${new URLSearchParams([["action", kind], ...sorted])}`;
}

function adminUrl({ adminUrl, url }: Instance): string {
  return adminUrl ?? url;
}

/**
 * Presents the first token and, where it is not accepted, the second, both within one deadline: a 401 has had no effect.
 * Without a token nothing is sent, and trying again does not help.
 */
async function withTokens(
  limits: { settings: ServiceActionSettings; now: () => number; timeoutMs: number },
  call: (token: string, leftMs: number) => Promise<Reply>,
): Promise<Reply> {
  const { settings, now, timeoutMs } = limits;
  const startMs = now();
  let tokens: readonly string[];
  try {
    tokens = settings.tokens();
  } catch (error) {
    return {
      kind: "not_sent",
      detail: `the admin token cannot be read: ${errorMessage(error)}`,
      permanent: true,
    };
  }
  const [first = "", second] = tokens;
  if (first === "") return { kind: "not_sent", detail: "the admin token is empty", permanent: true };
  const reply = await call(first, timeoutMs);
  const leftMs = timeoutMs - (now() - startMs);
  const refused = reply.kind === "answer" && reply.status === 401;
  return refused && second !== undefined && leftMs > 0 ? call(second, leftMs) : reply;
}

function headersOf(intent: Intent, token: string): Record<string, string> {
  return {
    "content-type": "application/json",
    accept: "application/json",
    "x-admin-token": token,
    "x-predictive-automated": "1",
    "idempotency-key": intent.id,
    "x-predictive-epoch": String(intent.epoch),
  };
}

/** What the monitor acts on; the service does not need it. */
function reasonOf({ id, signal, forecast, threshold, trigger, origin }: Intent): string {
  return JSON.stringify({
    metric: signal,
    forecast,
    threshold,
    trigger,
    intent: id,
    ...(origin === undefined ? {} : { playbook: origin.playbook, run: origin.run, alert: origin.alert }),
  });
}
