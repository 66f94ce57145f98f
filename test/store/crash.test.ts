import { spawnSync } from "node:child_process";
import { chmodSync, existsSync, mkdirSync, readFileSync, rmSync, truncateSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { DatabaseSync } from "node:sqlite";
import { describe, expect, it } from "vitest";
import { StoreError } from "../../src/monitor/kernel/store.ts";
import { openSqliteStore } from "../../src/monitor/store/sqlite/index.ts";
import { intentOf, manualClock, outcomeOf, RETENTION, testDirectory } from "./fixtures.ts";
import { startStoreProcess } from "./process.ts";

const TIMEOUT = { timeout: 60_000 };

function journal(): { path: string; open: () => ReturnType<typeof openSqliteStore> } {
  const path = join(testDirectory(), "journal.db");
  return { path, open: () => openSqliteStore({ path, clock: manualClock(), retention: RETENTION }) };
}

describe("kill -9", TIMEOUT, () => {
  it("between intent and outcome leaves the intent open and the last action known", async () => {
    const { path, open } = journal();
    const child = startStoreProcess({ path });
    const epoch = Number((await child.next()).replace("open ", ""));
    child.send("intent a");
    expect(await child.next()).toBe("ok");
    await child.kill("SIGKILL");
    const store = open();
    expect(store.epoch).toBe(epoch + 1);
    expect(store.load()).toEqual({
      series: [],
      openIntents: [intentOf("a")],
      lastActions: [{ target: "product-api", at: intentOf("a").at, bootId: "boot-1" }],
      documents: [],
      quarantined: undefined,
    });
    store.recordOutcome(outcomeOf("a", { status: "unknown" }));
    expect(store.load().openIntents).toEqual([]);
  });

  it("at any moment loses nothing that was acknowledged, and never leaves the lock behind", async () => {
    const { path, open } = journal();
    const acknowledged: string[] = [];
    let epoch = 0;
    for (const [round, killAfter] of [1, 2, 5, 11, 23, 31].entries()) {
      const child = startStoreProcess({ path });
      const opened = Number((await child.next()).replace("open ", ""));
      expect(opened).toBeGreaterThan(epoch);
      epoch = opened;
      const ids = Array.from({ length: 40 }, (_, n) => `${round}-${n}`);
      child.send(...ids.flatMap((id) => [`intent ${id}`]));
      for (let n = 0; n < killAfter; n += 1) expect(await child.next()).toBe("ok");
      const late = await child.kill("SIGKILL");
      acknowledged.push(...ids.slice(0, killAfter + late.filter((line) => line === "ok").length));
    }
    const found = open().load();
    expect(found.quarantined).toBeUndefined();
    const ids = new Set(found.openIntents.map(({ id }) => id));
    expect(acknowledged.filter((id) => !ids.has(id))).toEqual([]);
    // At most the one intent in flight of each round was stored without an acknowledgement.
    expect(ids.size).toBeLessThanOrEqual(acknowledged.length + 6);
  });

  it.each([
    ["cut short", (wal: string) => truncateSync(wal, 40)],
    ["overwritten", (wal: string) => writeFileSync(wal, Buffer.alloc(8_000, 0x5a))],
    ["removed", (wal: string) => rmSync(wal)],
  ])(
    "and the log %s: journal rows are still there, for they are never only in the log",
    async (_, damage) => {
      const { path, open } = journal();
      const child = startStoreProcess({ path });
      await child.next();
      child.send("intent a", "series k");
      expect([await child.next(), await child.next()]).toEqual(["ok", "ok"]);
      await child.kill("SIGKILL");
      expect(existsSync(`${path}-wal`)).toBe(true);
      damage(`${path}-wal`);
      const { openIntents, lastActions, quarantined } = open().load();
      expect(quarantined).toBeUndefined();
      expect(openIntents).toEqual([intentOf("a")]);
      expect(lastActions).toHaveLength(1);
    },
  );
});

describe("a second monitor on the same data directory", TIMEOUT, () => {
  it("is refused with the first one's process id, and neither journal nor lock suffers", async () => {
    const { path, open } = journal();
    const child = startStoreProcess({ path });
    await child.next();
    expect(open).toThrow(StoreError);
    expect(open).toThrow(`journal ${path} is in use by another monitor (process ${child.pid})`);
    const third = startStoreProcess({ path });
    expect(await third.next()).toContain(`in use by another monitor (process ${child.pid})`);
    child.send("intent a", "close");
    expect([await child.next(), await child.next()]).toEqual(["ok", "ok"]);
    expect(open().load().openIntents).toHaveLength(1);
  });
});

describe("surroundings that do not play along", TIMEOUT, () => {
  it("names the data directory that cannot be written or made", async () => {
    const directory = testDirectory();
    const data = join(directory, "data");
    mkdirSync(data);
    chmodSync(directory, 0o755);
    chmodSync(data, 0o555);
    // The superuser may write anywhere, so another user has to try.
    const uid = process.getuid?.() === 0 ? 65_534 : undefined;
    const child = startStoreProcess({ path: join(data, "journal.db"), uid });
    expect(await child.next()).toContain(`error StoreError data directory ${data} cannot be written`);
    const file = join(directory, "file");
    writeFileSync(file, "");
    expect(() =>
      openSqliteStore({ path: join(file, "journal.db"), clock: manualClock(), retention: RETENTION }),
    ).toThrow(`data directory ${file} cannot be written`);
  });

  it("reports a directory in the journal's place and does not move it away", () => {
    const { path, open } = journal();
    mkdirSync(path);
    expect(open).toThrow(StoreError);
    expect(existsSync(path)).toBe(true);
  });

  it("reports a journal that another program keeps locked, and works once it lets go", () => {
    const { path, open } = journal();
    const store = open();
    const other = new DatabaseSync(path);
    other.exec("BEGIN IMMEDIATE");
    expect(() => store.recordIntent(intentOf("a"))).toThrow(/cannot record intent a: .*locked/);
    expect(store.load().openIntents).toEqual([]);
    other.close();
    store.recordIntent(intentOf("a"));
    expect(store.load().openIntents).toHaveLength(1);
    store.close();
  });
});

const STRACE = spawnSync("strace", ["-o", "/dev/null", "true"]).status === 0;
const CALLS = "read,write,pwrite64,fsync,fdatasync,ftruncate";

/** Runs the commands in a traced process; returns its answers and its system calls, in order. */
async function traced(commands: readonly string[], inject: readonly string[] = []) {
  const { path, open } = journal();
  const trace = `${path}.trace`;
  const options = ["-y", "-s", "64", "-e", `trace=${CALLS}`, ...inject, "-o", trace];
  const child = startStoreProcess({ path, behind: ["strace", ...options] });
  const answers = [await child.next()];
  for (const command of commands) {
    child.send(command);
    answers.push(await child.next());
  }
  await child.end();
  const calls = readFileSync(trace, "utf8").split("\n");
  return { path, open, answers, calls, told: calls.findIndex((call) => /^read\(0<.*"intent a/.test(call)) };
}

describe.runIf(STRACE)("seen from the system calls", TIMEOUT, () => {
  it("an intent is synced to disk before recordIntent returns", async () => {
    const { path, calls, told, answers } = await traced(["intent a"]);
    expect(answers[1]).toBe("ok");
    const answered = calls.findIndex((call, n) => n > told && /^write\(1<.*"ok/.test(call));
    expect(told).toBeGreaterThan(0);
    expect(answered).toBeGreaterThan(told);
    const during = calls.slice(told, answered);
    const at = (pattern: string) => during.flatMap((call, n) => (new RegExp(pattern).test(call) ? [n] : []));
    const logWrites = at(`^pwrite64\\(\\d+<${path}-wal>`);
    const logSyncs = at(`^f(data)?sync\\(\\d+<${path}-wal>\\) += 0`);
    const tableWrites = at(`^pwrite64\\(\\d+<${path}>`);
    const tableSyncs = at(`^f(data)?sync\\(\\d+<${path}>\\) += 0`);
    const emptied = at(`^ftruncate\\(\\d+<${path}-wal>, 0\\)`);
    expect(logWrites.length).toBeGreaterThan(0);
    // Log, sync, tables, sync, and only then is the log emptied.
    const synced = logSyncs.find((n) => n > logWrites.at(-1)!);
    expect(synced).toBeDefined();
    expect(tableWrites[0]).toBeGreaterThan(synced!);
    expect(tableSyncs.at(-1)).toBeGreaterThan(tableWrites.at(-1)!);
    expect(emptied).toHaveLength(1);
    expect(emptied[0]).toBeGreaterThan(tableSyncs.at(-1)!);
  });

  it.each([
    { call: "fsync", error: "EIO", nth: 1, says: /input\/output error|disk I\/O error/ },
    { call: "fsync", error: "EIO", nth: 2, says: /input\/output error|disk I\/O error/ },
    { call: "pwrite64", error: "ENOSPC", nth: 1, says: /disk full|database or disk is full/ },
    { call: "pwrite64", error: "ENOSPC", nth: 4, says: /disk full|database or disk is full/ },
    { call: "pwrite64", error: "EIO", nth: 2, says: /input\/output error|disk I\/O error/ },
  ])("$error from $call number $nth of an intent: StoreError, and the next intent works", async (fault) => {
    const { call, error, nth, says } = fault;
    const clean = await traced(["intent a"]);
    const before = clean.calls.slice(0, clean.told).filter((line) => line.startsWith(`${call}(`)).length;
    const inject = ["-e", `inject=${call}:error=${error}:when=${before + nth}`];
    const { answers, calls, open } = await traced(["intent a", "intent b"], inject);
    expect(calls.filter((line) => line.includes("(INJECTED)"))).toHaveLength(1);
    expect(answers[1]).toMatch(/^error StoreError journal .* cannot record intent a: /);
    expect(answers[1]).toMatch(says);
    expect(answers[2]).toBe("ok");
    const { openIntents, quarantined } = open().load();
    expect(quarantined).toBeUndefined();
    expect(openIntents.map(({ id }) => id)).toContain("b");
  });

  it("a disk that stays full refuses every intent and loses nothing of what was there", async () => {
    const clean = await traced(["intent a"]);
    const before = clean.calls.slice(0, clean.told).filter((line) => line.startsWith("pwrite64(")).length;
    const inject = ["-e", `inject=pwrite64:error=ENOSPC:when=${before + 1}+`];
    const { answers, open } = await traced(["intent a", "intent a", "series k"], inject);
    expect(answers.slice(1).every((answer) => answer.startsWith("error StoreError"))).toBe(true);
    const store = open();
    expect(store.load()).toMatchObject({ series: [], lastActions: [], openIntents: [], documents: [] });
    expect(store.load().quarantined).toBeUndefined();
    store.recordIntent(intentOf("a"));
  });
});
