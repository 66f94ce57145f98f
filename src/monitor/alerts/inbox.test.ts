import fc from "fast-check";
import { describe, expect, it } from "vitest";
import type { AlertMatcher, AlertState, BootInstant } from "../kernel/containment.ts";
import { at, BOOT, told, WALL_MS } from "./alerts.testkit.ts";
import { type AlertChange, EMPTY_INBOX, freshness, type Inbox, ingest, matches } from "./inbox.ts";

const FORGET_MS = 86_400_000;
const LATE_MS = 600_000;
const MAX_ALERTS = 1000;

type Telling = { start: number; end?: number; id?: number; labels?: Record<string, string> };

/** Tells one alert after the other, ten seconds apart; what the last one did, and what is kept. */
function tell(tellings: readonly (Telling & { at?: BootInstant })[], from: Inbox = EMPTY_INBOX) {
  let inbox = from;
  let last: AlertChange | undefined;
  for (const [i, telling] of tellings.entries()) {
    const now = telling.at ?? at(1000 + 10 * i);
    const received = ingest(inbox, [told({ ...telling, received: now })], now);
    inbox = received.inbox;
    last = received.changes[0];
  }
  const [kept] = inbox.values();
  return { inbox, what: last?.what, detail: last?.detail, kept };
}

describe("a fingerprint that two sets of labels share", () => {
  it("keeps the same one whatever comes first, and in whatever order each names its labels", () => {
    const low = { job: "a", zone: "z" };
    const high = { zone: "z", job: "b" };
    const kept = (...labels: Record<string, string>[]) =>
      tell(labels.map((one) => ({ start: 0, labels: one }))).kept?.labels;
    for (const one of [low, { zone: "z", job: "a" }])
      for (const other of [high, { job: "b", zone: "z" }])
        expect([kept(one, other)?.job, kept(other, one)?.job]).toEqual(["b", "b"]);
  });
});

describe("hear", () => {
  it.each<[string, Telling[], string, Partial<AlertState>]>([
    ["a first firing", [{ start: 0 }], "fired", { status: "firing" }],
    ["the same again", [{ start: 0 }, { start: 0 }], "repeated", { status: "firing" }],
    ["its end", [{ start: 0 }, { start: 0, end: 50 }], "resolved", { status: "resolved" }],
    [
      "the end again",
      [
        { start: 0, end: 50 },
        { start: 0, end: 50 },
      ],
      "repeated",
      { status: "resolved" },
    ],
    ["an end without a firing before it", [{ start: 0, end: 50 }], "resolved", { status: "resolved" }],
    [
      "a firing of an episode that is over",
      [{ start: 0 }, { start: 0, end: 50 }, { start: 0 }],
      "late",
      { status: "resolved", endsAtMs: WALL_MS + 50_000 },
    ],
    [
      "the next episode",
      [{ start: 0, end: 50 }, { start: 60 }],
      "fired",
      { status: "firing", startsAtMs: WALL_MS + 60_000 },
    ],
    [
      "an older firing after the next episode",
      [{ start: 60 }, { start: 0 }],
      "late",
      { status: "firing", startsAtMs: WALL_MS + 60_000 },
    ],
    [
      "the end of the episode before the one that fires",
      [{ start: 60 }, { start: 0, end: 50 }],
      "late",
      { status: "firing", startsAtMs: WALL_MS + 60_000 },
    ],
    [
      "the end of an episode that began earlier and covers the one known",
      [{ start: 60 }, { start: 0, end: 90 }],
      "resolved",
      { status: "resolved", startsAtMs: WALL_MS + 60_000 },
    ],
    [
      "a later end",
      [
        { start: 0, end: 50 },
        { start: 0, end: 70 },
      ],
      "repeated",
      { status: "resolved", endsAtMs: WALL_MS + 70_000 },
    ],
  ])("%s", (_name, tellings, what, kept) => {
    const received = tell(tellings);
    expect(received.what).toBe(what);
    expect(received.kept).toMatchObject(kept);
    expect(received.kept?.status === "firing").toBe(received.kept?.endsAtMs === undefined);
    expect(received.detail).toBeTruthy();
  });

  it("refreshes when it was last received, by what agrees with what is known, and by nothing else", () => {
    const again = tell([{ start: 0 }, { start: 0, at: at(2000) }]);
    expect(again.kept?.receivedAt).toEqual(at(2000).now);
    const older = tell([{ start: 60 }, { start: 0, at: at(1500) }]);
    expect([older.what, older.kept?.receivedAt]).toEqual(["late", at(1000).now]);
    const over = tell([
      { start: 0, end: 50 },
      { start: 0, at: at(1500) },
    ]);
    expect([over.what, over.kept?.receivedAt]).toEqual(["late", at(1000).now]);
  });

  it("believes a firing of an episode that is over once it cannot be a late one any more", () => {
    const lateS = LATE_MS / 1000;
    const over = [{ start: 0, end: 50, at: at(1000) }];
    expect(tell([...over, { start: 0, at: at(1000 + lateS - 1) }]).what).toBe("late");
    const reopened = tell([...over, { start: 0, at: at(1000 + lateS) }]);
    expect(reopened).toMatchObject({ what: "reopened", kept: { status: "firing", startsAtMs: WALL_MS } });
    expect(reopened.kept).not.toHaveProperty("endsAtMs");
    expect(tell([{ start: 0, end: 1900, at: at(2000) }], reopened.inbox).what).toBe("resolved");
  });

  it("believes an older start that goes on being told: two Prometheus of a pair began at different times", () => {
    const pair = [{ start: 60, at: at(1000) }];
    const later = tell([...pair, { start: 0, at: at(1000 + LATE_MS / 1000) }]);
    expect(later).toMatchObject({ what: "repeated", kept: { startsAtMs: WALL_MS + 60_000 } });
    expect(tell([{ start: 0, end: 1800, at: at(1800) }], later.inbox).what).toBe("resolved");
  });

  it("asks the wall clock only after a reboot", () => {
    const over = { start: 0, end: 50, at: at(1000) };
    const jumped: BootInstant = {
      now: { monoMs: 1_001_000, wallMs: at(1000).now.wallMs + 86_400_000 },
      bootId: BOOT,
    };
    expect(tell([over, { start: 0, at: jumped }]).what).toBe("late");
    const rebooted = (second: number): BootInstant => ({
      now: { ...at(second).now, monoMs: 5 },
      bootId: "b",
    });
    expect(tell([over, { start: 0, at: rebooted(1010) }]).what).toBe("late");
    expect(tell([over, { start: 0, at: rebooted(1000 + LATE_MS / 1000) }]).what).toBe("reopened");
  });

  it("does not change the inbox it was given", () => {
    const before = tell([{ start: 0 }]).inbox;
    const copy = structuredClone([...before]);
    tell([{ start: 0, end: 50 }], before);
    expect([...before]).toEqual(copy);
  });
});

/** Tellings of two alerts: episodes that overlap, touch, repeat and lie within each other. */
const telling = fc
  .record({
    id: fc.integer({ min: 1, max: 2 }),
    start: fc.integer({ min: 0, max: 12 }),
    length: fc.option(fc.integer({ min: 0, max: 6 }), { nil: undefined }),
    labels: fc.constantFrom<Record<string, string>>({}, { job: "a" }, { job: "b" }),
  })
  .map(
    ({ id, start, length, labels }): Telling => ({
      id,
      start,
      labels,
      ...(length === undefined ? {} : { end: start + length }),
    }),
  );

const meaning = (inbox: Inbox) =>
  [...inbox.values()]
    .map(({ receivedAt: _, ...rest }) => rest)
    .sort((a, b) => (a.fingerprint < b.fingerprint ? -1 : 1));

describe("any order and any repetition of webhooks", () => {
  /** A history, and the same webhooks shuffled with some of them told twice. */
  const shuffled = fc
    .array(telling, { minLength: 1, maxLength: 12 })
    .chain((history) =>
      fc.record({
        history: fc.constant(history),
        twice: fc.shuffledSubarray(history),
        seed: fc.array(fc.nat(), { minLength: 24, maxLength: 24 }),
      }),
    )
    .map(({ history, twice, seed }) => {
      const order = [...history, ...twice].map((t, i) => ({ t, key: seed[i] ?? 0 }));
      return { history, other: order.sort((a, b) => a.key - b.key).map(({ t }) => t) };
    });

  it("comes to the same state as the ordered one", () => {
    fc.assert(
      fc.property(shuffled, ({ history, other }) => {
        expect(meaning(tell(other).inbox)).toEqual(meaning(tell(history).inbox));
      }),
      { numRuns: 2000 },
    );
  });

  it("is the state that the definition gives: over when the latest end is not before the latest start", () => {
    fc.assert(
      fc.property(fc.array(telling, { minLength: 1, maxLength: 12 }), (history) => {
        for (const kept of tell(history).inbox.values()) {
          const own = history.filter((t) => t.id === Number.parseInt(kept.fingerprint, 16));
          const start = Math.max(...own.map((t) => t.start));
          const end = Math.max(...own.map((t) => t.end ?? -1));
          expect(kept.startsAtMs).toBe(WALL_MS + 1000 * start);
          expect(kept.status).toBe(end >= start ? "resolved" : "firing");
          expect(kept.endsAtMs).toBe(end >= start ? WALL_MS + 1000 * end : undefined);
        }
      }),
      { numRuns: 2000 },
    );
  });

  it("tells of each episode's start and end at most once", () => {
    fc.assert(
      fc.property(fc.array(telling, { maxLength: 20 }), (history) => {
        const said = new Set<string>();
        let inbox: Inbox = EMPTY_INBOX;
        for (const [i, t] of history.entries()) {
          const now = at(1000 + i);
          const received = ingest(inbox, [told({ ...t, received: now })], now);
          inbox = received.inbox;
          for (const { what, alert } of received.changes) {
            expect(what).not.toBe("reopened");
            if (what !== "fired" && what !== "resolved") continue;
            const key = `${alert.fingerprint} ${alert.startsAtMs} ${what}`;
            expect(said.has(key)).toBe(false);
            said.add(key);
          }
        }
      }),
    );
  });
});

describe("a full inbox", () => {
  const many = (count: number, spec: Omit<Telling, "id"> & { received: BootInstant }, firstId = 1) =>
    Array.from({ length: count }, (_, i) => told({ ...spec, id: firstId + i }));
  const full = (spec: Omit<Telling, "id">) =>
    ingest(EMPTY_INBOX, many(MAX_ALERTS, { ...spec, received: at(0) }), at(0)).inbox;

  it("refuses a new alert while all fire, by name, and goes on hearing those it knows", () => {
    const inbox = full({ start: 0 });
    const now = at(10);
    const received = ingest(
      inbox,
      [
        told({ start: 5, id: 5000, received: now }),
        told({ start: 0, end: 9, id: 7, received: now }),
        told({ start: 6, id: 5001, received: now }),
      ],
      now,
    );
    expect(received.changes.map(({ what, alert }) => [what, Number.parseInt(alert.fingerprint, 16)])).toEqual(
      [
        ["refused", 5000],
        ["resolved", 7],
        ["fired", 5001],
      ],
    );
    expect(received.forgotten.map((a) => Number.parseInt(a.fingerprint, 16))).toEqual([7]);
    expect(received.inbox.size).toBe(MAX_ALERTS);
  });

  it("gives up what is over first, longest unheard of first, and says so", () => {
    let inbox = ingest(EMPTY_INBOX, many(MAX_ALERTS - 2, { start: 0, received: at(0) }), at(0)).inbox;
    inbox = ingest(inbox, [told({ start: 0, end: 5, id: 2001, received: at(20) })], at(20)).inbox;
    inbox = ingest(inbox, [told({ start: 0, end: 5, id: 2000, received: at(10) })], at(20)).inbox;
    const received = ingest(inbox, [told({ start: 30, id: 3000, received: at(30) })], at(30));
    expect(received.forgotten.map((a) => Number.parseInt(a.fingerprint, 16))).toEqual([2000]);
    expect(received.changes[0]?.what).toBe("fired");
  });

  it("gives up a firing alert only when it was not heard of for a day", () => {
    const inbox = full({ start: 0 });
    const refresh = at(FORGET_MS / 1000);
    const kept = ingest(inbox, many(MAX_ALERTS - 1, { start: 0, received: refresh }), refresh).inbox;
    const received = ingest(kept, [told({ start: 30, id: 3000, received: refresh })], refresh);
    expect(received.forgotten.map((a) => Number.parseInt(a.fingerprint, 16))).toEqual([MAX_ALERTS]);
  });

  it("gives up what is over before what fires, even if that was not heard of for longer", () => {
    const refresh = at(FORGET_MS / 1000);
    const ends = told({ start: 0, end: 5, id: 500, received: refresh });
    const kept = ingest(full({ start: 0 }), [ends], refresh).inbox;
    const received = ingest(kept, [told({ start: 30, id: 3000, received: refresh })], refresh);
    expect(received.forgotten.map((a) => Number.parseInt(a.fingerprint, 16))).toEqual([500]);
  });

  it("never holds more than its cap, and loses nothing silently", () => {
    const flood = fc.array(
      fc.array(fc.record({ id: fc.integer({ min: 1, max: 3000 }), start: fc.nat(9), over: fc.boolean() }), {
        minLength: 100,
        maxLength: 700,
      }),
      { minLength: 1, maxLength: 4 },
    );
    fc.assert(
      fc.property(flood, fc.boolean(), (webhooks, startFull) => {
        let inbox: Inbox = startFull ? full({ start: 0 }) : EMPTY_INBOX;
        for (const [i, webhook] of webhooks.entries()) {
          const now = at(100 + i);
          const alerts = webhook.map(({ id, start, over }) =>
            told({ id, start, received: now, ...(over ? { end: start + 1 } : {}) }),
          );
          const received = ingest(inbox, alerts, now);
          expect(received.inbox.size).toBeLessThanOrEqual(MAX_ALERTS);
          expect(received.changes).toHaveLength(alerts.length);
          const gone = new Set(received.forgotten.map((a) => a.fingerprint));
          for (const alert of received.forgotten) expect(alert.status).toBe("resolved");
          for (const key of inbox.keys()) expect(received.inbox.has(key) !== gone.has(key)).toBe(true);
          const refused = new Set(
            received.changes.filter((c) => c.what === "refused").map((c) => c.alert.fingerprint),
          );
          for (const { fingerprint } of alerts)
            expect(received.inbox.has(fingerprint) || gone.has(fingerprint) || refused.has(fingerprint)).toBe(
              true,
            );
          inbox = received.inbox;
        }
      }),
      { numRuns: 30 },
    );
  }, 60_000);
});

describe("freshness", () => {
  const staleMs = 600_000;
  const firing = told({ start: 0, received: at(1000) });

  it.each([
    ["just heard of", at(1000), "firing"],
    ["heard of within the limit", at(1600), "firing"],
    ["not heard of for longer", at(1600.001), "unknown"],
    ["the wall clock a day ahead", { ...at(1600), now: { monoMs: 1_600_000, wallMs: 9e15 } }, "firing"],
    ["the wall clock a day behind", { ...at(1601), now: { monoMs: 1_601_000, wallMs: 0 } }, "unknown"],
    ["after a reboot", at(1000, "another"), "unknown"],
  ] as const)("%s", (_name, now, status) => {
    const stands = freshness(firing, { ...now, staleMs });
    expect(stands.status).toBe(status);
    if (stands.status === "unknown") {
      expect(stands.reason).toBe("alert_stale");
      expect(stands.detail).toMatch(/heard of/);
    }
  });

  it("leaves what is over as it is, however long ago", () => {
    const over = told({ start: 0, end: 5, received: at(0) });
    expect(freshness(over, { ...at(1e6), staleMs }).status).toBe("resolved");
    expect(freshness(over, { ...at(0, "another"), staleMs })).toEqual({
      status: "resolved",
      ageMs: undefined,
    });
  });
});

describe("matches", () => {
  const alert = told({ start: 0, labels: { job: "recommender-service", severity: "critical" } });
  it.each<[AlertMatcher, boolean]>([
    [{ name: "PipelineBacklogHigh", labels: {} }, true],
    [{ name: "PipelineBacklogHigh", labels: { job: "recommender-service" } }, true],
    [{ name: "PipelineBacklogHigh", labels: { job: "recommender-service", severity: "warning" } }, false],
    [{ name: "PipelineBacklogHigh", labels: { job: "recommender" } }, false],
    [{ name: "PipelineBacklogHigh", labels: { region: "us-east-1" } }, false],
    [{ name: "PipelineBacklogHigh", labels: { region: "" } }, true],
    [{ name: "PipelineBacklogHigh", labels: { toString: "" } }, true],
    [{ name: "PipelineBacklog", labels: {} }, false],
  ])("%j: %s", (matcher, yes) => {
    expect(matches(matcher, alert)).toBe(yes);
  });
});

describe("an inbox that is full", () => {
  const isAnswered = ({ labels }: AlertState) => labels.answered === "yes";
  const crowd = Array.from({ length: MAX_ALERTS }, (_, n) => told({ start: 0, id: n + 1 }));

  it("of alerts that nothing answers gives place to one that a playbook answers, and to no other", () => {
    const full = ingest(EMPTY_INBOX, crowd, at(0), isAnswered).inbox;
    const wanted = told({ start: 0, id: 5000, labels: { answered: "yes" } });
    const other = told({ start: 0, id: 6000 });
    const received = ingest(full, [other, wanted], at(1), isAnswered);
    expect(received.changes.map(({ what }) => what)).toEqual(["refused", "fired"]);
    expect(received.inbox.size).toBe(MAX_ALERTS);
    expect(received.inbox.get(wanted.fingerprint)).toBeDefined();
    expect(received.forgotten).toHaveLength(1);
  });

  it("of alerts that playbooks answer refuses the next one, by name", () => {
    const answered = crowd.map((alert) => ({ ...alert, labels: { ...alert.labels, answered: "yes" } }));
    const full = ingest(EMPTY_INBOX, answered, at(0), isAnswered).inbox;
    const wanted = told({ start: 0, id: 5000, labels: { answered: "yes" } });
    expect(ingest(full, [wanted], at(1), isAnswered).changes[0]?.what).toBe("refused");
  });
});
