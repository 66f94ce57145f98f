import type { TrendConstants } from "../forecast/settings.ts";
import type { Playbook } from "../kernel/containment.ts";
import type { GuardSettings } from "../kernel/guards.ts";
import type { SignalShape } from "../kernel/signal.ts";
import type { Target } from "../kernel/target.ts";
import type { VerificationSettings } from "../kernel/verification.ts";
import type { ActionSettings } from "./plugins.ts";

/** Everything the monitor is told, with every default resolved. Frozen. */
export interface Config {
  /** The file it came from; undefined when only flags, environment and defaults speak. */
  readonly file: string | undefined;
  readonly cycleMs: number;
  readonly autoHeal: boolean;
  readonly dataDir: string;
  readonly admin: { readonly token: string; readonly tokenFile: string | undefined };
  readonly web: {
    readonly host: string;
    readonly port: number;
    readonly externalUrl: string | undefined;
    readonly enableLifecycle: boolean;
    /** Who may tell the monitor something; by default who holds the admin token. */
    readonly token: string | undefined;
    readonly tokenFile: string | undefined;
  };
  readonly log: {
    readonly level: "debug" | "info" | "warn" | "error";
    readonly format: "json" | "pretty";
    readonly file: string | undefined;
    /** Bytes of the file before it is put aside as `FILE.1`; 0: never. */
    readonly fileMaxBytes: number;
  };
  readonly sources: {
    readonly order: readonly ("prometheus" | "scrape")[];
    readonly rateWindowMs: number;
    readonly maxSampleAgeMs: number;
    readonly maxResponseBytes: number;
    readonly prometheus: { readonly url: string; readonly timeoutMs: number };
    readonly scrape: { readonly path: string; readonly timeoutMs: number };
  };
  readonly predict: {
    readonly horizonS: number;
    readonly probStrong: number;
    readonly probConfirmMin: number;
    readonly minR2: number;
    readonly preTimeoutRatio: number;
    readonly cooldownMs: number;
    readonly windowSamples: number;
    /** How readily the trend predictor speaks. */
    readonly sensitivity: "strict" | "default" | "eager";
    /** Constants of the trend predictor set otherwise, by kind of signal. */
    readonly constants: Readonly<Partial<Record<SignalShape, TrendConstants>>>;
  };
  /** What the kinds of action beside the services' own need. */
  readonly actions: ActionSettings;
  readonly targets: readonly Target[];
  /** The brakes on acting. */
  readonly guards: GuardSettings;
  readonly verification: VerificationSettings;
  /** Where people are called when acting is of no use. */
  readonly escalation: {
    /** Without it, escalations are only logged and shown. */
    readonly alertmanagerUrl: string | undefined;
    /** One that lasts is sent again after so long; deadline of a call, milliseconds. */
    readonly resendMs: number;
    readonly timeoutMs: number;
  };
  readonly containment: {
    /** A firing alert that was not heard of for longer is not acted on, milliseconds. */
    readonly alertStaleMs: number;
    /** Least span over which the rates of regions are compared, seconds. */
    readonly regionWindowS: number;
  };
  /** Answers to alerts and forecasts, in the order of the file. */
  readonly playbooks: readonly Playbook[];
  /** Built-in playbooks that this configuration has no use for, and why. */
  readonly inactivePlaybooks: readonly InactivePlaybook[];
}

export interface InactivePlaybook {
  readonly name: string;
  /** For people: which key is missing, and where. */
  readonly why: string;
}

/** One thing that is wrong with the configuration. */
export interface ConfigProblem {
  /** `file:line:col`, `--flag` or `environment NAME`. */
  readonly where: string;
  /** The key, dotted. */
  readonly key: string;
  /** What is wrong and what would be right. */
  readonly message: string;
}

/** The configuration cannot be used. The message has one line a problem. */
export class ConfigError extends Error {
  override readonly name = "ConfigError";
  readonly problems: readonly ConfigProblem[];
  constructor(problems: readonly ConfigProblem[]) {
    super(problems.map((p) => `${p.where}: ${p.key === "" ? "" : `${p.key} `}${p.message}`).join("\n"));
    this.problems = problems;
  }
}
