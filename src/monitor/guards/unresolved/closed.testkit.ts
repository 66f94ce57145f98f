import { StoreError } from "../../kernel/store.ts";
import { actOn, type Closing, calleeOf } from "../closing.testkit.ts";

/** The disk does not take the outcome of an action, however often it is tried: nobody can tell of it later. */
const close: Closing = async ({ store, fleet, ...world }, who) => {
  const recordOutcome = store.recordOutcome.bind(store);
  let open: string | undefined;
  Object.assign(store, {
    recordOutcome(outcome: Parameters<typeof recordOutcome>[0]) {
      if (store.entry(outcome.intentId)?.intent.target === who) open ??= outcome.intentId;
      if (outcome.intentId === open) throw new StoreError("scripted: the disk is full");
      recordOutcome(outcome);
    },
  } satisfies Partial<typeof store>);
  await actOn({ ...world, store, fleet }, [calleeOf(world.loop.settings, who)], "refused");
  const before = fleet.answer;
  fleet.answer = (call) => (call.intent.id === open ? "refused" : before(call));
};

export const closings = { intent_unresolved: close };
