import { actionKinds } from "../actions/index.ts";
import { callInstance, workloadInstance } from "../actions/shared/callees.ts";
import type { ActionPlugin } from "../actions/shared/context.ts";
import { checkParameters, REGION_PLACEHOLDER } from "../actions/shared/parameters.ts";
import type { ActionTarget, ForecastMatcher, Playbook, Precondition, Step } from "../kernel/containment.ts";
import type { ActionRules } from "../kernel/plugin.ts";
import type { Instance, Target } from "../kernel/target.ts";
import type { Complain } from "./errors.ts";
import type { PlaybookConfig, StepConfig } from "./playbooks.ts";
import { type ActionSettings, calleesOf, sectionOf } from "./plugins.ts";
import { suggest } from "./suggest.ts";

/** What playbooks may name. */
export interface Known {
  readonly targets: readonly Target[];
  readonly actions: ActionSettings;
  /** Cooldown of what is no target, milliseconds. */
  readonly cooldownMs: number;
}

type Path = readonly PropertyKey[];

/** The playbooks of a file; what is wrong with one is told by the path of its key, from the list on. */
export function resolvePlaybooks(
  playbooks: readonly PlaybookConfig[],
  known: Known,
  complain: Complain,
): Playbook[] {
  const names = new Map<string, number>();
  const forecasts = new Map<string, string>();
  return playbooks.map((config, i) => {
    const first = names.get(config.name);
    if (first === undefined) names.set(config.name, i);
    else complain([i, "name"], `"${config.name}" is already the name of playbook ${first + 1}`);
    if (config.forecast !== undefined) {
      const { target, signal } = config.forecast;
      const other = forecasts.get(`${target}/${signal}`);
      if (other === undefined) forecasts.set(`${target}/${signal}`, config.name);
      else
        complain(
          [i, "forecast"],
          `is already answered by playbook ${other}; one playbook answers a forecast`,
        );
    }
    return resolvePlaybook(config, known, (path, message) => complain([i, ...path], message));
  });
}

/** One playbook, told of what is wrong with it by the path of its key, from the playbook on. */
export function resolvePlaybook(config: PlaybookConfig, known: Known, complain: Complain): Playbook {
  const { alert, forecast, regions_of: regionsOf } = config;
  const verify = config.verify ?? forecast;
  if (forecast !== undefined) checkSeries(forecast, known, ["forecast"], complain);
  if (config.verify !== undefined) checkSeries(config.verify, known, ["verify"], complain);
  if (regionsOf !== undefined) {
    const target = targetOf(regionsOf, known);
    if (target === undefined) complain(["regions_of"], notTarget(regionsOf, known));
    else if (target.parts === undefined)
      complain(["regions_of"], `needs parts of target ${regionsOf}: it says where its regions are read`);
  }
  const steps = config.steps.map((step, n): Step => {
    if (regionsOf === undefined)
      for (const path of regionUses(step))
        complain(
          ["steps", n, ...path],
          "needs a region: name the target whose regions are compared in regions_of",
        );
    return resolveStep(step, known, (path, message) => complain(["steps", n, ...path], message));
  });
  return {
    name: config.name,
    ...(alert === undefined ? {} : { alert }),
    ...(forecast === undefined ? {} : { forecast }),
    steps,
    ...(regionsOf === undefined ? {} : { regionsOf }),
    undoOnResolved: config.undo_on_resolved,
    ...(verify === undefined ? {} : { verify }),
  };
}

function resolveStep(config: StepConfig, known: Known, complain: Complain): Step {
  const parameters = asText(config.parameters);
  const preconditions = config.when.map((condition, n): Precondition => {
    if (typeof condition === "string") return { kind: condition };
    checkSeries(condition.signal_above, known, ["when", n, "signal_above"], complain);
    return { kind: "signal_above", ...condition.signal_above };
  });
  const { on, rules } = resolveActuated(config, known, complain);
  if (rules !== undefined)
    for (const { parameter, message } of checkParameters(rules.parameters, parameters))
      complain(["parameters", parameter], message);
  const undo = resolveUndo({ config, rules, parameters, complain });
  const expiresMs = rules?.expiresMs?.(parameters);
  return {
    kind: config.action,
    on,
    parameters,
    preconditions,
    ...(undo === undefined ? {} : { undo }),
    ...(expiresMs === undefined ? {} : { expiresMs }),
  };
}

/** What a step is carried out on, and what its kind may say; no rules where that is not known. */
function resolveActuated(
  config: StepConfig,
  known: Known,
  complain: Complain,
): { readonly on: ActionTarget; readonly rules: ActionRules | undefined } {
  const { action, on, workload } = config;
  const other = (name: string, instance?: Instance): ActionTarget => ({
    name,
    instances: instance === undefined ? [] : [instance],
    cooldownMs: known.cooldownMs,
    autoHeal: true,
  });
  const nothing = other(on ?? workload ?? "");
  const rules = actionKinds.get(action);
  if (rules === undefined) {
    complain(["action"], notKind(action));
    return { on: nothing, rules };
  }
  const wrongKey = rules.on === "workload" ? "on" : "workload";
  const rightKey = rules.on === "workload" ? "workload" : "on";
  if (config[wrongKey] !== undefined) {
    complain([wrongKey], `must not stand beside action ${action}; it takes ${rightKey}`);
    return { on: nothing, rules };
  }
  if (rules.on === "workload") {
    if (workload === undefined) complain([], `must have workload: NAMESPACE/deployment/NAME for ${action}`);
    return { on: other(workload ?? "", workloadInstance(workload ?? "")), rules };
  }
  if (on === undefined) {
    complain(
      [],
      `must have on: ${rules.on === "call" ? `an entry of actions.${sectionOf(rules)}` : "a target"}`,
    );
    return { on: nothing, rules };
  }
  if (rules.on === "call") return resolveCall({ plugin: rules, on, known, complain, actionTargets: other });
  const target = targetOf(on, known);
  if (target === undefined) {
    complain(["on"], notTarget(on, known));
    return { on: nothing, rules };
  }
  const { name, instances, cooldownMs, autoHeal } = target;
  return { on: { name, instances, cooldownMs, autoHeal }, rules };
}

function resolveCall(input: {
  plugin: ActionPlugin;
  on: string;
  known: Known;
  complain: Complain;
  actionTargets: (name: string, instance?: Instance) => ActionTarget;
}): { readonly on: ActionTarget; readonly rules: ActionRules | undefined } {
  const { plugin, on, known, complain, actionTargets } = input;
  const callees = calleesOf(plugin, known.actions);
  const callee = callees.find(({ name }) => name === on);
  if (callee === undefined) {
    const names = callees.map(({ name }) => name);
    complain(["on"], `"${on}" is not an entry of actions.${sectionOf(plugin)}${suggest(on, names)}`);
    return { on: actionTargets(on), rules: undefined };
  }
  return { on: actionTargets(on, callInstance(on)), rules: { ...plugin, parameters: callee.parameters } };
}

function resolveUndo(input: {
  config: StepConfig;
  rules: ActionRules | undefined;
  parameters: Readonly<Record<string, string>>;
  complain: Complain;
}): Step["undo"] {
  const { config, rules, parameters, complain } = input;
  if (config.undo === false) return undefined;
  if (config.undo === undefined) return rules?.undo?.(parameters);
  const { action } = config.undo;
  const own = asText(config.undo.parameters);
  const undo = actionKinds.get(action);
  if (undo === undefined) complain(["undo", "action"], notKind(action));
  else if (rules !== undefined && undo.on !== rules.on)
    complain(
      ["undo", "action"],
      `${action} cannot be carried out on what ${config.action} is carried out on`,
    );
  else {
    const undoRules = undo.on === "call" ? rules?.parameters : undo.parameters;
    for (const { parameter, message } of undoRules === undefined ? [] : checkParameters(undoRules, own))
      complain(["undo", "parameters", parameter], message);
  }
  return { kind: action, parameters: own };
}

/** Where a step needs a region that has been chosen. */
function regionUses(step: StepConfig): Path[] {
  const named = Object.entries(step.parameters)
    .filter(([, value]) => value === REGION_PLACEHOLDER)
    .map(([name]): Path => ["parameters", name]);
  const asked = step.when.flatMap((condition, n): Path[] =>
    typeof condition === "string" ? [["when", n]] : [],
  );
  return [...named, ...asked];
}

function checkSeries(series: ForecastMatcher, known: Known, path: Path, complain: Complain): void {
  const target = targetOf(series.target, known);
  if (target === undefined) {
    complain([...path, "target"], notTarget(series.target, known));
    return;
  }
  const signals = target.signals.map(({ name }) => name);
  if (!signals.includes(series.signal))
    complain(
      [...path, "signal"],
      `"${series.signal}" is not a signal of ${target.name}${suggest(series.signal, signals)}`,
    );
}

function targetOf(name: string, known: Known): Target | undefined {
  return known.targets.find((t) => t.name === name);
}

function notTarget(name: string, known: Known): string {
  const names = known.targets.map((t) => t.name);
  return `"${name}" is not the name of a target${suggest(name, names)}`;
}

function notKind(action: string): string {
  return `"${action}" is not a kind of action${suggest(action, [...actionKinds.keys()])}`;
}

function asText(values: Readonly<Record<string, string | number | boolean>>): Record<string, string> {
  return Object.fromEntries(Object.entries(values).map(([name, value]) => [name, String(value)]));
}
