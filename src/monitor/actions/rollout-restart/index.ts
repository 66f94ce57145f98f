import { z } from "zod";
import { setting, text } from "../../../common/settings/fields.ts";
import type { Internal } from "../../../common/settings/internal.ts";
import { type Action, type Intent, tookEffect } from "../../kernel/action.ts";
import type { Instance } from "../../kernel/target.ts";
import { errorMessage } from "../../kernel/text.ts";
import type { Reply } from "../shared/call.ts";
import { type Workload, workloadOf } from "../shared/callees.ts";
import { type ActionContext, type ActionPlugin, LIMITS } from "../shared/context.ts";
import { CANCELLED_BEFORE, outcomeOf, type Verdict, verdict } from "../shared/outcome.ts";
import { checkCall } from "../shared/parameters.ts";
import { canBeRepeated, certainlyNothing, summary, turnOf } from "../shared/retry.ts";
import { type CallLimits, checkLimits } from "../shared/settings.ts";
import { type Cluster, type ClusterSettings, openCluster } from "./client.ts";
import { readWorkload, restartPatch, restartTime, type Seen } from "./workload.ts";

const settings = z
  .strictObject({
    kubeconfig: setting(
      text("a kubeconfig file").optional(),
      "kubeconfig for rollout-restart; without one, the pod's service account",
    ),
    context: setting(text("a context of the kubeconfig file").optional(), "context of that kubeconfig", {
      shownDefault: "its current one",
    }),
  })
  .refine(({ kubeconfig, context }) => context === undefined || kubeconfig !== undefined, {
    path: ["context"],
    error: "needs actions.kubernetes.kubeconfig: a pod's own service account has no contexts",
  })
  .prefault({});

/** An object of the API server is larger than an answer: it tells who manages each of its fields. */
const MAX_OBJECT_BYTES = 2 ** 20;

export const rolloutRestart: ActionPlugin<Internal<typeof settings>> = {
  kind: "rollout-restart",
  docs: { summary: "restarts a workload as `kubectl rollout restart` does", example: {} },
  section: "kubernetes",
  settings,
  metrics: [],
  on: "workload",
  parameters: {},
  describe: ({ kubeconfig, context }) =>
    kubeconfig === undefined
      ? []
      : [`kubernetes: ${kubeconfig}${context === undefined ? "" : `, context ${context}`}`],
  unavailable: ({ kubeconfig }, { inCluster }) =>
    kubeconfig === undefined && !inCluster
      ? "actions.kubernetes.kubeconfig is not set, and the monitor does not run in a pod"
      : undefined,
  create: (context, { kubeconfig, context: cluster }) =>
    createRolloutRestart({
      ...LIMITS,
      maxResponseBytes: MAX_OBJECT_BYTES,
      ...context,
      kubeconfig,
      context: cluster,
    }),
};

/** @internal for its tests */
export type RolloutRestartSettings = CallLimits & ClusterSettings & Omit<ActionContext, "tokens">;

/** One intent on one workload of a cluster. */
interface Run {
  readonly settings: RolloutRestartSettings;
  readonly now: () => number;
  readonly cluster: Cluster;
  readonly workload: Workload;
  readonly intent: Intent;
  readonly signal: AbortSignal;
  /** By the clock of `now`. */
  readonly deadline: number;
}

/**
 * Restarts a workload the way `kubectl rollout restart` does: a strategic merge patch of its template's annotation, and
 * with it an annotation of the object that holds the intent's id as idempotency key. Throws `RangeError` for settings
 * out of range, naming the field.
 * @internal for its tests
 */
export function createRolloutRestart(settings: RolloutRestartSettings): Action {
  checkLimits(settings);
  const now = settings.now ?? (() => performance.now());
  const run = async (
    given: { readonly intent: Intent; readonly instance: Instance; readonly signal: AbortSignal },
    work: (run: Run) => Promise<Verdict>,
  ): Promise<Verdict> => {
    const { intent, instance, signal } = given;
    const workload = workloadOf(instance);
    if (workload === undefined) {
      return refused(`${instance.url} is no workload; give kubernetes://NAMESPACE/deployment/NAME`);
    }
    const wrong = checkCall(rolloutRestart.parameters, intent.parameters ?? {})[0];
    if (wrong !== undefined) return refused(`parameter ${wrong.parameter} ${wrong.message}`);
    const deadline = now() + settings.totalTimeoutMs;
    let cluster: Cluster;
    try {
      cluster = await openCluster(settings);
    } catch (error) {
      return refused(errorMessage(error));
    }
    return work({ settings, now, cluster, workload, intent, signal, deadline });
  };
  return {
    kind: "rollout-restart",
    execute: (intent, instance, signal) =>
      outcomeOf(instance, now, async () =>
        signal.aborted ? CANCELLED_BEFORE : run({ intent, instance, signal }, restart),
      ),
    reconcile: (intent, instance, signal) =>
      outcomeOf(instance, now, () => run({ intent, instance, signal }, reconcile)),
  };
}

/** What one attempt came to: the end, or a reply that may be another one next time. */
type Attempt =
  | { readonly verdict: Verdict }
  | { readonly reply: Reply; readonly detail: string; readonly mayHaveApplied: boolean };

/** Reads, then changes what was read; and again while that can help. Whatever was lost shows when it is read again. */
async function restart(run: Run): Promise<Verdict> {
  let before: string | undefined;
  for (let n = 1; ; n += 1) {
    const came = await attempt(run);
    if ("verdict" in came) {
      const { detail } = came.verdict;
      if (before === undefined || tookEffect(came.verdict)) return came.verdict;
      return { ...came.verdict, status: "unknown", detail: `${detail}; before that ${before}` };
    }
    if (came.mayHaveApplied) before ??= came.detail;
    const gaveUp = await turnOf(
      { ...run.settings, rules: run.settings.retry, now: run.now, signal: run.signal },
      { n, reply: came.reply, deadline: run.deadline },
    );
    if (gaveUp === undefined) continue;
    const httpStatus = came.reply.kind === "answer" ? came.reply.status : undefined;
    return verdict(before === undefined ? "failed" : "unknown", `${came.detail}; ${gaveUp}`, httpStatus);
  }
}

async function attempt(run: Run): Promise<Attempt> {
  const { intent } = run;
  const read = await look(run);
  if (!("seen" in read)) return read;
  const { seen } = read;
  if (seen.keys.includes(intent.id)) return { verdict: found(run, seen) };
  if (seen.epoch > intent.epoch) {
    const detail = `a newer monitor has taken over (epoch ${seen.epoch}, this is ${intent.epoch})`;
    return { verdict: verdict("refused", detail) };
  }
  if (seen.hindrance !== undefined) return { verdict: refused(seen.hindrance) };
  const reply = await send(run, restartPatch(intent, seen));
  if (reply.kind === "answer" && reply.status >= 200 && reply.status < 300) {
    return { verdict: changed(run, reply) };
  }
  const detail = explain("the restart", reply);
  // Somebody else has changed the object since it was read, as its controller does all the time: look again.
  const conflict = reply.kind === "answer" && reply.status === 409;
  if (conflict || canBeRepeated(reply)) {
    return { reply, detail, mayHaveApplied: !certainlyNothing(reply) };
  }
  if (reply.kind !== "answer") return { verdict: verdict("failed", detail) };
  return { verdict: verdict("refused", detail, reply.status) };
}

/** Reads the workload: nothing is changed by that, whatever comes of it. */
async function look(run: Run): Promise<{ readonly seen: Seen } | Attempt> {
  const reply = await send(run, undefined);
  if (reply.kind === "answer" && reply.status === 200) {
    const seen = readWorkload(reply.json);
    if (!("problem" in seen)) return { seen };
    const detail = `not restarted: ${reply.problem ?? seen.problem}`;
    return { verdict: verdict("refused", detail, reply.status) };
  }
  const detail = explain("reading the workload", reply);
  if (canBeRepeated(reply)) return { reply, detail, mayHaveApplied: false };
  if (reply.kind !== "answer") return { verdict: verdict("failed", detail) };
  return { verdict: verdict("refused", detail, reply.status) };
}

async function reconcile(run: Run): Promise<Verdict> {
  const read = await look(run);
  if (!("seen" in read)) {
    const detail = "verdict" in read ? read.verdict.detail : read.detail;
    return verdict("unknown", `the API server could not be asked: ${detail}`);
  }
  if (read.seen.keys.includes(run.intent.id)) return found(run, read.seen);
  return verdict("failed", "the workload does not hold this key: it was not restarted for it", 200);
}

function send(run: Run, patch: unknown): Promise<Reply> {
  const { settings, now, workload, deadline } = run;
  const timeoutMs = Math.max(1, Math.min(settings.attemptTimeoutMs, deadline - now()));
  const { maxResponseBytes, dispatcher } = settings;
  const { signal } = run;
  return run.cluster.call({ workload, patch, timeoutMs, maxResponseBytes, signal, dispatcher });
}

function found({ workload }: Run, seen: Seen): Verdict {
  return {
    status: "already_applied",
    httpStatus: 200,
    detail: "the workload holds this key: it has been restarted for it",
    answer: answerOf(workload, seen),
  };
}

function changed({ intent, workload }: Run, reply: Reply & { readonly kind: "answer" }): Verdict {
  const seen = readWorkload(reply.json);
  const { status: httpStatus } = reply;
  if ("problem" in seen) {
    const detail = `restarted, but ${reply.problem ?? seen.problem}`;
    return { status: "applied", httpStatus, detail, answer: undefined };
  }
  const answer = answerOf(workload, seen);
  if (seen.keys.includes(intent.id) && seen.restartedAt === restartTime(intent)) {
    return { status: "applied", httpStatus, detail: `restarted at ${seen.restartedAt}`, answer };
  }
  const detail = "the API server accepted the change, but the object it answers with does not show it";
  return { status: "unknown", httpStatus, detail, answer };
}

function answerOf({ namespace, type, name }: Workload, seen: Seen): Verdict["answer"] {
  return {
    workload: `${namespace}/${type}/${name}`,
    restarted_at: seen.restartedAt ?? null,
    generation: seen.generation ?? null,
  };
}

function explain(what: string, reply: Reply): string {
  if (reply.kind !== "answer") return `${what}: ${summary(reply)}`;
  const said = reply.json?.message;
  const status = `HTTP ${reply.status}${typeof said === "string" ? `: ${said.slice(0, 200)}` : ""}`;
  if (reply.status === 401) return `${what}: the API server does not accept the credentials (${status})`;
  if (reply.status === 403) return `${what}: not allowed; see deploy/kubernetes/rbac.yaml (${status})`;
  if (reply.status === 404) return `${what}: there is no such workload (${status})`;
  if (reply.status === 409) return `${what}: the object changed meanwhile (${status})`;
  if (reply.status >= 300 && reply.status < 400) return `${what}: a redirect is never followed (${status})`;
  return `${what}: ${status}`;
}

function refused(detail: string): Verdict {
  return verdict("refused", `not restarted: ${detail}`);
}
