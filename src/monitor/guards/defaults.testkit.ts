import type { z } from "zod";
import { NO_SETTINGS } from "../../common/settings/fields.ts";
import { internalKey, toInternal } from "../../common/settings/internal.ts";
import { GUARDS, type GuardSettings } from "./index.ts";

/** What holds where nothing is configured, of guards that are added later too. */
export const UNCONFIGURED = Object.fromEntries(
  GUARDS.filter(({ settings }) => settings !== NO_SETTINGS).map(({ kind, section = kind, settings }) => {
    const schema = settings as z.ZodType;
    return [internalKey(section), toInternal(schema, schema.parse(undefined))];
  }),
) as GuardSettings;
