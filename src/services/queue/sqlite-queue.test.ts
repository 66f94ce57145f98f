import { readdirSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { DatabaseSync } from "node:sqlite";
import { afterEach, beforeEach, describe, expect, it } from "vitest";
import { temporaryDirectory } from "../kit/kit.testkit.ts";
import { SqliteQueue, type SqliteQueueOptions } from "./sqlite-queue.ts";
import { type Delivery, QueueUnavailableError } from "./types.ts";

let dir: ReturnType<typeof temporaryDirectory>;
let opened: SqliteQueue[] = [];
let nowMs = 1_700_000_000_000;
beforeEach(() => {
  dir = temporaryDirectory();
  nowMs = 1_700_000_000_000;
});
afterEach(async () => {
  for (const queue of opened) await queue.close();
  opened = [];
  dir.remove();
});

const file = () => join(dir.path, "queue.sqlite");
function open(options: Partial<SqliteQueueOptions> = {}): SqliteQueue {
  const queue = new SqliteQueue({
    file: file(),
    lanes: ["a", "b"],
    laneCapacity: 100,
    dedupWindowMs: 60_000,
    nowMs: () => nowMs,
    ...options,
  });
  opened.push(queue);
  return queue;
}
const message = (key: string, lane = "a") => ({ lane, key, payload: Buffer.from(`payload of ${key}`) });
const offerAll = (queue: SqliteQueue, keys: readonly string[], lane = "a") =>
  Promise.all(keys.map((key) => queue.offer(message(key, lane))));
const keysOf = (deliveries: readonly Delivery[]) => deliveries.map((delivery) => delivery.key);
const done = (queue: SqliteQueue, deliveries: readonly Delivery[]) =>
  queue.settle(deliveries.map((delivery) => ({ delivery, verdict: "done" })));

describe("accepting", () => {
  it("is on disk when the promise resolves: another connection sees it after the process forgot everything", async () => {
    const queue = open();
    expect(await offerAll(queue, ["1", "2", "3"])).toEqual(["accepted", "accepted", "accepted"]);
    await queue.close();
    const db = new DatabaseSync(file());
    expect(db.prepare("SELECT count(*) AS n FROM ready").get()?.n).toBe(3);
    db.close();
  });

  it("does not resolve before the commit", async () => {
    const queue = open({ commitDelayMs: 30 });
    let settled = false;
    const offered = queue.offer(message("1")).then((outcome) => {
      settled = true;
      return outcome;
    });
    expect(queue.take("a", 10)).toEqual([]);
    await Promise.resolve();
    expect(settled).toBe(false);
    expect(await offered).toBe("accepted");
    expect(keysOf(queue.take("a", 10))).toEqual(["1"]);
  });

  it("refuses what does not fit, by count and by bytes, and leaves the other lane alone", async () => {
    const queue = open({ laneCapacity: 2, laneBytes: 1_000 });
    expect(await offerAll(queue, ["1", "2", "3"])).toEqual(["accepted", "accepted", "full"]);
    expect(await queue.offer(message("1", "b"))).toBe("accepted");
    expect(await queue.offer({ lane: "b", key: "big", payload: Buffer.alloc(1_000) })).toBe("full");
    await done(queue, queue.take("a", 1));
    expect(await queue.offer(message("3"))).toBe("accepted");
    expect([queue.depth("a"), queue.depth("b"), queue.fill("a")]).toEqual([2, 1, 1]);
  });

  it("answers an unavailable queue with an error, stores nothing, and does not take the repetition for a duplicate", async () => {
    const queue = open();
    await queue.offer(message("0"));
    await queue.close();
    await expect(queue.offer(message("1"))).rejects.toThrow(QueueUnavailableError);
    await expect(queue.settle([])).resolves.toBeUndefined();
    expect(keysOf(open().take("a", 10))).toEqual(["0"]);
  });

  it("a commit that fails leaves no trace in the dedup window, not even after a restart", async () => {
    const queue = open();
    const unserialisable = { lane: "a", key: "bad", payload: null as unknown as Uint8Array };
    Object.defineProperty(unserialisable, "payload", { value: Object.assign(["x"], { byteLength: 1 }) });
    const together = await Promise.allSettled([queue.offer(message("good")), queue.offer(unserialisable)]);
    expect(together.map((result) => result.status)).toEqual(["rejected", "rejected"]);
    expect(queue.depth("a")).toBe(0);
    expect(await queue.offer(message("other"))).toBe("accepted");
    await queue.close();
    const again = open();
    expect(await offerAll(again, ["good", "other"])).toEqual(["accepted", "duplicate"]);
  });
});

describe("duplicates", () => {
  it("are found within a commit, after it, after the delivery and after a restart; lanes are separate", async () => {
    const queue = open();
    expect(await offerAll(queue, ["1", "1", "2"])).toEqual(["accepted", "duplicate", "accepted"]);
    expect(await queue.offer(message("1"))).toBe("duplicate");
    expect(await queue.offer(message("1", "b"))).toBe("accepted");
    await done(queue, queue.take("a", 10));
    expect(await queue.offer(message("2"))).toBe("duplicate");
    await queue.close();
    expect(await open().offer(message("2"))).toBe("duplicate");
  });

  it("are forgotten after at most two windows, on disk too", async () => {
    const queue = open();
    await queue.offer(message("1"));
    nowMs += 59_000;
    expect(await queue.offer(message("1"))).toBe("duplicate");
    nowMs += 61_000;
    await queue.offer(message("2"));
    nowMs += 60_000;
    await queue.offer(message("3"));
    await done(queue, queue.take("a", 10));
    expect(await queue.offer(message("1"))).toBe("accepted");
    await queue.close();
    const db = new DatabaseSync(file());
    expect(Number(db.prepare("SELECT min(at_ms) AS n FROM recent").get()?.n)).toBeGreaterThan(
      1_700_000_000_000,
    );
    db.close();
  });
});

describe("delivery", () => {
  it("hands out in order, once, and again after a restart what was not settled", async () => {
    const queue = open();
    await offerAll(queue, ["1", "2", "3", "4"]);
    const first = queue.take("a", 2);
    expect(keysOf(first)).toEqual(["1", "2"]);
    expect(keysOf(queue.take("a", 10))).toEqual(["3", "4"]);
    expect(queue.take("a", 10)).toEqual([]);
    await done(queue, [first[1]!]);
    await queue.close();
    const again = open();
    expect(again.depth("a")).toBe(3);
    expect(keysOf(again.take("a", 10))).toEqual(["1", "3", "4"]);
  });

  it("gives a released message again first, without a failure; settles each delivery once", async () => {
    const queue = open();
    await offerAll(queue, ["1", "2"]);
    const [one] = queue.take("a", 1);
    await queue.settle([{ delivery: one!, verdict: "release" }]);
    const again = queue.take("a", 2);
    expect(again.map(({ key, failures }) => [key, failures])).toEqual([
      ["1", 0],
      ["2", 0],
    ]);
    await done(queue, [one!]);
    expect(queue.depth("a")).toBe(2);
    await done(queue, again);
    await done(queue, again);
    expect(queue.depth("a")).toBe(0);
  });

  it("retries after the delay with the failures counted, across a restart, and never hands out twice at once", async () => {
    const queue = open();
    await queue.offer(message("1"));
    const [one] = queue.take("a", 1);
    await queue.settle([{ delivery: one!, verdict: "retry", delayMs: 5_000, reason: "r" }]);
    expect(queue.take("a", 1)).toEqual([]);
    expect(queue.depth("a")).toBe(1);
    await queue.close();
    const again = open();
    nowMs += 4_999;
    expect(again.take("a", 1)).toEqual([]);
    nowMs += 1;
    const [two] = again.take("a", 1);
    expect([two!.key, two!.failures]).toEqual(["1", 1]);
    expect(again.take("a", 1)).toEqual([]);
    await again.settle([{ delivery: two!, verdict: "retry", delayMs: 0, reason: "r" }]);
    const [three] = again.take("a", 1);
    expect(three!.failures).toBe(2);
    await done(again, [three!]);
    expect(again.depth("a")).toBe(0);
  });
});

describe("settlements that are not on disk yet", () => {
  it("do not let a delayed message out a second time, and a release keeps it in hand", async () => {
    const queue = open();
    await queue.offer(message("1"));
    const retry = (delivery: Delivery) =>
      queue.settle([{ delivery, verdict: "retry", delayMs: 0, reason: "r" }]);
    await retry(queue.take("a", 1)[0]!);
    const [second] = queue.take("a", 5);
    const settled = retry(second!);
    expect(queue.take("a", 5)).toEqual([]);
    await settled;
    const [third] = queue.take("a", 5);
    expect(third!.failures).toBe(2);
    await queue.settle([{ delivery: third!, verdict: "release" }]);
    expect(queue.take("a", 5).map(({ failures }) => failures)).toEqual([2]);
    expect(queue.take("a", 5)).toEqual([]);
  });
});

describe("dead letters", () => {
  it("are listed with reason and failures, replayed once, and delivered anew", async () => {
    const queue = open();
    await offerAll(queue, ["1", "2"]);
    await queue.settle(
      queue.take("a", 2).map((delivery) => ({ delivery, verdict: "dead", reason: "poison" })),
    );
    await queue.bury(message("3", "b"), "malformed");
    expect([queue.depth("a"), queue.deadCount()]).toEqual([0, 3]);
    const listed = await queue.deadLetters({ limit: 10 });
    expect(listed.map(({ lane, key, reason, failures }) => [lane, key, reason, failures])).toEqual([
      ["a", "1", "poison", 1],
      ["a", "2", "poison", 1],
      ["b", "3", "malformed", 0],
    ]);
    const both = await Promise.all([
      queue.replay({ lane: "a", limit: 10 }),
      queue.replay({ lane: "a", limit: 10 }),
    ]);
    expect(both).toEqual([2, 0]);
    expect([queue.depth("a"), queue.deadCount()]).toEqual([2, 1]);
    expect(keysOf(queue.take("a", 10))).toEqual(["1", "2"]);
  });

  it("are bounded by lane: the oldest go, and it is told", async () => {
    const dropped: number[] = [];
    const queue = open({ deadCapacity: 2, onDeadDropped: (count) => void dropped.push(count) });
    await queue.bury(message("0", "b"), "r");
    for (const key of ["1", "2", "3", "4"]) await queue.bury(message(key), "r");
    expect((await queue.deadLetters({ limit: 10 })).map(({ key }) => key)).toEqual(["0", "3", "4"]);
    expect([queue.deadCount(), dropped]).toEqual([3, [1, 1]]);
  });
});

describe("the file", () => {
  it("is held by one process", () => {
    open();
    expect(() => open()).toThrow(expect.objectContaining({ name: "QueueInUseError" }));
  });

  it("is set aside when it is no database", async () => {
    writeFileSync(file(), "this is no database, and long enough to be read as one".repeat(99));
    const told: string[] = [];
    const queue = open({ onQuarantine: (setAside) => void told.push(setAside) });
    expect(told).toEqual([`${file()}.corrupt-1700000000000`]);
    expect(readdirSync(dir.path)).toContain("queue.sqlite.corrupt-1700000000000");
    expect(await queue.offer(message("1"))).toBe("accepted");
  });
});
