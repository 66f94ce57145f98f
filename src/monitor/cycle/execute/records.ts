import { type Intent, isUndo, type Outcome } from "../../kernel/action.ts";
import { callOf, type Run, type RunStep, stepId } from "../../playbooks/run.ts";
import { explain } from "../../rules/explain.ts";
import type { ActionRecord } from "../types.ts";
import type { ActContext, Draft } from "./call.ts";

/** What carrying on a run needs. */
export interface Carrying {
  run: Run;
  readonly ctx: ActContext;
  /** Newest usable value of a watched series. */
  readonly value: (target: string, signal: string) => number | undefined;
  /** Told each action as it is made. */
  readonly record: (record: ActionRecord) => void;
  /** The forecast that asked for it. */
  readonly decision?: ActionRecord["decision"];
  /** It begins in this cycle. */
  readonly begun: boolean;
}

/** What step `index` of a run asks for. */
export function draftOf(run: Run, index: number, parameters: Readonly<Record<string, string>>): Draft {
  const { kind } = run.steps[index] as RunStep;
  const { forecast, threshold } = run;
  return {
    ...common(run, index),
    id: stepId(run, index),
    kind,
    trigger: run.cause,
    ...(forecast === undefined ? {} : { forecast }),
    ...(threshold === undefined ? {} : { threshold }),
    ...(run.playbook === undefined ? {} : { parameters }),
  };
}

/** What takes step `index` of a run back; undefined where it is not known for which region. */
export function undoDraftOf(run: Run, index: number): Draft | undefined {
  const { undo, undoAttempts } = run.steps[index] as RunStep & {
    readonly undo: NonNullable<RunStep["undo"]>;
  };
  const parameters = callOf(undo.parameters, run.region);
  if (parameters === undefined) return undefined;
  const { origin, ...rest } = common(run, index);
  const undoes = stepId(run, index);
  return {
    ...rest,
    id: `${undoes}.undo${undoAttempts}`,
    kind: undo.kind,
    trigger: "undo",
    parameters,
    origin: { ...origin, undoes },
  };
}

function common(run: Run, index: number) {
  const { on } = run.steps[index] as RunStep;
  const alert = run.episodes[0]?.fingerprint;
  return {
    target: on.name,
    ...(run.asker === on.name ? {} : { asker: run.asker }),
    signal: run.signal,
    predictor: run.predictor,
    origin: {
      ...(run.playbook === undefined ? {} : { playbook: run.playbook }),
      run: run.id,
      step: index,
      ...(alert === undefined ? {} : { alert }),
    },
  };
}

/** One action as it is reported. */
export function stepRecord(
  { run, decision }: Carrying,
  mode: ActionRecord["mode"],
  intent: Intent,
  outcome: Outcome | undefined,
): ActionRecord {
  const of = run.playbook === undefined && decision !== undefined ? { decision } : {};
  return {
    mode,
    intent,
    ...of,
    detail: of.decision === undefined ? why(run, intent) : explain(of.decision),
    outcome,
  };
}

function why(run: Run, intent: Intent): string {
  const doing = [intent.kind, ...Object.entries(intent.parameters ?? {}).map(([k, v]) => `${k}=${v}`)];
  const region = run.regionWhy === undefined ? "" : `; region ${run.region ?? "none"}: ${run.regionWhy}`;
  const of = run.playbook === undefined ? "" : `playbook ${run.playbook}: `;
  return `${of}${doing.join(" ")}, because ${isUndo(intent) ? "every alert of it has ended" : causeText(run)}${region}`;
}

function causeText({ cause, signal, target, by }: Run): string {
  if (cause === "alert") return `${signal} fires`;
  if (cause === "person") return `${by} asks for it`;
  return `${signal} of ${target} is forecast to exceed its SLO (${cause})`;
}
