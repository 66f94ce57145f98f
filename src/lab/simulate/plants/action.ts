import type { Action, InstanceOutcome } from "../../../monitor/kernel/action.ts";
import { ELSEWHERE } from "../world/service.ts";
import type { Plant } from "./types.ts";

type Came = (came: InstanceOutcome) => InstanceOutcome;

/** An action whose word on a call is changed. */
function retold(action: Action, came: Came): Action {
  return {
    kind: action.kind,
    execute: async (...call) => came(await action.execute(...call)),
    reconcile: async (...call) => came(await action.reconcile(...call)),
  };
}

/** Bugs of an action. */
export const ACTION_PLANTS: readonly Plant[] = [
  {
    name: "retry_with_new_key",
    about: "a lost answer is followed by the same call under another key",
    breaks: [1, 3],
    action: (action) => ({
      ...action,
      async execute(intent, instance, signal) {
        const came = await action.execute(intent, instance, signal);
        if (came.status !== "unknown") return came;
        return action.execute({ ...intent, id: `${intent.id}-again` }, instance, signal);
      },
    }),
  },
  {
    name: "unknown_is_failed",
    about: "a lost answer counts as nothing done",
    breaks: [3],
    action: (action) =>
      retold(action, (came) => (came.status === "unknown" ? { ...came, status: "failed" } : came)),
  },
  {
    name: "unknown_is_applied",
    about: "a lost answer counts as done",
    breaks: [3],
    action: (action) =>
      retold(action, (came) => (came.status === "unknown" ? { ...came, status: "applied" } : came)),
  },
  {
    name: "reconcile_repeats",
    about: "instead of asking by the key it calls again, under another",
    breaks: [1, 3],
    action: (action) => ({
      ...action,
      reconcile: (intent, instance, signal) =>
        action.execute({ ...intent, id: `${intent.id}-repeat` }, instance, signal),
    }),
  },
  {
    name: "first_instance_only",
    about: "of a target with several instances one is called, and all are told to be done",
    breaks: [3],
    action: (action) => ({
      ...action,
      async execute(intent, instance, signal) {
        if (!instance.name.includes("-1:")) return action.execute(intent, instance, signal);
        const { name } = instance;
        return {
          instance: name,
          status: "applied",
          httpStatus: 200,
          detail: "",
          durationMs: 0,
          answer: undefined,
        };
      },
    }),
  },
  {
    name: "fence_forged",
    about: "every call claims the highest epoch there can be",
    breaks: [1],
    action: (action) => ({
      ...action,
      execute: (intent, instance, signal) =>
        action.execute({ ...intent, epoch: 900_000_000_000 }, instance, signal),
    }),
  },
  {
    name: "redirect_followed",
    about: "a redirect is followed, token and all",
    breaks: [3],
    action: (action) => ({
      ...action,
      async execute(intent, instance, signal) {
        const came = await action.execute(intent, instance, signal);
        if (came.httpStatus !== 307) return came;
        const url = `http://${ELSEWHERE}`;
        return action.execute(intent, { ...instance, url, adminUrl: url }, signal);
      },
    }),
  },
];
