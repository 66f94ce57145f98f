import { readdirSync, readFileSync } from "node:fs";
import { dirname, join } from "node:path";
import { DatabaseSync } from "node:sqlite";
import { crc32 } from "node:zlib";
import { describe, expect, it } from "vitest";
import { restoreInbox } from "../../src/monitor/alerts/index.ts";
import { targetOf, virtualTime, worldOf } from "../../src/monitor/cycle/cycle.testkit.ts";
import type { GuardState } from "../../src/monitor/guards/guard.ts";
import { readGuards } from "../../src/monitor/guards/read.ts";
import type { Intent } from "../../src/monitor/kernel/action.ts";
import type { Persisted } from "../../src/monitor/kernel/store.ts";
import type { Acknowledgement, Escalation } from "../../src/monitor/kernel/verification.ts";
import { readRun } from "../../src/monitor/playbooks/read.ts";
import type { Run, RunStep } from "../../src/monitor/playbooks/run.ts";
import { SCHEMA_VERSION } from "../../src/monitor/store/migrate.ts";
import { openSqliteStore } from "../../src/monitor/store/sqlite/index.ts";
import { readVerification } from "../../src/monitor/verify/read.ts";
import type { TargetRecord, VerificationState } from "../../src/monitor/verify/types.ts";
import { manualClock, testDirectory } from "./fixtures.ts";

/**
 * `journals/` holds what older programs wrote: the loop of that version ran for twenty minutes on virtual time, with its
 * store on disk, and `.dump` of sqlite3 was taken of the file, the two pragmas added. Never edit them; what is expected is
 * written in the types of today, so that a renamed field is missed here unless its migration is there too.
 * `running`: while it ran, an escalation delivered. `killed`: killed in the middle of a call, some minutes later.
 */
const JOURNALS = ["v2-running", "v2-killed"] as const;

/** When the process was killed, on the clocks of its boot. */
const KILLED = { wallMs: 1_760_001_140_000, monoMs: 2_140_000 };
const TABLES = ["intents", "outcomes", "last_actions", "series", "documents"];

function folder(journal: string, edit = ""): string {
  const path = join(testDirectory(), "monitor.db");
  const db = new DatabaseSync(path, { enableForeignKeyConstraints: false });
  db.exec(readFileSync(new URL(`./journals/${journal}.sql`, import.meta.url), "utf8"));
  db.exec(edit);
  db.close();
  return path;
}

function opened(path: string) {
  const notices: string[] = [];
  const clock = Object.assign(manualClock(KILLED.wallMs), { monoMs: KILLED.monoMs });
  const store = openSqliteStore({
    path,
    clock,
    retention: { maxEntries: 1000, maxAgeMs: 1e12 },
    onQuarantine: (notice) => notices.push(notice),
  });
  return { store, notices, loaded: store.load() };
}

/** Every text, number and flag of all rows, in order, whatever the fields are called. */
function values(path: string): unknown[] {
  const db = new DatabaseSync(path, { readOnly: true });
  try {
    return TABLES.flatMap((table) => db.prepare(`SELECT body FROM ${table} ORDER BY rowid`).all()).flatMap(
      ({ body }) => leaves(JSON.parse(String(body))),
    );
  } finally {
    db.close();
  }
}

function leaves(value: unknown): unknown[] {
  return typeof value === "object" && value !== null ? Object.values(value).flatMap(leaves) : [value];
}

const bodyOf = (loaded: Persisted, kind: string, key: string) =>
  loaded.documents.find((d) => d.kind === kind && d.key === key)?.body;

function stateOf<T>(read: { readonly state: T } | { readonly problem: string }): T {
  if ("problem" in read) throw new Error(read.problem);
  return read.state;
}

describe("a journal of an older version", () => {
  it.each(JOURNALS)("%s: keeps every value, and is read by every part", (journal) => {
    const path = folder(journal);
    const before = values(path);
    expect(before.length).toBeGreaterThan(400);
    const { store, notices, loaded } = opened(path);
    expect(notices).toEqual([]);
    expect(loaded.quarantined).toBeUndefined();
    expect(store.epoch).toBe(1_760_000_001);
    expect(store.recent(1000)).toHaveLength(journal === "v2-killed" ? 14 : 7);
    expect(values(path)).toEqual(before);
    expect(readGuards(bodyOf(loaded, "guard", "state"))).not.toHaveProperty("problem");
    expect(readVerification(bodyOf(loaded, "verification", "state"))).not.toHaveProperty("problem");
    for (const { body } of loaded.documents.filter(({ kind }) => kind === "run"))
      expect(readRun(body)).toBeDefined();
    const { inbox, damaged } = restoreInbox(loaded.documents);
    expect([[...inbox.keys()].sort(), damaged]).toEqual([
      ["00000000000000aa", "00000000000000f1", "00000000000000f2"],
      [],
    ]);
    store.close();
    const again = opened(path);
    expect(again.loaded).toEqual(loaded);
    expect(again.store.epoch).toBe(1_760_000_002);
  });

  it("keeps the open intent and every last action", () => {
    const { loaded } = opened(folder("v2-killed"));
    const open: Intent = {
      id: "1760000000-10",
      kind: "mitigate",
      target: "orders",
      signal: "memory",
      trigger: "confirmed",
      predictor: "linear",
      forecast: 2416.6315789473706,
      threshold: 300,
      epoch: 1_760_000_000,
      at: KILLED,
      bootId: "boot-1",
    };
    expect(loaded.openIntents).toEqual([open]);
    expect(loaded.lastActions.map(({ target, at }) => [target, at.monoMs])).toEqual([
      ["checkout", 1_210_000],
      ["gateway", 1_960_000],
      ["orders", 2_140_000],
      ["product-api", 2_080_000],
      ["ranker", 1_870_000],
      ["search", 1_210_000],
    ]);
    expect(loaded.series.filter(({ inRisk }) => inRisk)).toHaveLength(4);
  });

  it("keeps the pause, the silence and the window that holds", () => {
    const { loaded } = opened(folder("v2-killed"));
    const { pause, silences, latches, starts } = stateOf(readGuards(bodyOf(loaded, "guard", "state")));
    expect(pause).toEqual({
      by: "rui",
      reason: "change freeze",
      since: KILLED,
      untilMs: KILLED.wallMs + 3_600_000,
      untilMonoMs: KILLED.monoMs + 3_600_000,
    } satisfies GuardState["pause"]);
    expect(silences).toEqual([
      {
        id: "1760000000-11",
        target: "search",
        signal: "*",
        action: "*",
        author: "ana",
        reason: "reindexing",
        startsAtMs: 1_760_001_100_000,
        endsAtMs: 1_760_009_000_000,
      },
    ] satisfies GuardState["silences"]);
    expect(latches["silence/1760000000-11"]?.holding).toBe(true);
    expect(latches["maintenance/nightly"]).toEqual({
      startMs: 1_760_000_000_000,
      lengthMs: 7_200_000,
      leastMonoMs: 8_200_000,
      mostMonoMs: 15_400_000,
      holding: true,
    } satisfies GuardState["latches"][string]);
    expect(starts).toHaveLength(1);
  });

  it("keeps verifications, escalations, their answers and ends, and whether people know", () => {
    const state = (journal: string) =>
      stateOf(readVerification(bodyOf(opened(folder(journal)).loaded, "verification", "state")));
    const running = state("v2-running");
    const killed = state("v2-killed");
    expect(running).toMatchObject({
      news: 1,
      notifiedMonoMs: 1_600_000,
      ended: [],
    } satisfies Partial<VerificationState>);
    expect(killed).toMatchObject({ news: 4 } satisfies Partial<VerificationState>);
    expect(killed.notifiedMonoMs).toBeUndefined();
    expect(Object.keys(killed.pending)).toEqual(["1760000000-7.0", "1760000000-8.1", "1760000000-9"]);
    expect(killed.pending["1760000000-9"]?.before).toEqual({
      value: 10_900,
      forecast: 12_700,
      slopePerSecond: 10,
    });
    const refused = {
      intentId: "1760000000-2",
      target: "checkout",
      signal: "memory",
      action: "mitigate",
      at: { wallMs: 1_760_000_210_000, monoMs: 1_210_000 },
      outcome: "refused",
      detail: "checkout:8000: refused (scripted refused)",
    } satisfies TargetRecord["attempts"][number];
    expect(killed.targets.checkout).toEqual({
      attempts: [refused],
      escalation: {
        target: "checkout",
        signal: "memory",
        cause: "refused",
        since: { wallMs: 1_760_000_240_000, monoMs: 1_240_000 },
        attempts: [refused],
        acknowledged: {
          by: "rui",
          reason: "token rotates at noon",
          at: { wallMs: 1_760_001_080_000, monoMs: 2_080_000 },
          untilMs: 1_760_008_280_000,
          untilMonoMs: 9_280_000,
        } satisfies Acknowledgement,
      } satisfies Escalation,
    } satisfies TargetRecord);
    expect(killed.targets.search).toMatchObject({
      healthySinceMonoMs: 1_510_000,
      attempts: [{ outcome: "recovered", before: 4300, after: 120, slo: 300 }],
    });
    const [ended] = killed.ended;
    expect(ended).toMatchObject({ by: "person", detail: "ana said to go on: new release" });
    expect(ended?.escalation.attempts.map(({ outcome }) => outcome)).toEqual(["worse", "worse"]);
  });

  it("keeps runs: what they did, where, and how often it was tried to take it back", () => {
    const run = (journal: string, name: string) =>
      readRun(bodyOf(opened(folder(journal)).loaded, "run", name)) as Run;
    const { steps, ...undoing } = run("v2-killed", "spare-the-ranker");
    expect(undoing).toEqual({
      id: "1760000000-7",
      playbook: "spare-the-ranker",
      asker: "ranker",
      mode: "auto",
      cause: "pre_timeout",
      target: "ranker",
      signal: "memory",
      predictor: "linear",
      forecast: 7125.454545454545,
      threshold: 5000,
      episodes: [{ fingerprint: "00000000000000f2", startsAtMs: 1_760_000_600_000 }],
      undoOnResolved: true,
      verify: { target: "ranker", signal: "memory" },
      startedAt: { wallMs: 1_760_000_870_000, monoMs: 1_870_000 },
      bootId: "boot-1",
      status: "undoing",
    } satisfies Omit<Run, "steps">);
    expect(steps).toMatchObject([
      {
        kind: "reroute",
        status: "done",
        detail: "applied: ranker:8000: applied (scripted applied)",
        at: { monoMs: 1_870_000, wallMs: 1_760_000_870_000 },
        undo: { kind: "restore", parameters: {} },
        undoAttempts: 3,
      } satisfies Omit<RunStep, "on">,
    ]);
    expect(run("v2-running", "contain")).toMatchObject({ region: "us-east-1", predictor: "alertmanager" });
    expect(run("v2-running", "contain").steps.map(({ expiresMs }) => expiresMs)).toEqual([600_000, 600_000]);
  });

  it("is gone on from: nothing is called that a pause, a cooldown or an escalation held before", async () => {
    const { store } = opened(folder("v2-killed"));
    const time = virtualTime("boot-1", KILLED.monoMs + 30_000);
    const targets = ["product-api", "checkout", "orders", "search"].map((name) => targetOf(name));
    const world = worldOf({ store, time, settings: { targets } });
    await world.loop.start();
    expect(store.load().openIntents).toEqual([]);
    const reasons = async (cycles: number) =>
      Object.fromEntries((await world.cycles(cycles)).decisions.map((d) => [d.target, d.reason]));
    expect(await reasons(5)).toMatchObject({ checkout: "paused", search: "paused" });
    world.loop.controls.resume({ by: "rui", reason: "done" });
    expect(await reasons(1)).toEqual({
      "product-api": "cooldown_active",
      orders: "cooldown_active",
      checkout: "escalated",
      search: "silenced",
    });
    expect(world.fleet.effects).toEqual([]);
  });
});

const crcOf = (table: string, key: string, body: string) => crc32(`${table}\0${key}\0${body}`);

describe("a journal that cannot be brought to the present version", () => {
  it("is set aside as it was, with what is wrong, and full cooldowns are assumed", () => {
    const body = JSON.stringify({ id: "x", target: "t", witness: 5 });
    const path = folder(
      "v2-killed",
      `INSERT INTO intents (id, body, crc) VALUES ('x', '${body}', ${crcOf("intents", "x", body)})`,
    );
    const bytes = readFileSync(path);
    const { store, notices, loaded } = opened(path);
    const place = `${path}.corrupt-${KILLED.wallMs}`;
    expect(notices).toEqual([
      `the journal ${path} could not be read (it cannot go from version 2 to ${SCHEMA_VERSION}: intent.kind must be text) and was moved to ${place}`,
    ]);
    expect(loaded).toEqual({
      series: [],
      lastActions: [],
      openIntents: [],
      documents: [],
      quarantined: notices[0],
    });
    expect(readFileSync(place)).toEqual(bytes);
    expect(store.epoch).toBeGreaterThan(1_760_000_000);
  });
});

describe("a journal of a newer version", () => {
  const body = "99";
  const newer = `INSERT INTO meta VALUES ('version', '${body}', ${crcOf("meta", "version", body)});
    ALTER TABLE series ADD COLUMN newer TEXT; PRAGMA user_version = ${body};`;

  it("is refused by name and left as it is, and so is its folder", () => {
    const path = folder("v2-killed", newer);
    const bytes = readFileSync(path);
    expect(() => opened(path)).toThrow(
      `cannot open the journal ${path}: a newer program wrote it (version 99; this one knows ${SCHEMA_VERSION}). ` +
        "Nothing was changed: start that program again, or give this one a data directory of its own",
    );
    expect(readFileSync(path)).toEqual(bytes);
    expect(readdirSync(dirname(path)).sort()).toEqual(["monitor.db", "monitor.db.lock", "monitor.db.pid"]);
  });

  it("is damaged where only its header says so", () => {
    const { loaded } = opened(folder("v2-killed", "PRAGMA user_version = 99"));
    expect(loaded.quarantined).toContain("its header says that its version is 99, its record nothing");
  });
});
