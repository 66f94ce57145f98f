import { prometheus } from "./prometheus/index.ts";
import { scrape } from "./scrape/index.ts";

/** Every metric source, in the order of preference when nothing else is said. A new one is a folder and a line here. */
export const sourcePlugins = [prometheus, scrape] as const;
