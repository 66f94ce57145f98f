import { actionKinds, actionPlugins } from "../actions/index.ts";
import { callInstance } from "../actions/shared/callees.ts";
import type { Mitigation } from "../kernel/target.ts";
import type { PlaybookConfig } from "./playbooks.ts";
import { type ActionSettings, calleesOf } from "./plugins.ts";
import { suggest } from "./suggest.ts";

/** The admin plane of a Helius service heals it. */
export const HELIUS = "helius";
/** Nothing heals it: it is watched, not touched. */
export const NONE = "none";
/** What `mitigate` may name beside `helius` and `none`. */
export interface Healers {
  readonly actions: ActionSettings;
  readonly playbooks: readonly PlaybookConfig[];
}

/** What a target's `mitigate` comes to; undefined: nothing, or `complain` was told what is wrong. */
export function resolveMitigation(
  stated: string,
  { actions, playbooks }: Healers,
  complain: (message: string) => void,
): Mitigation | undefined {
  if (stated === NONE) return undefined;
  if (stated === HELIUS) return { action: "mitigate" };
  const callees = actionPlugins.flatMap((plugin) =>
    calleesOf(plugin, actions).map((callee) => ({ ...callee, action: plugin.kind })),
  );
  const callee = callees.find(({ name }) => name === stated);
  const playbook = playbooks.find(({ name }) => name === stated);
  if (callee !== undefined && playbook !== undefined)
    complain(`"${stated}" is an action and a playbook: give one of them another name`);
  else if (playbook !== undefined) return { playbook: stated };
  else if (callee === undefined) {
    const names = [HELIUS, NONE, ...callees.map(({ name }) => name), ...playbooks.map(({ name }) => name)];
    complain(
      `must be ${HELIUS}, ${NONE}, or the name of an entry of actions.http or of a playbook, not "${stated}"${suggest(stated, names)}`,
    );
  } else {
    const needed = Object.entries(callee.parameters).flatMap(([name, { required }]) =>
      required ? name : [],
    );
    if (needed.length > 0)
      complain(`"${stated}" needs ${needed.join(" and ")}: name a playbook whose step gives them`);
    else if (callee.needsAlert === true)
      complain(`"${stated}" needs {{alert}}, which a forecast does not have: name an action without it`);
    else return { action: callee.action, on: callInstance(stated) };
  }
  return undefined;
}

/** Whether a target is stated to speak the Helius contract: by `helius`, or by the playbook that it names. */
export function speaksHelius(target: string, stated: string, { playbooks }: Healers): boolean {
  const playbook = playbooks.find(({ name }) => name === stated);
  const calls = playbook?.steps.some(
    (s) => s.on === target && actionKinds.get(s.action)?.answer !== undefined,
  );
  return stated === HELIUS || calls === true;
}
