import type { Facts, Question } from "../../../monitor/guards/guard.ts";
import { admission } from "../../../monitor/guards/index.ts";
import { askerOf } from "../../../monitor/kernel/action.ts";
import type { JournalEntry } from "../../../monitor/kernel/store.ts";
import type { Run } from "../../../monitor/playbooks/run.ts";
import { changed } from "./store.ts";
import type { Plant } from "./types.ts";

/** Guards that are asked something else than what is done, or with other facts. */
const asked = (
  name: string,
  about: string,
  breaks: readonly number[],
  change: (question: Question, facts: Facts) => { question?: Question; facts?: Facts } | "let through",
): Plant => ({
  name,
  about,
  breaks,
  admission(question, facts) {
    const by = change(question, facts);
    if (by === "let through") return { blocked: undefined, all: [] };
    return admission(by.question ?? question, by.facts ?? facts);
  },
});

/** Only where the one that asks is not called itself. */
const elsewhere = ({ asker, callees }: Question) => callees.every(({ name }) => name !== asker.name);

/** What is held against the asker is taken out of the facts. */
const unseen = (
  name: string,
  about: string,
  breaks: readonly number[],
  facts: (facts: Facts, asker: string) => Partial<Facts>,
): Plant =>
  asked(name, about, breaks, (question, known) =>
    elsewhere(question) ? { facts: { ...known, ...facts(known, question.asker.name) } } : {},
  );

const holdOfAsker = (kind: "silence" | "maintenance") => (facts: Facts, asker: string) => ({
  state: {
    ...facts.state,
    calendar: facts.state.calendar.filter((hold) => hold.kind !== kind || hold.target !== asker),
  },
});

/** Bugs by which a call slips past what should stop it, or is put down to another than the one that asked. */
export const BYPASS_PLANTS: readonly Plant[] = [
  asked(
    "asker_not_asked",
    "the guards look at what is called, not at the target that asked",
    [1, 2, 5, 6],
    (q) => {
      const [callee] = q.callees;
      return callee === undefined ? {} : { question: { ...q, asker: callee } };
    },
  ),
  asked(
    "callee_not_asked",
    "the guards look at the target that asked, not at what is called",
    [1, 2, 3, 5, 6],
    (q) => ({
      question: { ...q, callees: elsewhere(q) ? [] : [q.asker] },
    }),
  ),
  asked(
    "second_callee_not_asked",
    "of several callees the guards look at the first",
    [1, 2, 3, 5, 6],
    (q) => ({
      question: { ...q, callees: q.callees.slice(0, 1) },
    }),
  ),
  unseen(
    "asker_silence_unseen",
    "a silence of the target that asked is not seen",
    [5],
    holdOfAsker("silence"),
  ),
  unseen(
    "asker_window_unseen",
    "a maintenance window of the target that asked is not seen",
    [5],
    holdOfAsker("maintenance"),
  ),
  unseen("asker_cooldown_unseen", "the target that asked has no cooldown", [1], ({ memory }, asker) => ({
    memory: (name) => ({ ...memory(name), ...(name === asker ? { lastActionMonoMs: undefined } : {}) }),
  })),
  unseen(
    "asker_escalation_unseen",
    "an escalation of the target that asked is not seen",
    [6],
    ({ past }, asker) => ({
      past: (name) => (name === asker ? undefined : past(name)),
    }),
  ),
  unseen(
    "asker_budget_unseen",
    "an action counts against the budget of what was called only",
    [1],
    ({ state }, asker) => ({
      state: { ...state, actions: state.actions.map((a) => (a.asker === asker ? { ...a, asker: "" } : a)) },
    }),
  ),
  asked("later_step_not_asked", "only the first step of a run is asked of the guards", [2, 5, 6], (q) =>
    q.continues && q.cause !== "undo" ? "let through" : {},
  ),
  asked("person_not_asked", "what a person asks for passes every guard", [1, 2, 3, 5, 6], (q) =>
    q.cause === "person" ? "let through" : {},
  ),
  asked("alert_not_asked", "what an alert asks for passes every guard", [1, 2, 3, 5, 6], (q) =>
    q.cause === "alert" ? "let through" : {},
  ),
  asked("release_asked", "taking an effect back is asked of the guards as anything else", [5], (q) =>
    q.cause === "undo" ? { question: { ...q, cause: "alert", continues: false } } : {},
  ),
  {
    name: "asker_auto_heal_ignored",
    about: "a target in shadow mode is protected only where it is called itself",
    breaks: [5],
    settings(settings) {
      const called = new Set(settings.playbooks.flatMap((p) => p.steps.map(({ on }) => on.name)));
      const asks = new Set(settings.playbooks.map((p) => p.forecast?.target));
      const targets = settings.targets.map((t) =>
        asks.has(t.name) && !called.has(t.name) ? { ...t, autoHeal: true } : t,
      );
      return { ...settings, targets };
    },
  },
  {
    name: "asker_predictors_kept",
    about: "after a call elsewhere the predictors of the target that asked go on seeing the world of before",
    breaks: [2],
    action: (action) => ({
      ...action,
      execute(intent, ...call) {
        // Written down and marked by now: what is left to be done for the asker is forgotten.
        Reflect.deleteProperty(intent, "asker");
        return action.execute(intent, ...call);
      },
    }),
  },
  {
    name: "asker_forgotten_at_start",
    about: "at a start the last actions are those on what was called",
    breaks: [1, 2],
    store: (store) =>
      changed(store, {
        load() {
          const kept = store.load();
          const called = new Set(store.recent(2000).map(({ intent }) => intent.target));
          return { ...kept, lastActions: kept.lastActions.filter(({ target }) => called.has(target)) };
        },
      }),
  },
  {
    name: "attempt_on_callee",
    about: "that an action did not help is counted for what was called",
    breaks: [6],
    store: (store) =>
      changed(store, {
        saveDocuments(documents) {
          for (const { kind, body } of documents) {
            const run = body as Run;
            if (kind !== "run" || run.status !== "done") continue;
            Object.assign(run, { asker: run.steps[0]?.on.name });
          }
          store.saveDocuments(documents);
        },
      }),
  },
  {
    name: "expired_is_failed",
    about: "an intent that was never carried out counts as an attempt that failed",
    breaks: [6],
    store: (store) => changed(store, { entry: (id) => failed(store.entry(id)) }),
  },
  {
    name: "answer_is_recovery",
    about: "an action that was answered with 200 counts as having helped, before any sample",
    breaks: [6],
    reporter: (reporter) => ({
      ...reporter,
      cycle: (report) =>
        reporter.cycle({
          ...report,
          verified: [
            ...report.verified,
            ...report.actions.flatMap(({ intent, outcome }) =>
              outcome?.status === "applied" && intent.trigger !== "undo"
                ? [
                    {
                      ...{ intentId: intent.id, target: askerOf(intent), signal: intent.signal },
                      ...{ action: intent.kind, outcome: "recovered" as const, detail: "HTTP 200" },
                    },
                  ]
                : [],
            ),
          ],
        }),
    }),
  },
];

function failed(entry: JournalEntry | undefined): JournalEntry | undefined {
  if (entry?.outcome?.status !== "expired") return entry;
  return { ...entry, outcome: { ...entry.outcome, status: "failed" } };
}
