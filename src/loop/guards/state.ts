import type { JournalEntry, StoredDocument } from "../../domain/store.ts";
import type { Instant } from "../../domain/time.ts";
import { resumeMono } from "../../policy/cooldown.ts";
import { countStart, freshGuards, lostGuards, resumeGuards, withActions } from "../../policy/guards/index.ts";
import { readGuards } from "../../policy/guards/read.ts";
import type { ActionMark, GuardState } from "../../policy/guards/types.ts";
import type { LoopPorts, LoopSettings } from "../types.ts";

/** The guards' memory, and what of it is on disk. */
export interface Brakes {
  guards: GuardState;
  /** The document as last saved. */
  saved: string;
}

export function createBrakes(): Brakes {
  return { guards: freshGuards(""), saved: "" };
}

/** Entries of the journal that are read for the budgets at a start: more than any window allows. */
const JOURNAL_READ = 2000;

/** What must outlive a restart. Actions are in the journal; what was seen is seen again. */
function lasting(guards: GuardState): GuardState {
  const counts = { turnedCount: 0, unwellCount: 0, total: 0 };
  return {
    ...guards,
    actions: [],
    seen: {},
    data: { targets: {} },
    calendar: [],
    storm: { ...guards.storm, ...counts },
  };
}

/** Takes over what earlier runs left, and counts this start. */
export function resumeBrakes(
  brakes: Brakes,
  from: {
    readonly documents: readonly StoredDocument[];
    readonly journal: readonly JournalEntry[];
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
  brakes.guards = countStart(withActions(state, marksOf(from.journal, now, bootId)), now);
}

export { JOURNAL_READ };

/** The journal's intents as the budgets count them: a run of a playbook once a target, an undo not at all. */
function marksOf(journal: readonly JournalEntry[], now: Instant, bootId: string): ActionMark[] {
  const marks = new Map<string, ActionMark>();
  for (const { intent } of [...journal].reverse()) {
    const { origin, target } = intent;
    if (origin?.undoes !== undefined) continue;
    const key = origin === undefined ? intent.id : `${origin.run} ${target}`;
    if (!marks.has(key)) marks.set(key, { target, monoMs: resumeMono(intent, now, bootId), shadow: false });
  }
  return [...marks.values()];
}

/** Writes down what changed of what must last. @throws StoreError */
export function saveBrakes(brakes: Brakes, ports: LoopPorts): void {
  const text = JSON.stringify(lasting(brakes.guards));
  if (text === brakes.saved) return;
  ports.store.saveDocuments([{ kind: "guard", key: "state", body: JSON.parse(text) }]);
  brakes.saved = text;
}
