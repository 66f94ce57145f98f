import type { StoredDocument } from "../../kernel/store.ts";
import type { Instant } from "../../kernel/time.ts";
import { freshHealing, readHealing, resumeHealing } from "../../verify/index.ts";
import type { Before, HealingState } from "../../verify/types.ts";
import type { LoopPorts } from "../types.ts";

/** What is remembered of actions and what they came to, and what of it is on disk. */
export interface Healing {
  state: HealingState;
  /** What was known when an action was decided on, by its intent; gone after a restart. */
  readonly before: Map<string, Before>;
  /** As last saved: the state, and its text, which is the same also where the state was made anew. */
  saved: { readonly state: HealingState | undefined; readonly text: string };
}

export function createHealing(): Healing {
  return { state: freshHealing(""), before: new Map(), saved: { state: undefined, text: "" } };
}

/**
 * Takes over what earlier runs left. What cannot be read is forgotten: then no target counts as escalated, but each is in
 * its cooldown, and it takes as many new tries to escalate it again.
 * @returns what was wrong, for the log.
 */
export function resumeHealed(
  healing: Healing,
  from: { readonly documents: readonly StoredDocument[]; readonly now: Instant; readonly bootId: string },
): string | undefined {
  const { now, bootId } = from;
  const body = from.documents.find(({ kind, key }) => kind === "verification" && key === "state")?.body;
  const kept = body === undefined ? { state: freshHealing(bootId) } : readHealing(body);
  healing.state = "state" in kept ? resumeHealing(kept.state, now, bootId) : freshHealing(bootId);
  return "problem" in kept ? kept.problem : undefined;
}

/** Writes down what changed. @throws StoreError */
export function saveHealing(healing: Healing, ports: LoopPorts): void {
  const { state, saved } = healing;
  if (state === saved.state) return;
  const text = JSON.stringify(state);
  if (text !== saved.text) ports.store.saveDocuments([{ kind: "verification", key: "state", body: state }]);
  healing.saved = { state, text };
}
