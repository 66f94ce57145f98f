import { EMPTY_INBOX, type Inbox, restoreInbox } from "../../alerts/index.ts";
import type { HeardAt } from "../../kernel/containment.ts";
import type { Decision } from "../../kernel/decision.ts";
import type { StoredDocument } from "../../kernel/store.ts";
import { readRun } from "../../playbooks/read.ts";
import type { RegionHistory } from "../../playbooks/regions/index.ts";
import { type Run, resumeRun } from "../../playbooks/run.ts";

/** What the loop remembers for its playbooks. */
export interface Containment {
  /** Every alert that was heard of. */
  inbox: Inbox;
  /** The newest run of each playbook, by its name. */
  readonly runs: Map<string, Run>;
  /** Playbooks whose run is not on disk as it is here. */
  readonly unsaved: Set<string>;
  /** The past of the parts of each target that has some. */
  readonly regions: Map<string, RegionHistory>;
}

export function createContainment(): Containment {
  return { inbox: EMPTY_INBOX, runs: new Map(), unsaved: new Set(), regions: new Map() };
}

/** Takes over what the store kept. Runs of an earlier boot are saved anew, on this boot's clock. */
export function resumeContainment(
  containment: Containment,
  documents: readonly StoredDocument[],
  { now, bootId }: HeardAt,
): void {
  containment.inbox = restoreInbox(documents).inbox;
  for (const { kind, body } of documents) {
    const run = kind === "run" ? readRun(body) : undefined;
    if (run === undefined) continue;
    const resumed = resumeRun(run, now, bootId);
    containment.runs.set(run.playbook, resumed);
    if (resumed !== run) containment.unsaved.add(run.playbook);
  }
}

/** A decision of a forecast that a playbook answers. */
export type Asked = ReadonlyMap<string, Decision>;
