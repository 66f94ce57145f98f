import { ACTION_PLANTS } from "./action.ts";
import { BYPASS_PLANTS } from "./bypass.ts";
import { LOOP_PLANTS } from "./loop.ts";
import { SETTINGS_PLANTS } from "./settings.ts";
import { SOURCE_PLANTS } from "./source.ts";
import { STORE_PLANTS } from "./store.ts";
import type { Plant } from "./types.ts";

/** Every bug that can be planted. */
export const PLANTS: readonly Plant[] = [
  ...STORE_PLANTS,
  ...SOURCE_PLANTS,
  ...ACTION_PLANTS,
  ...SETTINGS_PLANTS,
  ...LOOP_PLANTS,
  ...BYPASS_PLANTS,
];

/** @throws RangeError naming those that there are */
export function plantNamed(name: string): Plant {
  const found = PLANTS.find((p) => p.name === name);
  if (found === undefined)
    throw new RangeError(`--plant must be one of ${PLANTS.map((p) => p.name).join(", ")}, not ${name}`);
  return found;
}
