import { countStart, freshGuards, lostGuards, resumeGuards, withActions } from "../../guards/index.ts";
import { readGuards } from "../../guards/read.ts";
import { sameParts } from "../../guards/same.ts";
import type { ActionMark, GuardState } from "../../guards/types.ts";
import { resumeMono } from "../../kernel/cooldown.ts";
import type { JournalEntry, StoredDocument } from "../../kernel/store.ts";
import type { Instant } from "../../kernel/time.ts";
import type { Run } from "../../playbooks/run.ts";
import type { LoopPorts, LoopSettings } from "../types.ts";

/** The guards' memory, and what of it is on disk. */
export interface Brakes {
  guards: GuardState;
  /** As last saved: what lasts, and its text, which is the same also where a part was made anew. */
  saved: { readonly body: GuardState | undefined; readonly text: string };
}

export function createBrakes(): Brakes {
  return { guards: freshGuards(""), saved: { body: undefined, text: "" } };
}

/** Entries of the journal that are read for the budgets at a start: more than any window allows. */
const JOURNAL_READ = 2000;

/** In place of what need not outlive a restart: actions are in the journal; what was seen is seen again. */
const PASSING = { actions: [], seen: {}, data: { targets: {} }, calendar: [] } as const;
const UNCOUNTED = { turnedCount: 0, unwellCount: 0, total: 0 };

/** What must outlive a restart. */
export function lasting(guards: GuardState): GuardState {
  return { ...guards, ...PASSING, storm: { ...guards.storm, ...UNCOUNTED } };
}

/** Whether two of those are the same, told by their parts: what has not changed stays the same object. */
export function lastsTheSame(a: GuardState, b: GuardState): boolean {
  return sameParts(a.storm, b.storm) && sameParts({ ...a, storm: b.storm }, b);
}

/** Takes over what earlier runs left, and counts this start. */
export function resumeBrakes(
  brakes: Brakes,
  from: {
    readonly documents: readonly StoredDocument[];
    readonly journal: readonly JournalEntry[];
    /** Runs that go on, whose places in the budgets are taken although nothing may be in the journal yet. */
    readonly runs: Iterable<Run>;
    readonly quarantined: boolean;
    readonly settings: LoopSettings;
    readonly now: Instant;
    readonly bootId: string;
  },
): void {
  const { now, bootId, settings } = from;
  const body = from.documents.find(({ kind, key }) => kind === "guard" && key === "state")?.body;
  const read = body === undefined ? { state: freshGuards(bootId) } : readGuards(body);
  const state =
    "problem" in read || from.quarantined
      ? lostGuards(bootId, now)
      : resumeGuards(read.state, { settings: settings.guards, now, bootId });
  brakes.guards = countStart(withActions(state, marksOf(from, now, bootId)), now);
}

export { JOURNAL_READ };

/** The journal's intents as the budgets count them: a run of a playbook once a target, an undo not at all. */
function marksOf(
  { journal, runs }: { readonly journal: readonly JournalEntry[]; readonly runs: Iterable<Run> },
  now: Instant,
  bootId: string,
): ActionMark[] {
  const marks = new Map<string, ActionMark>();
  for (const { intent } of [...journal].reverse()) {
    const { origin, target } = intent;
    if (origin?.undoes !== undefined) continue;
    const key = origin === undefined ? intent.id : `${origin.run} ${target}`;
    if (marks.has(key)) continue;
    const of = origin === undefined ? {} : { playbook: origin.playbook };
    marks.set(key, { target, monoMs: resumeMono(intent, now, bootId), shadow: false, ...of });
  }
  for (const { id, playbook, status, mode, steps } of runs) {
    if (status !== "running" || mode === "shadow") continue;
    for (const { on } of steps)
      if (!marks.has(`${id} ${on.name}`))
        marks.set(`${id} ${on.name}`, { target: on.name, monoMs: now.monoMs, shadow: false, playbook });
  }
  return [...marks.values()];
}

/** Writes down what changed of what must last. @throws StoreError */
export function saveBrakes(brakes: Brakes, ports: LoopPorts): void {
  const { saved } = brakes;
  const body = lasting(brakes.guards);
  if (saved.body !== undefined && lastsTheSame(saved.body, body)) return;
  const text = JSON.stringify(body);
  if (text !== saved.text) ports.store.saveDocuments([{ kind: "guard", key: "state", body }]);
  brakes.saved = { body, text };
}
