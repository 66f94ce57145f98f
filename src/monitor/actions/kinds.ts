import type { Instance } from "../kernel/target.ts";

/** Kinds that a service of Helius carries out: `POST /admin/mitigate?action=KIND&…`, the plain mitigation without `action`. */
export type ServiceKind =
  | "mitigate"
  | "set-rate-limit"
  | "reset-rate-limit"
  | "isolate-region"
  | "release-region"
  | "force-fallback"
  | "release-fallback"
  | "pause-stream"
  | "resume-stream"
  | "retrain"
  | "replay-dead-letters";
export type ActionKind = ServiceKind | "rollout-restart" | "http";

/** What a kind of action is carried out on: a service's admin plane, a workload of Kubernetes, an entry of `actions.http`. */
export type Actuator = "service" | "workload" | "call";

export type Parameters = Readonly<Record<string, string>>;

/** One parameter of a kind of action. */
export interface ParameterRule {
  readonly required: boolean;
  /** Undefined: it is right; otherwise what would be right. A placeholder is right where it is legal. */
  readonly check: (text: string) => string | undefined;
}

/** What a step with a kind of action may and must say, and what becomes of it. */
export interface KindRules {
  readonly on: Actuator;
  readonly parameters: Readonly<Record<string, ParameterRule>>;
  /** What takes the action back when the step names nothing else; absent: nothing can. */
  readonly undo?: (parameters: Parameters) => { readonly kind: ActionKind; readonly parameters: Parameters };
  /** When its effect ends by itself, milliseconds after the call; absent: it is over when the call is. */
  readonly expiresMs?: (parameters: Parameters) => number;
}

/** Stands for the region that was chosen when the playbook runs. Legal for a parameter named `region`. */
export const REGION_PLACEHOLDER = "$region";
/** Every region of a service at once, where a kind allows it. */
export const ALL_REGIONS = "all";
/** Whatever isolates, limits or pauses ends by itself within a day, seconds. */
export const MAX_EFFECT_SECONDS = 86_400;

const DECIMAL = /^(\d+\.?\d*|\.\d+)(e[+-]?\d+)?$/i;
const TEXT = /^[^\p{Cc}\p{Cs}]{1,1024}$/u;
const REGION = /^[a-z0-9]([a-z0-9-]{0,61}[a-z0-9])?$/;

function numberAbove0(unit: string, max: number): ParameterRule["check"] {
  return (text) => {
    const value = DECIMAL.test(text) ? Number(text) : Number.NaN;
    return value > 0 && value <= max ? undefined : `must be a number above 0 up to ${max} (${unit})`;
  };
}

function wholeNumber(unit: string, max: number): ParameterRule["check"] {
  return (text) => {
    const value = /^\d{1,9}$/.test(text) ? Number(text) : 0;
    return value >= 1 && value <= max ? undefined : `must be a whole number from 1 up to ${max} (${unit})`;
  };
}

const oneRegion: ParameterRule["check"] = (text) =>
  text === REGION_PLACEHOLDER || (text !== ALL_REGIONS && REGION.test(text))
    ? undefined
    : `must be the name of a region, e.g. us-east-1, or ${REGION_PLACEHOLDER}`;

const anyRegion: ParameterRule["check"] = (text) =>
  text === REGION_PLACEHOLDER || REGION.test(text)
    ? undefined
    : `must be the name of a region, e.g. us-east-1, ${ALL_REGIONS} or ${REGION_PLACEHOLDER}`;

const seconds: ParameterRule = { required: true, check: numberAbove0("seconds", MAX_EFFECT_SECONDS) };
const region: ParameterRule = { required: true, check: oneRegion };
const regionOrAll: ParameterRule = { required: false, check: anyRegion };

const endsByItself = (parameters: Parameters): number => 1000 * Number(parameters.seconds);
const sameRegion = (parameters: Parameters): Parameters =>
  parameters.region === undefined ? {} : { region: parameters.region };

export const serviceKinds: Readonly<Record<ServiceKind, KindRules>> = {
  mitigate: { on: "service", parameters: {} },
  "set-rate-limit": {
    on: "service",
    parameters: {
      region: regionOrAll,
      per_second: { required: true, check: numberAbove0("messages a second", 1_000_000) },
      seconds,
    },
    undo: (given) => ({ kind: "reset-rate-limit", parameters: sameRegion(given) }),
    expiresMs: endsByItself,
  },
  "reset-rate-limit": { on: "service", parameters: { region: regionOrAll } },
  "isolate-region": {
    on: "service",
    parameters: { region, seconds },
    undo: (given) => ({ kind: "release-region", parameters: sameRegion(given) }),
    expiresMs: endsByItself,
  },
  "release-region": { on: "service", parameters: { region } },
  "force-fallback": {
    on: "service",
    parameters: { seconds },
    undo: () => ({ kind: "release-fallback", parameters: {} }),
    expiresMs: endsByItself,
  },
  "release-fallback": { on: "service", parameters: {} },
  "pause-stream": {
    on: "service",
    parameters: { seconds },
    undo: () => ({ kind: "resume-stream", parameters: {} }),
    expiresMs: endsByItself,
  },
  "resume-stream": { on: "service", parameters: {} },
  retrain: { on: "service", parameters: {} },
  "replay-dead-letters": {
    on: "service",
    parameters: {
      region: { required: false, check: oneRegion },
      limit: { required: false, check: wholeNumber("dead letters", 10_000) },
    },
  },
};

/**
 * Every kind of action. `http` is what an entry of `actions.http` says: its rules come from `httpKind`. What an action
 * of `rollout-restart` is carried out on comes from `workloadInstance`, of one of `http` from `callInstance`.
 */
export const actionKinds: Readonly<Record<ActionKind, KindRules>> = {
  ...serviceKinds,
  "rollout-restart": { on: "workload", parameters: {} },
  http: { on: "call", parameters: {} },
};

export function isActionKind(kind: string): kind is ActionKind {
  return Object.hasOwn(actionKinds, kind);
}

/** A Deployment, StatefulSet or DaemonSet. */
export interface Workload {
  readonly namespace: string;
  readonly type: "deployment" | "statefulset" | "daemonset";
  readonly name: string;
}

const WORKLOAD =
  /^([a-z0-9](?:[-a-z0-9]{0,61}[a-z0-9])?)\/(deployment|statefulset|daemonset)\/([a-z0-9.-]{1,253})$/;
const OBJECT_NAME = /^[a-z0-9](?:[-a-z0-9]*[a-z0-9])?(?:\.[a-z0-9](?:[-a-z0-9]*[a-z0-9])?)*$/;
const WORKLOAD_SCHEME = "kubernetes://";
const CALL_SCHEME = "call://";

/** The workload that `NAMESPACE/deployment/NAME` (or `statefulset`, `daemonset`) names, as an intent is carried out on it. */
export function workloadInstance(text: string): Instance | undefined {
  const url = `${WORKLOAD_SCHEME}${text}`;
  return workloadOf({ name: text, url }) === undefined ? undefined : { name: text, url };
}

/** The workload that an instance stands for; undefined: it is none. */
export function workloadOf({ url }: Instance): Workload | undefined {
  const match = url.startsWith(WORKLOAD_SCHEME) ? WORKLOAD.exec(url.slice(WORKLOAD_SCHEME.length)) : null;
  const [, namespace = "", type, name = ""] = match ?? [];
  if (match === null || !OBJECT_NAME.test(name)) return undefined;
  return { namespace, type: type as Workload["type"], name };
}

/** The entry of `actions.http` with this name, as an intent is carried out on it. */
export function callInstance(name: string): Instance {
  return { name, url: `${CALL_SCHEME}${name}` };
}

/** The name of the entry of `actions.http` that an instance stands for; undefined: it is none. */
export function callOf({ url }: Instance): string | undefined {
  return url.startsWith(CALL_SCHEME) ? url.slice(CALL_SCHEME.length) : undefined;
}

/** The rules of `http` for one entry of `actions.http`: each parameter that its templates name is required. */
export function httpKind(names: readonly string[]): KindRules {
  const text = (name: string): ParameterRule["check"] =>
    name === "region"
      ? anyRegion
      : (value) =>
          TEXT.test(value) ? undefined : "must be 1 to 1024 characters, none of them a control character";
  return {
    on: "call",
    parameters: Object.fromEntries(names.map((name) => [name, { required: true, check: text(name) }])),
  };
}

/** What is wrong with one parameter, and what would be right. */
export interface ParameterProblem {
  readonly parameter: string;
  /** Reads after the parameter's name: "is missing; …", "must be …". */
  readonly message: string;
}

/** Holds the parameters of a step against the rules of its kind; empty: all is well. */
export function checkParameters(rules: KindRules, given: Parameters): ParameterProblem[] {
  const known = Object.keys(rules.parameters);
  const listed = known.length === 0 ? "it takes none" : `known here: ${known.join(", ")}`;
  const problems = Object.keys(given)
    .filter((name) => !Object.hasOwn(rules.parameters, name))
    .map((parameter): ParameterProblem => ({ parameter, message: `is not a known parameter; ${listed}` }));
  for (const [parameter, rule] of Object.entries(rules.parameters)) {
    const value = Object.hasOwn(given, parameter) ? given[parameter] : undefined;
    if (value === undefined) {
      if (rule.required) problems.push({ parameter, message: `is missing${hint(rule)}` });
      continue;
    }
    const message = rule.check(value);
    if (message !== undefined) problems.push({ parameter, message });
  }
  return problems;
}

/** The same for a call that is about to be made: by then a placeholder has become a value. */
export function checkCall(rules: KindRules, given: Parameters): ParameterProblem[] {
  const left = Object.entries(given)
    .filter(([, value]) => value === REGION_PLACEHOLDER)
    .map(([parameter]) => ({ parameter, message: `is still ${REGION_PLACEHOLDER}: no region was chosen` }));
  return [...checkParameters(rules, given), ...left];
}

/** What an empty text is told is what is right. */
function hint(rule: ParameterRule): string {
  const right = rule.check("");
  return right === undefined ? "" : `; it ${right}`;
}
