import type { Internal } from "../../common/settings/internal.ts";
import type { GuardSettings } from "../guards/index.ts";
import type { Playbook } from "../kernel/containment.ts";
import type { Target } from "../kernel/target.ts";
import type { sourcePlugins } from "../sources/index.ts";
import type { fileSchema } from "./schema.ts";

/** Settings of plug-ins, by kind. */
type OfKinds = Readonly<Record<string, unknown>>;

/** The file as code has it, before what depends on other keys is filled in. */
export type Given = {
  readonly [K in keyof Internal<typeof fileSchema>]: Internal<typeof fileSchema>[K] &
    (K extends "sources" | "store" | "notify" | "actions" | "signals" ? OfKinds : unknown);
};

/** Everything the monitor is told: the schema's keys as code has them, with every default resolved. Frozen. */
export interface Config
  extends Omit<Given, "web" | "sources" | "guards" | "signals" | "targets" | "playbooks"> {
  /** The file it came from; undefined when only flags, environment and defaults speak. */
  readonly file: string | undefined;
  readonly web: Omit<Given["web"], "listenAddress"> & { readonly host: string };
  readonly sources: Given["sources"] & { readonly rateWindowMs: number; readonly maxSampleAgeMs: number } & {
    readonly [P in (typeof sourcePlugins)[number] as P["kind"]]: Internal<P["settings"]> & {
      readonly timeoutMs: number;
    };
  };
  readonly guards: GuardSettings;
  readonly targets: readonly Target[];
  /** What a target has that says nothing of it. */
  readonly common: Pick<Target, "signals" | "cooldownMs">;
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
