import { NO_SETTINGS } from "../../../common/settings/fields.ts";
import type { Action, Intent } from "../../kernel/action.ts";
import { errorMessage } from "../../kernel/text.ts";
import { callOnce, type Reply } from "./call.ts";
import { type ActionContext, type ActionPlugin, LIMITS } from "./context.ts";
import { CANCELLED_BEFORE, outcomeOf, type Verdict, verdict } from "./outcome.ts";
import { checkCall } from "./parameters.ts";
import { withRetries } from "./retry.ts";
import { executed, lostWhenCut, reconciled } from "./service-verdict.ts";
import { type CallLimits, checkLimits } from "./settings.ts";

type ServiceRules = Pick<ActionPlugin, "kind" | "docs" | "parameters" | "undo" | "expiresMs" | "answer">;

/** The plug-in of a kind that a service of the target carries out itself. */
export function serviceAction(rules: ServiceRules): ActionPlugin {
  return {
    ...rules,
    on: "service",
    settings: NO_SETTINGS,
    metrics: [],
    create: (context) => createServiceAction(rules, { ...LIMITS, ...context }),
  };
}

/** @internal for its tests */
export type ServiceActionSettings = CallLimits & ActionContext;

/** The token goes nowhere else. */
const NOT_STATED = "the configuration does not say that this is a Helius service (mitigate: helius)";

/**
 * A kind that a service carries out: `POST /admin/mitigate[?action=KIND&…]` of an instance with the intent's id as
 * idempotency key and the epoch as fencing token. Throws `RangeError` for settings out of range, naming the field.
 * @internal for its tests
 */
export function createServiceAction(rules: ServiceRules, settings: ServiceActionSettings): Action {
  checkLimits(settings);
  const { kind } = rules;
  const now = settings.now ?? (() => performance.now());
  return {
    kind,
    execute: (intent, instance, signal) =>
      outcomeOf(instance, now, async () => {
        if (signal.aborted) return CANCELLED_BEFORE;
        const wrong = refusal(rules, intent);
        if (wrong !== undefined) return wrong;
        const { adminUrl } = instance;
        if (adminUrl === undefined) return verdict("refused", `not called: ${NOT_STATED}`);
        const result = await withRetries({
          ...settings,
          rules: settings.retry,
          now,
          signal,
          attempt: async (timeoutMs) => {
            const reply = await withTokens({ settings, now, timeoutMs }, (token, leftMs) =>
              callOnce({
                ...settings,
                method: "POST",
                url: `${adminUrl}/admin/mitigate${queryOf(kind, intent)}`,
                headers: headersOf(intent, token),
                body: reasonOf(intent),
                timeoutMs: leftMs,
                signal,
              }),
            );
            return lostWhenCut(reply);
          },
        });
        return executed(result, rules.answer ?? {});
      }),
    reconcile: (intent, instance, signal) =>
      outcomeOf(instance, now, async () => {
        const { adminUrl } = instance;
        if (adminUrl === undefined) return verdict("unknown", `not asked: ${NOT_STATED}`);
        const timeoutMs = settings.attemptTimeoutMs;
        const reply = await withTokens({ settings, now, timeoutMs }, (token, leftMs) =>
          callOnce({
            ...settings,
            method: "GET",
            url: `${adminUrl}/admin/actions/${encodeURIComponent(intent.id)}`,
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
function refusal({ kind, parameters }: ServiceRules, intent: Intent): Verdict | undefined {
  if (intent.kind !== kind) return verdict("refused", `not called: this is not an action of ${intent.kind}`);
  const wrong = checkCall(parameters, intent.parameters ?? {});
  if (wrong.length === 0) return undefined;
  const named = wrong.map((problem) => `parameter ${problem.parameter} ${problem.message}`);
  return verdict("refused", `not called: ${named.join("; ")}`);
}

/** Always in the same order: under the same key a service takes the same call only. */
function queryOf(kind: string, { parameters = {} }: Intent): string {
  if (kind === "mitigate") return "";
  const sorted = Object.entries(parameters).sort(([a], [b]) => (a < b ? -1 : 1));
  return `?${new URLSearchParams([["action", kind], ...sorted])}`;
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
