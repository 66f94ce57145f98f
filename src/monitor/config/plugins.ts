import type { z } from "zod";
import { NO_SETTINGS, ofKind } from "../../common/settings/fields.ts";
import { actionPlugins } from "../actions/index.ts";
import type { ActionPlugin } from "../actions/shared/context.ts";
import type { Callee, Plugin } from "../kernel/plugin.ts";
import { notifierPlugins } from "../notify/index.ts";
import type { Complain } from "./errors.ts";

/** Key of a plug-in's settings in the section of its room. */
export function sectionOf({ kind, section }: Plugin & { readonly section?: string }): string {
  return section ?? kind;
}

/** The settings of a room's plug-ins by their key; what needs none has no key. */
export function settingsOf<P extends Plugin>(
  plugins: readonly P[],
  schemaOf: (plugin: P) => z.ZodType = ({ settings }) => settings as unknown as z.ZodType,
): Record<string, z.ZodType> {
  const used = plugins.filter(({ settings }) => settings !== NO_SETTINGS);
  return Object.fromEntries(used.map((plugin) => [sectionOf(plugin), ofKind(schemaOf(plugin))]));
}

/** Settings of the kinds of action, by the key of their section. */
export type ActionSettings = Readonly<Record<string, unknown>>;

/** What a step of a kind on `call` may name. */
export function calleesOf(plugin: ActionPlugin, settings: ActionSettings): readonly Callee[] {
  return plugin.callees?.(settings[sectionOf(plugin)]) ?? [];
}

/** What the settings of a room's plug-ins come to, a line each. */
export function describe(
  room: "actions" | "notify",
  config: Readonly<Record<typeof room, Readonly<Record<string, unknown>>>>,
): string[] {
  const plugins: readonly Plugin[] = room === "actions" ? actionPlugins : notifierPlugins;
  return plugins.flatMap((plugin) => [...(plugin.describe?.(config[room][sectionOf(plugin)]) ?? [])]);
}

/** What is wrong with the section only beside something else. */
export function checkActions(
  settings: ActionSettings,
  beside: { readonly targets: readonly string[]; readonly adminTokenFile: string | undefined },
  complain: Complain,
): void {
  const taken = new Map(beside.targets.map((name, n) => [name, `target ${n + 1}`]));
  for (const plugin of actionPlugins) {
    const section = sectionOf(plugin);
    calleesOf(plugin, settings).forEach(({ name }, i) => {
      const other = taken.get(name);
      if (other !== undefined)
        complain(
          ["actions", section, i, "name"],
          `"${name}" is already the name of ${other}; each must be unique`,
        );
      taken.set(name, `actions.${section}[${i}]`);
    });
    plugin.check?.(settings[section], beside, (path, message) =>
      complain(["actions", section, ...path], message),
    );
  }
}
