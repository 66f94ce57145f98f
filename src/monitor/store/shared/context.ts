import type { CreatedPlugin } from "../../kernel/plugin.ts";
import type { Store } from "../../kernel/store.ts";
import type { Clock } from "../../kernel/time.ts";
import type { Retention } from "../records.ts";

/** What every store is made with. */
interface StoreContext {
  readonly clock: Clock;
  /** Folder of all durable state. */
  readonly dataDir: string;
  readonly retention: Retention;
}

export type StorePlugin<Settings = unknown> = CreatedPlugin<StoreContext, Store, Settings>;
