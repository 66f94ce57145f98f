import { alertmanager } from "./alertmanager/index.ts";
import type { NotifierPlugin } from "./shared/context.ts";

/** Every way to reach people; all that are configured are used. A new one is a folder and a line here. */
export const notifierPlugins: readonly NotifierPlugin[] = [alertmanager];
