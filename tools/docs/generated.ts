import { actionsReference } from "./actions.ts";
import { configurationReference } from "./configuration.ts";

/** Documents with tables written from the program: each text with those written anew. */
export const generated: Readonly<Record<string, (text: string) => string>> = {
  "docs/configuration.md": configurationReference,
  "docs/actions.md": actionsReference,
};
