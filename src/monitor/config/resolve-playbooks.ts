import { actionKinds } from "../actions/index.ts";
import { callInstance, workloadInstance } from "../actions/shared/callees.ts";
import { checkParameters, REGION_PLACEHOLDER } from "../actions/shared/parameters.ts";
import type { ActionTarget, ForecastMatcher, Playbook, Step } from "../kernel/containment.ts";
import type { ActionRules } from "../kernel/plugin.ts";
import type { Instance, Target } from "../kernel/target.ts";
import { defaultPlaybooks } from "./default-playbooks.ts";
import type { Complain } from "./errors.ts";
import type { PlaybookConfig, StepConfig } from "./playbooks.ts";
import { type ActionSettings, calleesOf, sectionOf } from "./plugins.ts";
import { suggest } from "./suggest.ts";
import type { Config, InactivePlaybook } from "./types.ts";

/** What playbooks may name. */
interface Known {
  readonly targets: readonly Target[];
  readonly actions: ActionSettings;
  /** Cooldown of what is no target, milliseconds. */
  readonly cooldownMs: number;
  /** Most actions of the whole fleet in one window: a run takes a place for each that it calls. */
  readonly fleetActions: number;
}

type Path = readonly PropertyKey[];

/** The playbooks of the file; without a list, the built-in ones that have something to act on. */
export function playbooksInForce(input: {
  readonly given: readonly PlaybookConfig[] | undefined;
  readonly known: Known;
  /** The monitor runs in a pod, whose service account it can use. */
  readonly inCluster: boolean;
  readonly complain: Complain;
}): Pick<Config, "playbooks" | "inactivePlaybooks"> {
  const { given, known, inCluster } = input;
  if (given === undefined) return builtIn(known, inCluster);
  const complain: Complain = (path, message) => input.complain(["playbooks", ...path], message);
  return { playbooks: resolvePlaybooks(given, known, complain), inactivePlaybooks: [] };
}

function builtIn(known: Known, inCluster: boolean): Pick<Config, "playbooks" | "inactivePlaybooks"> {
  const playbooks: Config["playbooks"][number][] = [];
  const inactivePlaybooks: InactivePlaybook[] = [];
  for (const config of defaultPlaybooks(known.targets)) {
    const problems = config.steps.flatMap(({ action }) => {
      const plugin = actionKinds.get(action);
      const why = plugin?.unavailable?.(known.actions[sectionOf(plugin)], { inCluster });
      return why === undefined ? [] : [why];
    });
    const playbook = resolvePlaybook(config, known, (_, message) => problems.push(message));
    const [why] = problems;
    if (why === undefined) playbooks.push(playbook);
    else inactivePlaybooks.push({ name: config.name, why });
  }
  return { playbooks, inactivePlaybooks };
}

/** The playbooks of a file; what is wrong with one is told by the path of its key, from the list on. */
function resolvePlaybooks(
  playbooks: readonly PlaybookConfig[],
  known: Known,
  complain: Complain,
): Playbook[] {
  const names = new Map<string, number>();
  const forecasts = new Map<string, string>();
  return playbooks.map((config, i) => {
    const healed = healedBy(config.name, known);
    if (config.alert === undefined && config.forecast === undefined && healed.length === 0)
      complain([i], "must have an alert or a forecast that it answers, or be the mitigate of a target");
    if (healed.length > 1)
      complain([i, "name"], `is the mitigate of ${healed.join(" and ")}; a playbook heals one target`);
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
function resolvePlaybook(config: PlaybookConfig, known: Known, complain: Complain): Playbook {
  const { forecast, regionsOf } = config;
  const answersForecasts = forecast !== undefined || healedBy(config.name, known).length > 0;
  if (forecast !== undefined) checkSeries(forecast, known, ["forecast"], complain);
  if (config.verify !== undefined) checkSeries(config.verify, known, ["verify"], complain);
  if (regionsOf !== undefined) {
    const target = targetOf(regionsOf, known);
    if (target === undefined) complain(["regions_of"], notTarget(regionsOf, known));
    else if (target.parts === undefined)
      complain(["regions_of"], `needs parts of target ${regionsOf}: it says where its regions are read`);
  }
  const steps = config.steps.map((step, n): Step => {
    const ofStep: Complain = (path, message) => complain(["steps", n, ...path], message);
    if (regionsOf === undefined)
      for (const path of regionUses(step))
        ofStep(path, "needs a region: name the target whose regions are compared in regions_of");
    if (answersForecasts && needsAlert(step, known))
      ofStep(
        ["on"],
        `"${step.on}" needs {{alert}}, which a forecast does not have: name an action without it, or answer alerts only`,
      );
    return resolveStep(step, known, ofStep);
  });
  const callees = new Set(steps.map(({ on }) => on.name)).size;
  if (callees > known.fleetActions)
    complain(
      ["steps"],
      `call ${callees} different things, and guards.fleet_cap.actions allows ${known.fleetActions} at once: it could never run`,
    );
  return { ...config, steps };
}

/** Targets whose mitigation it is. */
function healedBy(playbook: string, { targets }: Known): string[] {
  return targets.flatMap(({ name, mitigation: m }) =>
    m !== undefined && "playbook" in m && m.playbook === playbook ? [name] : [],
  );
}

/** Whether its call says which alert asked for it. */
function needsAlert({ action, on }: StepConfig, known: Known): boolean {
  const plugin = actionKinds.get(action);
  const callees = plugin === undefined ? [] : calleesOf(plugin, known.actions);
  return callees.find(({ name }) => name === on)?.needsAlert === true;
}

function resolveStep(config: StepConfig, known: Known, complain: Complain): Step {
  const { action, parameters, when } = config;
  when.forEach((condition, n) => {
    if (condition.kind === "signal_above")
      checkSeries(condition, known, ["when", n, "signal_above"], complain);
  });
  const { on, rules } = calleeOf(config, known, complain);
  for (const { parameter, message } of rules === undefined
    ? []
    : checkParameters(rules.parameters, parameters))
    complain(["parameters", parameter], message);
  const undo = resolveUndo(config, rules, complain);
  const expiresMs = rules?.expiresMs?.(parameters);
  return {
    kind: action,
    on,
    parameters,
    preconditions: when,
    ...(undo === undefined ? {} : { undo }),
    ...(expiresMs === undefined ? {} : { expiresMs }),
  };
}

/** What a step is carried out on, and what its kind may say; no rules where that is not known. */
function calleeOf(
  config: StepConfig,
  known: Known,
  complain: Complain,
): { readonly on: ActionTarget; readonly rules: ActionRules | undefined } {
  const { action, on, workload } = config;
  const plugin = actionKinds.get(action);
  const other = (name: string, instance?: Instance): ActionTarget => ({
    name,
    instances: instance === undefined ? [] : [instance],
    cooldownMs: known.cooldownMs,
    autoHeal: true,
  });
  const wrong = (path: Path, message: string, rules: ActionRules | undefined = plugin) => {
    complain(path, message);
    return { on: other(on ?? workload ?? ""), rules };
  };
  if (plugin === undefined) return wrong(["action"], notKind(action));
  const [rightKey, wrongKey] =
    plugin.on === "workload" ? (["workload", "on"] as const) : (["on", "workload"] as const);
  if (config[wrongKey] !== undefined)
    return wrong([wrongKey], `must not stand beside action ${action}; it takes ${rightKey}`);
  if (plugin.on === "workload") {
    if (workload === undefined)
      return wrong([], `must have workload: NAMESPACE/deployment/NAME for ${action}`);
    return { on: other(workload, workloadInstance(workload)), rules: plugin };
  }
  const entry = `an entry of actions.${sectionOf(plugin)}`;
  if (on === undefined) return wrong([], `must have on: ${plugin.on === "call" ? entry : "a target"}`);
  if (plugin.on === "call") {
    const callees = calleesOf(plugin, known.actions);
    const callee = callees.find(({ name }) => name === on);
    const names = callees.map(({ name }) => name);
    if (callee === undefined) return wrong(["on"], `"${on}" is not ${entry}${suggest(on, names)}`, undefined);
    return { on: other(on, callInstance(on)), rules: { ...plugin, parameters: callee.parameters } };
  }
  const target = targetOf(on, known);
  if (target === undefined) return wrong(["on"], notTarget(on, known));
  const { name, instances, cooldownMs, autoHeal } = target;
  if (plugin.answer !== undefined && instances.some(({ adminUrl }) => adminUrl === undefined))
    complain(
      ["on"],
      `"${on}" must say mitigate: helius, since ${action} is a call of the Helius admin plane`,
    );
  return { on: { name, instances, cooldownMs, autoHeal }, rules: plugin };
}

function resolveUndo(config: StepConfig, rules: ActionRules | undefined, complain: Complain): Step["undo"] {
  if (config.undo === false) return undefined;
  if (config.undo === undefined) return rules?.undo?.(config.parameters);
  const { action, parameters } = config.undo;
  const undo = actionKinds.get(action);
  if (undo === undefined) complain(["undo", "action"], notKind(action));
  else if (rules !== undefined && undo.on !== rules.on)
    complain(
      ["undo", "action"],
      `${action} cannot be carried out on what ${config.action} is carried out on`,
    );
  else {
    const rulesOfUndo = undo.on === "call" ? rules?.parameters : undo.parameters;
    for (const { parameter, message } of rulesOfUndo === undefined
      ? []
      : checkParameters(rulesOfUndo, parameters))
      complain(["undo", "parameters", parameter], message);
  }
  return { kind: action, parameters };
}

/** Where a step needs a region that has been chosen. */
function regionUses(step: StepConfig): Path[] {
  const named = Object.entries(step.parameters)
    .filter(([, value]) => value === REGION_PLACEHOLDER)
    .map(([name]): Path => ["parameters", name]);
  const asked = step.when.flatMap(({ kind }, n): Path[] => (kind === "signal_above" ? [] : [["when", n]]));
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
