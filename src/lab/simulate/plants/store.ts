import type { Intent } from "../../../monitor/kernel/action.ts";
import { type Store, StoreError } from "../../../monitor/kernel/store.ts";
import type { Plant } from "./types.ts";

/** Getters and methods of `store` with some of them replaced. */
export function changed(store: Store, by: Partial<Store>): Store {
  return {
    epoch: store.epoch,
    load: () => store.load(),
    recordIntent: (intent) => store.recordIntent(intent),
    recordCall: (call) => store.recordCall(call),
    recordOutcome: (outcome) => store.recordOutcome(outcome),
    saveSeries: (rows) => store.saveSeries(rows),
    saveDocuments: (documents) => store.saveDocuments(documents),
    entry: (id) => store.entry(id),
    recent: (limit) => store.recent(limit),
    close: () => store.close(),
    ...by,
  };
}

function swallowed(write: () => void): void {
  try {
    write();
  } catch (error) {
    if (!(error instanceof StoreError)) throw error;
  }
}

/** Bugs of a journal. */
export const STORE_PLANTS: readonly Plant[] = [
  {
    name: "intent_after_call",
    about: "the intent is written only when the outcome is known",
    breaks: [3],
    store(store) {
      const held: Intent[] = [];
      return changed(store, {
        recordIntent: (intent) => void held.push(intent),
        recordOutcome(outcome) {
          for (const intent of held.splice(0)) store.recordIntent(intent);
          store.recordOutcome(outcome);
        },
      });
    },
  },
  {
    name: "write_errors_swallowed",
    about: "a full disk does not keep it from acting",
    breaks: [3],
    store: (store) =>
      changed(store, {
        recordIntent: (intent) => swallowed(() => store.recordIntent(intent)),
        saveDocuments: (documents) => swallowed(() => store.saveDocuments(documents)),
      }),
  },
  {
    name: "outcome_not_written",
    about: "no terminal record is written",
    breaks: [3],
    store: (store) => changed(store, { recordOutcome: () => {} }),
  },
  {
    name: "outcome_not_written_on_failure",
    about: "only what was applied gets its terminal record",
    breaks: [3],
    store: (store) =>
      changed(store, {
        recordOutcome(outcome) {
          if (outcome.status === "applied") store.recordOutcome(outcome);
        },
      }),
  },
  {
    name: "cooldown_forgotten_at_start",
    about: "the last actions are not read at a start",
    breaks: [1, 2, 3],
    store: (store) => changed(store, { load: () => ({ ...store.load(), lastActions: [] }) }),
  },
  {
    name: "open_intents_forgotten_at_start",
    about: "intents without an outcome are not read at a start",
    breaks: [3],
    store: (store) => changed(store, { load: () => ({ ...store.load(), openIntents: [] }) }),
  },
  {
    name: "documents_forgotten_at_start",
    about: "escalations, pauses and the starts before are not read at a start",
    breaks: [5, 6],
    store: (store) => changed(store, { load: () => ({ ...store.load(), documents: [] }) }),
  },
  {
    name: "budget_forgotten_at_start",
    about: "the journal is not read for the budgets at a start",
    breaks: [1],
    store: (store) => changed(store, { recent: () => [] }),
  },
  {
    name: "damage_not_told",
    about: "a journal that was lost is taken for an empty one",
    breaks: [1, 2, 3],
    store: (store) => changed(store, { load: () => ({ ...store.load(), quarantined: undefined }) }),
  },
  {
    name: "undo_gated",
    about: "nothing is taken back while a guard holds anything",
    breaks: [5],
    store: (store, soil) =>
      changed(store, {
        recordIntent(intent) {
          const guards = soil.loop()?.controls.guards;
          const holds =
            guards?.pause !== undefined || guards?.storm.active === true || (guards?.actions.length ?? 0) > 0;
          if (intent.origin?.undoes !== undefined && holds) throw new StoreError("not while a guard holds");
          store.recordIntent(intent);
        },
      }),
  },
];
