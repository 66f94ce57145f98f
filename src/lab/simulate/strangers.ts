import { defaultPlaybooks } from "../../monitor/config/default-playbooks.ts";
import type { Target } from "../../monitor/kernel/target.ts";
import type { Random } from "./engine/random.ts";

/** What a playbook calls that is no target: an address of `actions.http`, or a workload of Kubernetes. */
export interface CalleeSpec {
  readonly kind: "http" | "rollout-restart";
  readonly name: string;
  /** It carries out a key once, and can be asked about one. Workloads always do. */
  readonly knowsKeys: boolean;
}

/** A playbook of a world's own. */
interface PlaybookSpec {
  readonly name: string;
  /** The series whose forecast or alert asks for it. */
  readonly asker: string;
  readonly signal: string;
  readonly byAlert: boolean;
  /** Kind of action and what it is carried out on. */
  readonly steps: readonly { readonly action: CalleeSpec["kind"] | "mitigate"; readonly on: string }[];
  /** Index of the step that really mends the asker. */
  readonly remedy: number;
}

/** What a world has beside the services of the platform. */
export interface Strangers {
  readonly callees: readonly CalleeSpec[];
  readonly playbooks: readonly PlaybookSpec[];
  /** Cooldown of the callees, seconds. */
  readonly cooldownS: number;
}

interface Asker {
  readonly name: string;
  readonly signals: readonly string[];
}

/** Whose backlog has a playbook of the platform. */
const GATEWAY = "telemetry-gateway";
/** The alert that asks for a playbook with the job label of a watched target. */
export const UNWELL = "TargetUnwell";

type Style = "http" | "restart" | "several" | "shared" | "neighbour" | "alert";
/** Those that every world has, then the others. */
const STYLES: readonly (readonly Style[])[] = [
  ["http", "several", "restart"],
  ["shared", "shared", "neighbour", "alert", "several"],
];

/** Playbooks for most series of a world's targets, each in one of the styles. */
export function drawStrangers(random: Random, targets: readonly Asker[]): Strangers {
  const callees = new Map<string, CalleeSpec>();
  const callee = (kind: CalleeSpec["kind"], name: string) => {
    const on = kind === "http" ? `hook-${name}` : `shop/deployment/${name}`;
    callees.set(on, { kind, name: on, knowsKeys: kind !== "http" || random.chance(0.6) });
    return { action: kind, on };
  };
  const kinds = ["http", "rollout-restart"] as const;
  const common = callee(random.pick(kinds), "common");
  const series = targets
    .filter(({ name }) => name !== GATEWAY)
    .flatMap(({ name, signals }) => signals.map((signal) => ({ asker: name, signal })));
  const chosen = random.shuffled(series).slice(0, Math.max(3, Math.round(0.8 * series.length)));
  const styles = STYLES.flatMap((some) => random.shuffled(some));
  const playbooks = chosen.map(({ asker, signal }, i): PlaybookSpec => {
    const style = styles[i % styles.length] as Style;
    const neighbours = targets.filter((t) => t.name !== asker).map(({ name }) => name);
    const neighbour = () => ({ action: "mitigate" as const, on: random.pick(neighbours) });
    const steps = {
      http: () => [callee("http", `${i}`)],
      restart: () => [callee("rollout-restart", `app-${i}`)],
      several: () =>
        random
          .shuffled([callee("http", `${i}`), callee("rollout-restart", `app-${i}`), neighbour()])
          .slice(0, random.whole(2, 3)),
      shared: () => [common],
      neighbour: () => [neighbour()],
      alert: () => [
        callee("http", `${i}`),
        ...(random.chance(0.5) ? [callee("rollout-restart", `app-${i}`)] : []),
      ],
    }[style]();
    const name = `heal-${asker}-${signal.replaceAll("_", "-")}`;
    return {
      name,
      asker,
      signal,
      byAlert: style === "alert",
      steps,
      remedy: random.whole(0, steps.length - 1),
    };
  });
  return { callees: [...callees.values()], playbooks, cooldownS: random.pick([30, 120, 300]) };
}

/** What mends a series: kind of action and what it is carried out on. */
export function mendsOf(strangers: Strangers | undefined, asker: string, signal: string): readonly string[] {
  const own = strangers?.playbooks.filter((p) => p.asker === asker && p.signal === signal) ?? [];
  const mends = own.map(({ steps, remedy }) => mending(steps[remedy] as PlaybookSpec["steps"][number]));
  // A forecast of it is answered by the mitigation, unless a playbook answers it.
  return own.some(({ byAlert }) => !byAlert) ? mends : [...mends, mending({ action: "mitigate", on: asker })];
}

export function mending({ action, on }: { readonly action: string; readonly on: string }): string {
  return `${action} ${on}`;
}

/** Where what an entry calls listens. */
export function hostOfCallee(name: string): string {
  return `${name}:8080`;
}

export const API_SERVER = "kubernetes:6443";
export const API_TOKEN = "simulated-service-account-0123456789";
export const CALLEE_TOKEN = "simulated-callee-token-0123456789";

/** Files that the configuration of such a world names. */
export function filesOf(folder: string): Readonly<Record<"kubeconfig" | "token", string>> {
  return { kubeconfig: `${folder}/kubeconfig`, token: `${folder}/callee-token` };
}

export function kubeconfigText(): string {
  return JSON.stringify({
    apiVersion: "v1",
    kind: "Config",
    "current-context": "here",
    clusters: [{ name: "here", cluster: { server: `https://${API_SERVER}` } }],
    users: [{ name: "monitor", user: { token: API_TOKEN } }],
    contexts: [{ name: "here", context: { cluster: "here", user: "monitor" } }],
  });
}

/** The sections of the file for playbooks of the world's own beside those that are built in. @param folder of `filesOf`. */
export function sectionsOf(
  { callees, playbooks, cooldownS }: Strangers,
  targets: readonly {
    readonly name: string;
    readonly signals: readonly string[];
    readonly regions: readonly string[];
  }[],
  folder: string,
): Record<string, unknown> {
  const files = filesOf(folder);
  const alone = playbooks.filter(({ byAlert }) => byAlert).length === 1;
  const asTargets = targets.map(({ name, signals, regions }) => ({
    ...{ name, job: name, signals: signals.map((s) => ({ name: s })) },
    ...(regions.length === 0 ? {} : { parts: {} }),
  })) as unknown as readonly Target[];
  return {
    predict: { cooldown_seconds: cooldownS },
    actions: {
      kubernetes: { kubeconfig: files.kubeconfig },
      http: callees.filter(({ kind }) => kind === "http").map((c) => entryOf(c, files.token)),
    },
    playbooks: [...defaultPlaybooks(asTargets).map(builtIn), ...playbooks.map((p) => fileOf(p, alone))],
  };
}

/** A playbook that is built in, as a file says it. */
function builtIn({
  regionsOf,
  undoOnResolved,
  steps,
  ...rest
}: ReturnType<typeof defaultPlaybooks>[number]): Record<string, unknown> {
  return {
    ...rest,
    ...(regionsOf === undefined ? {} : { regions_of: regionsOf }),
    undo_on_resolved: undoOnResolved,
    steps: steps.map(({ when, ...step }) => ({ ...step, when: when.map(({ kind }) => kind) })),
  };
}

function entryOf({ name, knowsKeys }: CalleeSpec, token: string): Record<string, unknown> {
  const at = `http://${hostOfCallee(name)}`;
  return {
    name,
    url: `${at}/turn/{{parameters.state}}`,
    headers_from_files: { authorization: token },
    body: '{"why":"{{target}}"}',
    ...(knowsKeys ? { idempotent: true, reconcile: `${at}/calls/{{intent.id}}` } : {}),
  };
}

function fileOf(
  { name, asker, signal, byAlert, steps }: PlaybookSpec,
  alone: boolean,
): Record<string, unknown> {
  return {
    name,
    // Where one playbook answers the alert, the job need not be matched: it tells who asks.
    ...(byAlert
      ? { alert: { name: UNWELL, labels: alone ? {} : { job: asker } } }
      : { forecast: { target: asker, signal } }),
    undo_on_resolved: byAlert,
    steps: steps.map(({ action, on }) => {
      if (action === "rollout-restart") return { action, workload: on };
      if (action === "mitigate") return { action, on };
      const undo = byAlert ? { action, parameters: { state: "off" } } : false;
      return { action, on, parameters: { state: "on" }, undo };
    }),
  };
}

/** Whether a playbook of the file needs a target to be there. */
export function names(playbook: unknown, target: string): boolean {
  const { forecast, verify, regions_of, steps } = playbook as {
    forecast?: { target: string };
    verify?: { target: string };
    regions_of?: string;
    steps: readonly { on?: string }[];
  };
  return [forecast?.target, verify?.target, regions_of, ...steps.map(({ on }) => on)].includes(target);
}
