import { isObject } from "../../../common/net/json.ts";
import type { Internal } from "../../../common/settings/internal.ts";
import { type Action, askerOf, type Intent } from "../../kernel/action.ts";
import type { Instance } from "../../kernel/target.ts";
import { type Answer, callOnce, type Reply } from "../shared/call.ts";
import { callOf } from "../shared/callees.ts";
import { type ActionContext, type ActionPlugin, LIMITS } from "../shared/context.ts";
import { CANCELLED_BEFORE, outcomeOf, type Verdict, verdict } from "../shared/outcome.ts";
import { checkCall, type ParameterProblem } from "../shared/parameters.ts";
import { certainlyNothing, notDone, type RetryResult, summary, withRetries } from "../shared/retry.ts";
import { type CallLimits, checkLimits } from "../shared/settings.ts";
import { readSecrets } from "./secrets.ts";
import { checkSecrets, type HttpCall, httpSettings, prepareCall, rulesOf } from "./settings.ts";
import { renderBody, renderUrl, type Values } from "./template.ts";

/** Longest attempt that an entry may ask for, milliseconds. */
const MAX_ATTEMPT_MS = 10_000;

export const http: ActionPlugin<Internal<typeof httpSettings>> = {
  kind: "http",
  docs: { summary: "the call of an entry of `actions.http`, for what no other kind does", example: {} },
  settings: httpSettings,
  metrics: [],
  on: "call",
  parameters: {},
  describe: (calls) => calls.map(({ name, method, url }) => `http ${name}: ${method} ${url}`),
  callees: (calls) =>
    calls.map(prepareCall).map((call) => ({
      ...{ name: call.name, parameters: rulesOf(call), needsAlert: call.needsAlert },
    })),
  check: checkSecrets,
  create: (context, calls) =>
    createHttpAction({
      ...LIMITS,
      attemptTimeoutMs: MAX_ATTEMPT_MS,
      ...context,
      calls: calls.map(prepareCall),
    }),
};

/** `attemptTimeoutMs` is the most that an entry gets. @internal for its tests */
export type HttpActionSettings = CallLimits &
  Omit<ActionContext, "tokens"> & { readonly calls: readonly HttpCall[] };

/** A call with its values in place, but for the secrets. */
interface Prepared {
  readonly call: HttpCall;
  readonly url: string;
  readonly body: string | undefined;
  /** What must not be told, as far as it has been read. */
  readonly secrets: Set<string>;
}

const USER_AGENT = "helius-self-heal";

/**
 * Carries out the entries of `actions.http`: for what no other kind does. It knows no admin token, goes to the addresses
 * of the configuration only, follows no redirect, and always sends the intent's id as `idempotency-key`. A call that may
 * have arrived is repeated only when its entry says that it may be. Throws `RangeError` for settings out of range.
 * @internal for its tests
 */
export function createHttpAction(settings: HttpActionSettings): Action {
  checkLimits(settings);
  const now = settings.now ?? (() => performance.now());
  return {
    kind: "http",
    execute: (intent, instance, signal) =>
      outcomeOf(instance, now, async () => {
        if (signal.aborted) return CANCELLED_BEFORE;
        const prepared = prepare(settings, intent, instance);
        if ("status" in prepared) return prepared;
        const { call } = prepared;
        const result = await withRetries({
          ...settings,
          rules: settings.retry,
          attemptTimeoutMs: Math.min(call.timeoutMs, settings.attemptTimeoutMs),
          now,
          signal,
          final: (reply) => !call.idempotent && !certainlyNothing(reply),
          attempt: (timeoutMs) =>
            send(settings, prepared, {
              method: call.method,
              url: prepared.url,
              headers: { ...call.headers, "idempotency-key": intent.id },
              body: prepared.body,
              timeoutMs,
              signal,
            }),
        });
        return discreet(executed(call, result), prepared.secrets);
      }),
    reconcile: (intent, instance, signal) =>
      outcomeOf(instance, now, async () => {
        const prepared = prepareReconcile(settings, intent, instance);
        if ("status" in prepared) return prepared;
        const { call } = prepared;
        const reply = await send(settings, prepared, {
          method: "GET",
          url: prepared.url,
          headers: {},
          body: undefined,
          timeoutMs: Math.min(call.timeoutMs, settings.attemptTimeoutMs),
          signal,
        });
        return discreet(reconciled(reply), prepared.secrets);
      }),
  };
}

/** Headers that stand in the configuration and are told nowhere all the same. */
const CREDENTIAL = /auth|cookie|credential|key|password|secret|token/i;

interface Sending {
  readonly method: HttpCall["method"] | "GET";
  readonly url: string;
  readonly headers: Readonly<Record<string, string>>;
  readonly body: string | undefined;
  readonly timeoutMs: number;
  readonly signal: AbortSignal;
}

function send(settings: HttpActionSettings, { call, secrets }: Prepared, sending: Sending): Promise<Reply> {
  const read = readSecrets(call.headersFromFiles);
  if ("problem" in read) {
    return Promise.resolve({ kind: "not_sent", detail: read.problem, permanent: true });
  }
  for (const value of Object.values(read.headers)) secrets.add(value);
  for (const [name, value] of Object.entries(call.headers))
    if (CREDENTIAL.test(name)) {
      secrets.add(value);
      // Without the scheme before it, e.g. `Bearer`.
      const bare = value.split(" ").at(-1) ?? value;
      if (bare.length >= 4) secrets.add(bare);
    }
  const headers = { accept: "application/json", "user-agent": USER_AGENT, ...sending.headers };
  return callOnce({ ...settings, ...sending, headers: { ...headers, ...read.headers } });
}

function prepare(settings: HttpActionSettings, intent: Intent, instance: Instance): Prepared | Verdict {
  const call = entryOf(settings, instance);
  if (call === undefined) return refused(`actions.http has no entry for ${instance.url}`);
  const wrong = checkCall(rulesOf(call), intent.parameters ?? {})[0];
  if (wrong !== undefined) return refused(named(wrong));
  const values = valuesOf(intent);
  const url = renderUrl(call.url, values);
  if (!("url" in url)) return refused(named(url));
  const secrets = new Set<string>();
  if (call.body === undefined) return { call, url: url.url, body: undefined, secrets };
  const body = renderBody(call.body, values, call.headers["content-type"] ?? "");
  return "body" in body ? { call, url: url.url, body: body.body, secrets } : refused(named(body));
}

function prepareReconcile(
  settings: HttpActionSettings,
  intent: Intent,
  instance: Instance,
): Prepared | Verdict {
  const call = entryOf(settings, instance);
  const nobody = (why: string): Verdict => verdict("unknown", `nobody can be asked: ${why}`);
  if (call === undefined) return nobody(`actions.http has no entry for ${instance.url}`);
  if (call.reconcile === undefined) return nobody("the entry has no reconcile URL");
  const url = renderUrl(call.reconcile, valuesOf(intent));
  return "url" in url
    ? { call, url: url.url, body: undefined, secrets: new Set<string>() }
    : nobody(named(url));
}

function entryOf({ calls }: HttpActionSettings, instance: Instance): HttpCall | undefined {
  const name = callOf(instance);
  return calls.find((call) => call.name === name);
}

function valuesOf(intent: Intent): Values {
  const { id, origin, parameters = {} } = intent;
  const given = Object.entries(parameters).map(([name, value]) => [`parameters.${name}`, value]);
  return {
    ...Object.fromEntries(given),
    "intent.id": id,
    target: askerOf(intent),
    alert: origin?.alert,
    region: parameters.region,
  };
}

function executed(call: HttpCall, result: RetryResult): Verdict {
  const { reply } = result;
  if (reply.kind === "answer" && isExpected(call, reply.status)) {
    // Besides 2xx only what says that it was done before can be expected.
    const before = reply.status >= 300;
    const other = before ? undefined : unexpected(call, reply);
    if (other !== undefined) return other;
    const detail = `HTTP ${reply.status}${before ? ", which says that it was done before" : ""}`;
    return verdict(before ? "already_applied" : "applied", detail, reply.status);
  }
  if (reply.kind === "answer" && reply.status >= 200 && reply.status < 300) {
    const detail = `HTTP ${reply.status}, where ${call.expectStatus.join(" or ")} was expected`;
    return verdict("unknown", detail, reply.status);
  }
  // What a foreign service sends may hold anything: it is neither kept nor shown.
  return { ...notDone(result, explain), answer: undefined };
}

function isExpected({ expectStatus }: HttpCall, status: number): boolean {
  return expectStatus.length === 0 ? status >= 200 && status < 300 : expectStatus.includes(status);
}

/** An answer that does not say in its body what the entry expects: another value is a no, without one nobody knows. */
function unexpected({ expectJson }: HttpCall, { status, json, problem }: Answer): Verdict | undefined {
  for (const [field, wanted] of Object.entries(expectJson)) {
    const value = field.split(".").reduce<unknown>((at, name) => (isObject(at) ? at[name] : undefined), json);
    if (value === wanted) continue;
    const expected = `where ${JSON.stringify(wanted)} was expected`;
    // What a foreign service sends is neither kept nor shown.
    return value === undefined
      ? verdict(
          "unknown",
          `HTTP ${status}, but ${problem ?? `its JSON has no ${field}`}, ${expected}`,
          status,
        )
      : verdict("refused", `HTTP ${status}, but its ${field} is another, ${expected}`, status);
  }
  return undefined;
}

function reconciled(reply: Reply): Verdict {
  if (reply.kind !== "answer") return verdict("unknown", `not answered: ${explain(reply)}`);
  const { status } = reply;
  if (status >= 200 && status < 300) return verdict("already_applied", "its address knows this call", status);
  if (status === 404) return verdict("failed", "its address never saw this call", status);
  return verdict("unknown", `the answer does not tell: ${explain(reply)}`, status);
}

function explain(reply: Reply): string {
  if (reply.kind !== "answer") return summary(reply);
  const { status } = reply;
  if (status === 401 || status === 403) return `the credentials were not accepted (${summary(reply)})`;
  if (status === 429) return `the rate of calls is limited (${summary(reply)})`;
  if (status >= 300 && status < 400) return `a redirect is never followed (HTTP ${status})`;
  return summary(reply);
}

/** An address may repeat in its answer what it was sent. */
function discreet(from: Verdict, secrets: ReadonlySet<string>): Verdict {
  let { detail } = from;
  for (const secret of secrets) detail = detail.replaceAll(secret, "(secret)");
  return { ...from, detail };
}

function named({ parameter, message }: ParameterProblem): string {
  return `${parameter} ${message}`;
}

function refused(detail: string): Verdict {
  return verdict("refused", `not called: ${detail}`);
}
