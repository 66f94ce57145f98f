import { Agent, type Dispatcher } from "undici";
import type { Action, InstanceOutcome, Intent } from "../../domain/action.ts";
import type { Instance } from "../../domain/target.ts";
import { type Answer, callOnce, type Reply } from "./call.ts";
import {
  certainlyNothing,
  type RetryResult,
  type RetryRules,
  saysApplied,
  summary,
  withRetries,
} from "./retry.ts";

/** Settings of `createMitigateAction`. */
export interface MitigateSettings {
  /** The admin token, asked for at every attempt, so that a rotated one is used at once. */
  readonly token: () => string;
  /** For one attempt, from connecting to the last byte of the answer, milliseconds above 0. */
  readonly attemptTimeoutMs: number;
  /** For all attempts on one instance and the waits between them, milliseconds above 0. */
  readonly totalTimeoutMs: number;
  readonly retry: RetryRules;
  /** Longest answer that is read, bytes above 0. */
  readonly maxResponseBytes: number;
  /** Uniform in [0, 1): spreads the waits. */
  readonly random: () => number;
  /** Waits; may resolve or reject when the signal is aborted. */
  readonly sleep: (ms: number, signal: AbortSignal) => Promise<void>;
  /** Makes the connections; one of its own when absent. */
  readonly dispatcher?: Dispatcher | undefined;
  /** Monotonic milliseconds, for durations and the total deadline. */
  readonly now?: (() => number) | undefined;
}

/** The mitigation, with the connections that it holds. */
export interface MitigateAction extends Action {
  /** Drops its own connections; calls under way end as `unknown`. A dispatcher that was passed in is left alone. */
  close(): Promise<void>;
}

type Verdict = Pick<InstanceOutcome, "status" | "httpStatus" | "detail" | "answer">;

/**
 * Calls `POST /admin/mitigate` of an instance with the intent's id as idempotency key and the epoch as fencing token.
 * Throws `RangeError` for settings out of range, naming the field.
 */
export function createMitigateAction(settings: MitigateSettings): MitigateAction {
  checkSettings(settings);
  const { attemptTimeoutMs } = settings;
  // The attempt's own deadline ends a silent connection; undici's are only coarse.
  const own = settings.dispatcher
    ? undefined
    : new Agent({ connect: { timeout: attemptTimeoutMs }, headersTimeout: 0, bodyTimeout: 0 });
  const dispatcher = settings.dispatcher ?? (own as Dispatcher);
  const now = settings.now ?? (() => performance.now());

  const outcome = async (instance: Instance, work: () => Promise<Verdict>): Promise<InstanceOutcome> => {
    const startMs = now();
    // Only a defect gets here; whether anything was sent before it is not known.
    const verdict = await work().catch(
      (error: unknown): Verdict => ({
        status: "unknown",
        httpStatus: undefined,
        detail: `the call ended in an error: ${messageOf(error)}`,
        answer: undefined,
      }),
    );
    return { instance: instance.name, ...verdict, durationMs: Math.max(0, now() - startMs) };
  };

  return {
    kind: "mitigate",
    execute: (intent, instance, signal) =>
      outcome(instance, async () => {
        if (signal.aborted) {
          return {
            status: "failed",
            httpStatus: undefined,
            detail: "cancelled before the call",
            answer: undefined,
          };
        }
        const result = await withRetries({
          ...settings,
          rules: settings.retry,
          now,
          signal,
          attempt: (timeoutMs) =>
            withToken(settings, (token) =>
              callOnce({
                ...settings,
                dispatcher,
                method: "POST",
                url: `${instance.url}/admin/mitigate`,
                headers: headersOf(intent, token),
                body: reasonOf(intent),
                timeoutMs,
                signal,
              }),
            ),
        });
        return executed(result);
      }),
    reconcile: (intent, instance, signal) =>
      outcome(instance, async () => {
        const reply = await withToken(settings, (token) =>
          callOnce({
            ...settings,
            dispatcher,
            method: "GET",
            url: `${instance.url}/admin/actions/${encodeURIComponent(intent.id)}`,
            headers: { "x-admin-token": token, "x-predictive-automated": "1" },
            timeoutMs: attemptTimeoutMs,
            signal,
          }),
        );
        return reconciled(reply);
      }),
    close: async () => {
      await own?.destroy();
    },
  };
}

function checkSettings({
  attemptTimeoutMs,
  totalTimeoutMs,
  maxResponseBytes,
  retry,
}: MitigateSettings): void {
  const above0 = { attemptTimeoutMs, totalTimeoutMs, maxResponseBytes };
  for (const [name, value] of Object.entries(above0)) {
    if (!(Number.isFinite(value) && value > 0))
      throw new RangeError(`${name} is ${value}; give a number above 0`);
  }
  if (!Number.isSafeInteger(retry.maxAttempts) || retry.maxAttempts < 1) {
    throw new RangeError(`retry.maxAttempts is ${retry.maxAttempts}; give an integer of at least 1`);
  }
  for (const name of ["baseMs", "maxMs"] as const) {
    if (!(Number.isFinite(retry[name]) && retry[name] >= 0)) {
      throw new RangeError(`retry.${name} is ${retry[name]}; give milliseconds of at least 0`);
    }
  }
}

/** Without a token nothing is sent, and trying again does not help. */
async function withToken(
  settings: MitigateSettings,
  call: (token: string) => Promise<Reply>,
): Promise<Reply> {
  let token: string;
  try {
    token = settings.token();
  } catch (error) {
    return {
      kind: "not_sent",
      detail: `the admin token cannot be read: ${messageOf(error)}`,
      permanent: true,
    };
  }
  if (token === "") return { kind: "not_sent", detail: "the admin token is empty", permanent: true };
  return call(token);
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

/** What the monitor acts on, for the service's log. */
function reasonOf({ id, signal, forecast, threshold, trigger }: Intent): string {
  return JSON.stringify({ metric: signal, forecast, threshold, trigger, intent: id });
}

function executed({ reply, mayHaveApplied, gaveUp }: RetryResult): Verdict {
  if (reply.kind === "answer" && saysApplied(reply)) return applied(reply);
  const httpStatus = reply.kind === "answer" ? reply.status : undefined;
  const answer = reply.kind === "answer" ? reply.json : undefined;
  const last = [explain(reply), ...(gaveUp === undefined ? [] : [gaveUp])].join("; ");
  if (!certainlyNothing(reply)) return { status: "unknown", httpStatus, detail: last, answer };
  // The last word is a no, but an earlier attempt under the same key may have been carried out.
  if (mayHaveApplied !== undefined) {
    return { status: "unknown", httpStatus, detail: `${last}; before that ${mayHaveApplied}`, answer };
  }
  const refused = reply.kind === "answer" && reply.status < 500 && reply.status !== 429;
  return { status: refused ? "refused" : "failed", httpStatus, detail: last, answer };
}

function applied(reply: Answer): Verdict {
  const replayed = reply.headers["idempotent-replay"] === "true";
  const said = replayed ? "it had carried out this key before" : "carried out";
  return {
    status: replayed ? "already_applied" : "applied",
    httpStatus: reply.status,
    detail: reply.problem === undefined ? said : `${said}, but ${reply.problem}`,
    answer: reply.json,
  };
}

function explain(reply: Reply): string {
  if (reply.kind !== "answer") return summary(reply);
  const { status } = reply;
  if (status === 401 || status === 403) return `the admin token was not accepted (${summary(reply)})`;
  if (status === 409) return `a newer monitor has taken over (${summary(reply)})`;
  if (status === 429) return `the service limits the rate of calls (${summary(reply)})`;
  if (status >= 300 && status < 400) {
    return `a redirect is never followed, so that the token stays here (HTTP ${status})`;
  }
  return summary(reply);
}

function reconciled(reply: Reply): Verdict {
  const unknown = (detail: string, httpStatus?: number): Verdict => ({
    status: "unknown",
    httpStatus,
    detail: `the service could not be asked: ${detail}`,
    answer: undefined,
  });
  if (reply.kind !== "answer") return unknown(explain(reply));
  const { status, json } = reply;
  if (status === 200 && json?.applied === true) {
    const { answer } = json;
    const inner = typeof answer === "object" && answer !== null && !Array.isArray(answer);
    return {
      status: "already_applied",
      httpStatus: status,
      detail: "the service has carried it out",
      answer: inner ? (answer as Readonly<Record<string, unknown>>) : json,
    };
  }
  // A 404 of a proxy in between says nothing: the service's own says `applied: false`.
  if (status === 404 && json?.applied === false) {
    return { status: "failed", httpStatus: status, detail: "the service never saw this key", answer: json };
  }
  return unknown(
    reply.problem === undefined ? explain(reply) : `${explain(reply)}, ${reply.problem}`,
    status,
  );
}

function messageOf(error: unknown): string {
  return error instanceof Error ? error.message : String(error);
}
