import { z } from "zod";
import type { AlertState } from "../kernel/containment.ts";
import { readState } from "../kernel/problem.ts";
import type { StoredDocument } from "../kernel/store.ts";
import type { Inbox, Ingested } from "./inbox.ts";

const number = z.number();
const common = {
  fingerprint: z.string(),
  name: z.string(),
  labels: z.record(z.string(), z.string()),
  startsAtMs: number,
  receivedAt: z.object({ wallMs: number, monoMs: number }),
  bootId: z.string(),
};
const KEPT = z.discriminatedUnion("status", [
  z.object({ ...common, status: z.literal("firing"), endsAtMs: z.undefined().optional() }),
  z.object({ ...common, status: z.literal("resolved"), endsAtMs: number }),
]) satisfies z.ZodType<AlertState>;

/** What the store must keep before a webhook may be answered. */
export function inboxDocuments(ingested: Ingested): StoredDocument[] {
  const kept = new Set(
    ingested.changes.filter(({ what }) => what !== "refused").map(({ alert }) => alert.fingerprint),
  );
  const changed = [...kept].flatMap((fingerprint): StoredDocument[] => {
    const body = ingested.inbox.get(fingerprint);
    return body === undefined ? [] : [{ kind: "alert", key: fingerprint, body }];
  });
  const gone = ingested.forgotten.map(
    ({ fingerprint }): StoredDocument => ({ kind: "alert", key: fingerprint, body: undefined }),
  );
  return [...gone, ...changed];
}

/**
 * The inbox as the last run kept it, from all documents of the store. What cannot be read is left out: Alertmanager
 * tells it again, and until then it is unknown.
 */
export function restoreInbox(documents: readonly StoredDocument[]): {
  readonly inbox: Inbox;
  /** Keys of what could not be read. */
  readonly damaged: readonly string[];
} {
  const inbox = new Map<string, AlertState>();
  const damaged: string[] = [];
  for (const { kind, key, body } of documents) {
    if (kind !== "alert") continue;
    const read = readState<AlertState>(KEPT, body, "alert");
    if ("state" in read && read.state.fingerprint === key) inbox.set(key, read.state);
    else damaged.push(key);
  }
  return { inbox, damaged };
}
