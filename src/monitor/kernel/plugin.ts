import type { Action } from "./action.ts";

/** What checks and completes settings; a schema of zod is one. */
interface SettingsSchema {
  /** @throws where `given` is wrong. */
  parse(given: unknown): unknown;
}

/** A metric that a plug-in registers, as docs/metrics.md lists it. */
export interface MetricSpec {
  /** With its unit, and `_total` for a counter. */
  readonly name: string;
  readonly type: "counter" | "gauge";
  readonly labels: readonly string[];
  /** One line for people. */
  readonly help: string;
}

type Labels = Readonly<Record<string, string>>;

/** A registered metric. What is unknown has no series: unknown is not zero. */
export interface Meter {
  /** Counters; by at least 0, 1 by default. */
  inc(labels: Labels, by?: number): void;
  /** Gauges. */
  set(labels: Labels, value: number): void;
  /** Forgets every series. */
  reset(): void;
}

/** The metrics that a plug-in has declared, by name. @throws RangeError for one that it has not. */
export type Meters = (name: string) => Meter;

/** For where nothing is measured: a replay, a simulation. */
export const NO_METERS: Meters = () => ({ inc: () => {}, set: () => {}, reset: () => {} });

/**
 * A plug-in: one folder that exports one of these, and one line in the index of its room. The schema of the
 * configuration, flags, `--help`, the reference, the list of metrics and the status are read from it.
 * @typeParam Settings as code has them: `window_seconds: 60` of the file is `windowMs: 60_000` (`common/settings`).
 */
export interface Plugin<Settings = unknown> {
  /** Unique in its room, e.g. `prometheus`; also the key of its settings in the file: `sources.prometheus`. */
  readonly kind: string;
  /** Its row of the reference. */
  readonly docs: PluginDocs;
  /** Every key with its default, range and help; flags and variables come from them (`common/settings`). */
  readonly settings: SettingsSchema;
  readonly metrics: readonly MetricSpec[];
  /** What its settings come to, one line each, for `check-config`; no secrets. */
  describe?(settings: Settings): readonly string[];
}

export interface PluginDocs {
  /** What it is, in a few words, without a full stop. */
  readonly summary: string;
}

/** A plug-in that is made from its settings; `create` is a method, so that a list may hold plug-ins of any settings. */
export interface CreatedPlugin<Context, Made, Settings = unknown> extends Plugin<Settings> {
  create(context: Context & { readonly meters: Meters }, settings: Settings): Made;
}

/** What an action is carried out on: a service's admin plane, a workload of Kubernetes, an entry of `actions.http`. */
type Actuator = "service" | "workload" | "call";

export type Parameters = Readonly<Record<string, string>>;

/** One parameter of a kind of action. */
export interface ParameterRule {
  readonly required: boolean;
  /** Undefined: it is right; otherwise what would be right. A placeholder is right where it is legal. */
  readonly check: (text: string) => string | undefined;
}

export type ParameterRules = Readonly<Record<string, ParameterRule>>;

/** What a step with a kind of action may and must say, and what becomes of it. */
export interface ActionRules {
  readonly on: Actuator;
  readonly parameters: ParameterRules;
  /** What takes the action back when the step names nothing else; absent: nothing can. */
  readonly undo?: (parameters: Parameters) => { readonly kind: string; readonly parameters: Parameters };
  /** When its effect ends by itself, milliseconds after the call; absent: it is over when the call is. */
  readonly expiresMs?: (parameters: Parameters) => number;
  /**
   * Of a kind that is a call of the Helius contract: an answer of a service that has carried it out. One without these
   * fields, or with other types in them, is of somebody else.
   */
  readonly answer?: Readonly<Record<string, string | number | boolean>>;
}

/** Something outside that a kind on `call` can be carried out on, as its settings name it. */
export interface Callee {
  readonly name: string;
  readonly parameters: ParameterRules;
  /** It says which alert asked for it, so that nothing else can ask. */
  readonly needsAlert?: boolean;
}

/** A kind of action. */
export interface ActionPlugin<Context, Settings = unknown>
  extends CreatedPlugin<Context, Action, Settings>,
    ActionRules {
  readonly docs: PluginDocs & {
    /** Parameters of a right call, for the reference and for tests of every kind. */
    readonly example: Parameters;
  };
  /** Key of its settings below `actions`, where that is not its kind: several kinds may share one section. */
  readonly section?: string;
  /** What a step of a kind on `call` may name. */
  callees?(settings: Settings): readonly Callee[];
  /** Why no step of this kind can be carried out: built-in playbooks that need it are then inactive. */
  unavailable?(settings: Settings, site: { readonly inCluster: boolean }): string | undefined;
  /** What is wrong only beside other settings, by the path of its key from the section on. */
  check?(
    settings: Settings,
    beside: { readonly adminTokenFile: string | undefined },
    complain: (path: readonly PropertyKey[], message: string) => void,
  ): void;
}
