import type { AlertState } from "../kernel/containment.ts";
import type { StoredDocument } from "../kernel/store.ts";
import type { Heard, Inbox } from "./inbox.ts";

/** What the store must keep before a webhook may be answered. */
export function inboxDocuments(heard: Heard): StoredDocument[] {
  const kept = new Set(
    heard.changes.filter(({ what }) => what !== "refused").map(({ alert }) => alert.fingerprint),
  );
  const changed = [...kept].flatMap((fingerprint): StoredDocument[] => {
    const body = heard.inbox.get(fingerprint);
    return body === undefined ? [] : [{ kind: "alert", key: fingerprint, body }];
  });
  const gone = heard.forgotten.map(
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
    if (isAlert(body) && body.fingerprint === key) inbox.set(key, body);
    else damaged.push(key);
  }
  return { inbox, damaged };
}

function isAlert(body: unknown): body is AlertState {
  if (!isObject(body) || !isObject(body.labels) || !isObject(body.heardAt)) return false;
  const { status, endsAtMs } = body;
  const texts = [body.fingerprint, body.name, body.bootId, ...Object.values(body.labels)];
  const numbers = [body.startsAtMs, body.heardAt.wallMs, body.heardAt.monoMs];
  return (
    texts.every((text) => typeof text === "string") &&
    numbers.every((number) => Number.isFinite(number)) &&
    (status === "firing" ? endsAtMs === undefined : status === "resolved" && Number.isFinite(endsAtMs))
  );
}

function isObject(value: unknown): value is Record<string, unknown> {
  return typeof value === "object" && value !== null && !Array.isArray(value);
}
