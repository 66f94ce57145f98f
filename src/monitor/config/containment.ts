import { actionKinds } from "../actions/index.ts";
import type { Target } from "../kernel/target.ts";
import { defaultPlaybooks } from "./default-playbooks.ts";
import type { Complain } from "./errors.ts";
import { sectionOf } from "./plugins.ts";
import { type Known, resolvePlaybook, resolvePlaybooks } from "./resolve-playbooks.ts";
import type { FileConfig } from "./schema.ts";
import type { Config, InactivePlaybook } from "./types.ts";

/** The playbooks of the file; without a list, the built-in ones that have something to act on. */
export function playbooksInForce(input: {
  readonly given: FileConfig["playbooks"];
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

/**
 * The same configuration on other targets of the same names, e.g. at other addresses. Playbooks that name a target
 * which is gone are left out, as are those whose gone target's series they look at.
 */
export function withTargets(config: Config, targets: readonly Target[]): Config {
  const before = new Set(config.targets.map(({ name }) => name));
  const byName = new Map(targets.map((target) => [target.name, target]));
  const inactivePlaybooks: InactivePlaybook[] = [...config.inactivePlaybooks];
  const playbooks = config.playbooks.flatMap((playbook) => {
    const named = [
      ...playbook.steps.map(({ on }) => on.name),
      ...playbook.steps.flatMap(({ preconditions }) =>
        preconditions.flatMap((p) => (p.kind === "signal_above" ? [p.target] : [])),
      ),
      ...[playbook.forecast?.target, playbook.verify?.target, playbook.regionsOf].filter(
        (name) => name !== undefined,
      ),
    ];
    const gone = named.find((name) => before.has(name) && !byName.has(name));
    if (gone !== undefined) {
      inactivePlaybooks.push({ name: playbook.name, why: `target ${gone} is not there` });
      return [];
    }
    const steps = playbook.steps.map((step) => {
      const target = byName.get(step.on.name);
      if (target === undefined) return step;
      const { name, instances, cooldownMs, autoHeal } = target;
      return { ...step, on: { name, instances, cooldownMs, autoHeal } };
    });
    return [{ ...playbook, steps }];
  });
  return { ...config, targets, playbooks, inactivePlaybooks };
}
