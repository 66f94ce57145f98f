import {
  closeSync,
  existsSync,
  mkdirSync,
  openSync,
  readdirSync,
  readFileSync,
  rmSync,
  truncateSync,
  writeFileSync,
  writeSync,
} from "node:fs";
import { basename, dirname, join } from "node:path";
import { DatabaseSync } from "node:sqlite";
import fc from "fast-check";
import { describe, expect, it } from "vitest";
import {
  intentOf,
  manualClock,
  outcomeOf,
  RETENTION,
  testDirectory,
} from "../../../../test/store/fixtures.ts";
import { openSqliteStore } from "./index.ts";

const SERIES = { key: "product-api/p95_latency", inRisk: true, pending: { linear: 1 } };

/** A journal with an entry, an open intent and a series in it, closed; and how to open it again. */
function writtenJournal(path = join(testDirectory(), "journal.db")) {
  const clock = manualClock();
  const notices: string[] = [];
  const open = (quarantineNoticeMs?: number) =>
    openSqliteStore({
      path,
      clock,
      retention: RETENTION,
      quarantineNoticeMs,
      onQuarantine: (notice) => notices.push(notice),
    });
  const store = open();
  store.recordIntent(intentOf("done"));
  store.recordOutcome(outcomeOf("done"));
  store.recordIntent(intentOf("open", { target: "other" }));
  store.saveSeries([SERIES]);
  const written = { loaded: store.load(), recent: store.recent(9), epoch: store.epoch };
  store.close();
  clock.wallMs += 60_000;
  return { path, clock, notices, open, written };
}

function overwrite(path: string, at: number, bytes: Uint8Array): void {
  const descriptor = openSync(path, "r+");
  try {
    writeSync(descriptor, bytes, 0, bytes.length, at);
  } finally {
    closeSync(descriptor);
  }
}

const DAMAGE: Readonly<Record<string, (path: string) => void>> = {
  "cut in the middle": (path) => truncateSync(path, 4096 + 100),
  "cut inside its header": (path) => truncateSync(path, 50),
  "of length zero": (path) => truncateSync(path, 0),
  "text, not a database": (path) => writeFileSync(path, "time,value\n".repeat(2_000)),
  "overwritten by noise": (path) => overwrite(path, 4096, Buffer.alloc(8192, 0xa5)),
  "with another version in its header than in its record": (path) => edit(path, "PRAGMA user_version = 999"),
  "another program's database": (path) => {
    rmSync(path);
    edit(path, "CREATE TABLE notes (text TEXT)");
  },
  "with a changed row": (path) =>
    edit(path, "UPDATE intents SET body = replace(body, '6500.25', '6500.26') WHERE id = 'open'"),
  "with exchanged rows": (path) =>
    edit(
      path,
      "UPDATE last_actions SET target = CASE target WHEN 'other' THEN 'product-api' ELSE target || 'x' END",
    ),
  "with a changed time of an outcome": (path) => edit(path, "UPDATE outcomes SET at_ms = 0"),
  "without its epoch": (path) => edit(path, "DELETE FROM meta"),
  "without a table": (path) => edit(path, "DROP TABLE series"),
  "with an outcome of no intent": (path) => edit(path, "DELETE FROM intents WHERE id = 'done'"),
};

function edit(path: string, sql: string): void {
  const db = new DatabaseSync(path, { enableForeignKeyConstraints: false });
  db.exec(sql);
  db.close();
}

describe("damaged journal", () => {
  it.each(Object.entries(DAMAGE))("%s: set aside, a fresh one started, epoch ahead", (_, damage) => {
    const { path, clock, notices, open, written } = writtenJournal();
    damage(path);
    const bytes = readFileSync(path);
    const store = open();
    const place = `${path}.corrupt-${clock.wallMs}`;
    const { quarantined, ...rest } = store.load();
    expect(rest).toEqual({ series: [], lastActions: [], openIntents: [], documents: [] });
    expect(quarantined).toContain(`was moved to ${place}`);
    expect(quarantined).toMatch(/could not be read \(.{5,}\)/);
    expect(notices).toEqual([quarantined]);
    expect(readFileSync(place)).toEqual(bytes);
    expect(store.epoch).toBeGreaterThan(written.epoch);
    expect(store.epoch).toBe(clock.wallMs / 1000);
    store.recordIntent(intentOf("next"));
    store.close();
    expect(open().load().openIntents).toEqual([intentOf("next")]);
    expect(notices).toHaveLength(1);
  });

  it("is either read as written or set aside, whichever byte is changed", { timeout: 60_000 }, () => {
    const { path, clock, written } = writtenJournal();
    const good = readFileSync(path);
    let setAside = 0;
    fc.assert(
      fc.property(
        fc.oneof(fc.nat(good.length - 1), fc.nat(120), fc.integer({ min: 4096, max: good.length - 1 })),
        fc.integer({ min: 1, max: 255 }),
        (at, mask) => {
          const directory = join(dirname(path), `flip-${at}-${mask}`);
          mkdirSync(directory);
          const copy = join(directory, "journal.db");
          const bytes = Buffer.from(good);
          bytes[at] = bytes[at]! ^ mask;
          writeFileSync(copy, bytes);
          const store = openSqliteStore({ path: copy, clock, retention: RETENTION });
          try {
            const loaded = store.load();
            expect(store.epoch).toBeGreaterThan(written.epoch);
            if (loaded.quarantined === undefined) {
              expect({ loaded, recent: store.recent(9) }).toEqual({
                loaded: written.loaded,
                recent: written.recent,
              });
            } else setAside += 1;
          } finally {
            store.close();
            rmSync(directory, { recursive: true });
          }
        },
      ),
      { numRuns: 150 },
    );
    expect(setAside).toBeGreaterThan(10);
  });

  it("keeps the epoch ahead of the damaged one also when the wall clock was set back", () => {
    const { path, clock, open, written } = writtenJournal();
    edit(path, "DELETE FROM last_actions; DROP TABLE series");
    clock.wallMs = 1_000_000_000;
    expect(open().epoch).toBe(written.epoch + 1);
  });

  it("is still reported after a restart, by monotonic time, until the notice window is over", () => {
    const { path, clock, open } = writtenJournal();
    writeFileSync(path, "");
    const store = open(10_000);
    const { quarantined } = store.load();
    expect(quarantined).toContain("the file is empty");
    store.close();
    clock.wallMs += 86_400_000;
    clock.monoMs += 9_999;
    const again = open(10_000);
    expect(again.load().quarantined).toBe(quarantined);
    again.close();
    clock.bootId = "boot-2";
    expect(open(10_000).load().quarantined).toBeUndefined();
  });

  it("does not overwrite an earlier damaged copy", () => {
    const { path, open } = writtenJournal();
    for (const content of ["first", "second"]) {
      writeFileSync(path, content);
      open().close();
    }
    const copies = readdirSync(dirname(path)).filter((name) => name.includes(".corrupt-"));
    const contents = copies.map((name) => readFileSync(join(dirname(path), name), "utf8"));
    expect(contents.toSorted()).toEqual(["first", "second"]);
  });

  it("reports a journal that is gone, and does not replay a log that was left without one", () => {
    const { path, clock, open } = writtenJournal();
    rmSync(path);
    writeFileSync(`${path}-wal`, "left over");
    const store = open();
    expect(store.load().quarantined).toContain(`the journal ${path} is gone although an earlier run used it`);
    expect(store.epoch).toBe(clock.wallMs / 1000);
    expect(readFileSync(`${path}.corrupt-${clock.wallMs}-wal`, "utf8")).toBe("left over");
  });

  it("leaves no side file behind an orderly close but the lock", () => {
    const { path } = writtenJournal();
    const [name] = [basename(path)];
    expect(readdirSync(dirname(path)).toSorted()).toEqual([name, `${name}.lock`, `${name}.pid`]);
    expect(existsSync(`${path}-wal`)).toBe(false);
  });
});

describe("a row changed while the journal is open", () => {
  it("is noticed when it is read", () => {
    const { path, open } = writtenJournal();
    const store = open();
    edit(path, "UPDATE outcomes SET body = replace(body, 'applied', 'refused')");
    expect(() => store.recent(9)).toThrow(/the row "done" of outcomes does not match its checksum/);
    edit(path, "UPDATE series SET body = replace(body, 'true', 'false')");
    expect(() => store.load()).toThrow(
      /the row "product-api\/p95_latency" of series does not match its checksum/,
    );
  });
});

describe("the schema", () => {
  it("itself allows one terminal record an intent and one intent a key", () => {
    const { path } = writtenJournal();
    const copy = (table: string, columns: string) =>
      edit(
        path,
        `PRAGMA foreign_keys = ON; INSERT INTO ${table} (${columns}) SELECT ${columns} FROM ${table}`,
      );
    expect(() => copy("outcomes", "intent_id, at_ms, body, crc")).toThrow(/UNIQUE constraint failed/);
    expect(() => copy("intents", "id, body, crc")).toThrow(/UNIQUE constraint failed: intents\.id/);
  });
});
