import type { Config, InactivePlaybook } from "../monitor/config/types.ts";
import type { Target } from "../monitor/kernel/target.ts";

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
