import { memory } from "./memory/index.ts";
import type { StorePlugin } from "./shared/context.ts";
import { sqlite } from "./sqlite/index.ts";

/** Every store, the default first. A new one is a folder and a line here. */
export const storePlugins: readonly StorePlugin[] = [sqlite, memory];
