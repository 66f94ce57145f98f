import { describe, expect, it } from "vitest";
import type { Store } from "../../src/monitor/kernel/store.ts";
import { StoreError } from "../../src/monitor/kernel/store.ts";
import type { StoreSettings } from "../../src/monitor/store/records.ts";
import { intentOf, type ManualClock, manualClock, outcomeOf, RETENTION } from "./fixtures.ts";

/** A place where a store can be opened again and again. */
export interface Place {
  open(settings: StoreSettings): Store;
}

type Begin = (clock?: ManualClock) => { clock: ManualClock; open: (more?: Partial<StoreSettings>) => Store };

/** What every `Store` must do, whatever it is made of. */
export function describeStore(name: string, newPlace: () => Place): void {
  const begin = (clock: ManualClock = manualClock()) => {
    const place = newPlace();
    const open = (more: Partial<StoreSettings> = {}) => place.open({ clock, retention: RETENTION, ...more });
    return { clock, open };
  };

  describe(`${name}: journal of intents`, () => intents(begin));
  describe(`${name}: journal beside intents`, () => besideIntents(begin));
  describe(`${name}: what the journal refuses and removes`, () => limits(begin));
  describe(`${name}: state and lifetime`, () => lifetime(begin));
}

function intents(begin: Begin): void {
  it("starts empty, with the wall clock's seconds as its epoch", () => {
    const store = begin(manualClock(1_700_000_000_999)).open();
    expect(store.epoch).toBe(1_700_000_000);
    expect(store.load()).toEqual({
      series: [],
      lastActions: [],
      openIntents: [],
      documents: [],
      quarantined: undefined,
    });
    expect(store.recent(10)).toEqual([]);
  });

  it("counts the epoch up by one at each opening, also when the wall clock goes back", () => {
    const { clock, open } = begin();
    const first = open();
    const { epoch } = first;
    first.close();
    clock.wallMs -= 86_400_000;
    const second = open();
    expect(second.epoch).toBe(epoch + 1);
    second.close();
    expect(open().epoch).toBe(epoch + 2);
  });

  it("keeps an intent open, with every field, until its one terminal record", () => {
    const { open } = begin();
    const store = open();
    const intent = intentOf("a");
    store.recordIntent(intent);
    expect(store.load().openIntents).toEqual([intent]);
    expect(store.recent(1)).toEqual([{ intent, outcome: undefined }]);
    const outcome = outcomeOf("a");
    store.recordOutcome(outcome);
    expect(store.load().openIntents).toEqual([]);
    store.close();
    expect(open().recent(1)).toEqual([{ intent, outcome }]);
  });

  it("keeps parameters and origin of an intent, and finds it by its id", () => {
    const { open } = begin();
    const store = open();
    const origin = { playbook: "contain", run: "r", step: 1, alert: "f00" };
    const intent = intentOf("r-1", { trigger: "alert", parameters: { region: "us-east-1" }, origin });
    store.recordIntent(intent);
    expect(store.entry("r-1")).toEqual({ intent, outcome: undefined });
    store.recordOutcome(outcomeOf("r-1"));
    store.close();
    expect(open().entry("r-1")).toEqual({ intent, outcome: outcomeOf("r-1") });
    expect(() => store.entry("r-1")).toThrow(StoreError);
  });

  it("knows nothing of an id it never held", () => {
    expect(begin().open().entry("nobody")).toBeUndefined();
  });
}

function besideIntents(begin: Begin): void {
  it("does not count an undo as an action", () => {
    const store = begin().open();
    const origin = { playbook: "contain", run: "r", step: 0, undoes: "r-0" };
    store.recordIntent(intentOf("r-0-undo", { trigger: "undo", origin }));
    expect(store.load().lastActions).toEqual([]);
    expect(store.load().openIntents.map((i) => i.id)).toEqual(["r-0-undo"]);
  });

  it("keeps documents by kind and key until they are removed, all changes of a call or none", () => {
    const { open } = begin();
    const store = open();
    store.saveDocuments([
      { kind: "run", key: "b", body: { steps: [1] } },
      { kind: "alert", key: "b", body: "text" },
      { kind: "alert", key: "a", body: null },
    ]);
    store.saveDocuments([{ kind: "run", key: "b", body: { steps: [2] } }]);
    const bad = { kind: "alert", key: "", body: 1 } as const;
    expect(() => store.saveDocuments([{ kind: "alert", key: "a", body: 2 }, bad])).toThrow(/document.key/);
    expect(() => store.saveDocuments([{ kind: "alert", key: "a", body: 1n }])).toThrow(/plain JSON/);
    store.saveDocuments([{ kind: "alert", key: "b", body: undefined }]);
    const kept = [
      { kind: "alert", key: "a", body: null },
      { kind: "run", key: "b", body: { steps: [2] } },
    ];
    expect(store.load().documents).toEqual(kept);
    store.close();
    expect(open().load().documents).toEqual(kept);
  });

  it("counts an intent as the target's last action, and outlives the entry's retention", () => {
    const { open } = begin();
    const store = open({ retention: { ...RETENTION, maxEntries: 1 } });
    for (const id of ["a", "b", "c"]) {
      store.recordIntent(
        intentOf(id, { target: id === "a" ? "first" : "other", at: { wallMs: 5, monoMs: 6 } }),
      );
      store.recordOutcome(outcomeOf(id));
    }
    expect(store.recent(10).map(({ intent }) => intent.id)).toEqual(["c"]);
    expect(store.load().lastActions).toEqual([
      { target: "first", at: { wallMs: 5, monoMs: 6 }, bootId: "boot-1" },
      { target: "other", at: { wallMs: 5, monoMs: 6 }, bootId: "boot-1" },
    ]);
  });

  it("moves the last action to a call made later than its intent", () => {
    const { open } = begin();
    const store = open();
    const intent = intentOf("late", { target: "t" });
    store.recordIntent(intent);
    const call = { target: "t", at: { wallMs: 40_005, monoMs: 40_006 }, bootId: "boot-2" };
    store.recordCall(call);
    expect(store.load().lastActions).toEqual([call]);
    store.close();
    expect(open().load()).toMatchObject({ lastActions: [call], openIntents: [{ id: "late" }] });
  });
}

function limits(begin: Begin): void {
  it("refuses a second terminal record, one without an intent, and a used key; nothing changes", () => {
    const store = begin().open();
    store.recordIntent(intentOf("a"));
    store.recordOutcome(outcomeOf("a"));
    const before = { loaded: store.load(), recent: store.recent(10) };
    expect(() => store.recordOutcome(outcomeOf("a", { status: "failed" }))).toThrow(
      /already has its terminal/,
    );
    expect(() => store.recordOutcome(outcomeOf("nobody"))).toThrow(/not in the journal/);
    const later = intentOf("a", { target: "elsewhere", at: { wallMs: 9, monoMs: 9 } });
    expect(() => store.recordIntent(later)).toThrow(/already recorded/);
    expect({ loaded: store.load(), recent: store.recent(10) }).toEqual(before);
  });

  it("lists the newest first and open intents oldest first", () => {
    const store = begin().open();
    for (const id of ["a", "b", "c"]) store.recordIntent(intentOf(id));
    store.recordOutcome(outcomeOf("b"));
    expect(store.recent(2).map(({ intent }) => intent.id)).toEqual(["c", "b"]);
    expect(store.recent(0)).toEqual([]);
    expect(store.load().openIntents.map(({ id }) => id)).toEqual(["a", "c"]);
    expect(() => store.recent(-1)).toThrow(StoreError);
    expect(() => store.recent(1.5)).toThrow(/limit is 1.5/);
  });

  it("removes old entries with a terminal record, never an open intent", () => {
    const { clock, open } = begin();
    const store = open({ retention: { maxEntries: 100, maxAgeMs: 1_000 } });
    store.recordIntent(intentOf("open"));
    store.recordIntent(intentOf("old"));
    store.recordOutcome(outcomeOf("old", { at: { wallMs: clock.wallMs, monoMs: 0 } }));
    clock.wallMs += 1_001;
    store.recordIntent(intentOf("new"));
    expect(store.recent(10)).toHaveLength(3);
    store.recordOutcome(outcomeOf("new", { at: { wallMs: clock.wallMs, monoMs: 0 } }));
    expect(store.recent(10).map(({ intent }) => intent.id)).toEqual(["new", "open"]);
    store.close();
    clock.wallMs += 1_001;
    expect(open({ retention: { maxEntries: 100, maxAgeMs: 1_000 } }).recent(10)).toEqual([
      { intent: intentOf("open"), outcome: undefined },
    ]);
  });

  it("names the field that cannot be stored and stores nothing", () => {
    const store = begin().open();
    expect(() => store.recordIntent(intentOf("a", { forecast: Number.NaN }))).toThrow(
      /intent\.forecast must be a finite number, is NaN/,
    );
    expect(() => store.recordIntent(intentOf(""))).toThrow(/intent\.id/);
    expect(() => store.recordIntent(intentOf("\ud800"))).toThrow(/intent\.id/);
    expect(() => store.recordIntent(intentOf("a", { target: "x\0y" }))).toThrow(/intent\.target/);
    store.recordIntent(intentOf("a"));
    const cyclic: Record<string, unknown> = {};
    cyclic.self = cyclic;
    const instance = { ...outcomeOf("a").instances[0]!, answer: cyclic };
    expect(() => store.recordOutcome(outcomeOf("a", { instances: [instance] }))).toThrow(/not plain JSON/);
    expect(store.recent(5)).toEqual([{ intent: intentOf("a"), outcome: undefined }]);
  });

  it("refuses settings that make no sense, naming them", () => {
    const { open } = begin();
    expect(() => open({ retention: { maxEntries: 0, maxAgeMs: 1 } })).toThrow(/retention\.maxEntries is 0/);
    expect(() => open({ retention: { maxEntries: 1, maxAgeMs: 0 } })).toThrow(/retention\.maxAgeMs is 0/);
    expect(() => open({ quarantineNoticeMs: -1 })).toThrow(/quarantineNoticeMs is -1/);
    open().close();
  });
}

function lifetime(begin: Begin): void {
  it("saves the state of series, all of a batch or none of it", () => {
    const { open } = begin();
    const store = open();
    const one = { key: "b/p95", inRisk: true, pending: { linear: 1, trend: 0 } };
    const two = { key: "a/p95", inRisk: false, pending: {} };
    store.saveSeries([one, two]);
    store.saveSeries([{ ...one, pending: { linear: 2 } }]);
    const bad = { key: "c/p95", inRisk: true, pending: { linear: Number.POSITIVE_INFINITY } };
    expect(() => store.saveSeries([{ ...two, inRisk: true }, bad])).toThrow(/series\.pending\.linear/);
    store.saveSeries([]);
    store.close();
    expect(open().load().series).toEqual([two, { ...one, pending: { linear: 2 } }]);
  });

  it("shares nothing with its caller", () => {
    const store = begin().open();
    const pending = { linear: 1 };
    const at = { wallMs: 1, monoMs: 2 };
    store.saveSeries([{ key: "k", inRisk: false, pending }]);
    store.recordIntent(intentOf("a", { at }));
    pending.linear = 9;
    at.wallMs = 9;
    expect(store.load().series[0]?.pending).toEqual({ linear: 1 });
    expect(store.load().openIntents[0]?.at.wallMs).toBe(1);
  });

  it("is held by one opening at a time", () => {
    const { open } = begin();
    const store = open();
    expect(() => open()).toThrow(StoreError);
    store.recordIntent(intentOf("still-works"));
    store.close();
    expect(open().load().openIntents).toHaveLength(1);
  });

  it("does nothing once closed, and closes twice without complaint", () => {
    const store = begin().open();
    store.close();
    store.close();
    for (const call of [
      () => store.load(),
      () => store.recent(1),
      () => store.recordIntent(intentOf("a")),
      () => store.recordOutcome(outcomeOf("a")),
      () => store.saveSeries([]),
    ]) {
      expect(call).toThrow(new StoreError("the store is closed"));
    }
  });
}
