import { describe, expect, it } from "vitest";
import type { StoredDocument } from "../kernel/store.ts";
import { at, told } from "./alerts.testkit.ts";
import { inboxDocuments, restoreInbox } from "./documents.ts";
import { EMPTY_INBOX, ingest } from "./inbox.ts";

const MAX_ALERTS = 1000;

/** What a store would hold after these changes. */
function stored(...changes: StoredDocument[][]): StoredDocument[] {
  const rows = new Map<string, StoredDocument>();
  for (const change of changes.flat())
    if (change.body === undefined) rows.delete(change.key);
    else rows.set(change.key, structuredClone(change));
  return [...rows.values()];
}

describe("what the store keeps of the inbox", () => {
  it("is the inbox, also after an alert gave its place to another", () => {
    const fill = Array.from({ length: MAX_ALERTS }, (_, i) =>
      told({ id: i + 1, start: 0, received: at(1), ...(i < 3 ? { end: 1 } : {}) }),
    );
    const first = ingest(EMPTY_INBOX, fill, at(1));
    const second = ingest(
      first.inbox,
      [
        told({ id: 5000, start: 2, received: at(3) }),
        told({ id: 2, start: 2, received: at(3) }),
        told({ id: 5001, start: 2, end: 3, received: at(3) }),
        told({ id: 5002, start: 2, received: at(3) }),
        told({ id: 5003, start: 2, received: at(3) }),
      ],
      at(3),
    );
    expect(second.changes.map(({ what }) => what)).toEqual([
      "fired",
      "fired",
      "resolved",
      "fired",
      "refused",
    ]);
    const restored = restoreInbox(stored(inboxDocuments(first), inboxDocuments(second)));
    expect(restored.damaged).toEqual([]);
    expect(new Map([...restored.inbox].sort())).toEqual(new Map([...second.inbox].sort()));
  });

  it("leaves out what cannot be read, by its key, and the documents of others", () => {
    const good = told({ id: 1, start: 0 });
    const bodies: unknown[] = [
      null,
      "x",
      { ...good, status: "suppressed" },
      { ...good, status: "resolved" },
      { ...good, endsAtMs: 5 },
      { ...good, startsAtMs: "5" },
      { ...good, labels: { a: 5 } },
      { ...good, receivedAt: { wallMs: 5 } },
      { ...good, bootId: undefined },
      { ...good, fingerprint: "other" },
    ];
    const documents = [
      ...bodies.map((body, i): StoredDocument => ({ kind: "alert", key: `bad-${i}`, body })),
      { kind: "alert", key: good.fingerprint, body: good } as const,
      { kind: "silence", key: "s", body: good } as const,
    ];
    const { inbox, damaged } = restoreInbox(documents);
    expect([...inbox.values()]).toEqual([good]);
    expect(damaged).toEqual(bodies.map((_, i) => `bad-${i}`));
  });
});
