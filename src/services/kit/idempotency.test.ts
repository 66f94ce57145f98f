import { join } from "node:path";
import { afterEach, beforeEach, describe, expect, test } from "vitest";
import { CallGuard } from "./call-guard.ts";
import { ManualClock, startTestService, type TestService, temporaryDirectory } from "./kit.testkit.ts";
import { Ledger } from "./ledger.ts";
import type { ServiceOptions } from "./service.ts";

let dir: ReturnType<typeof temporaryDirectory>;
const running: { close(): Promise<void> }[] = [];
beforeEach(() => {
  dir = temporaryDirectory();
});
afterEach(async () => {
  await Promise.all(running.splice(0).map((service) => service.close()));
  dir.remove();
});

async function start(options: Partial<ServiceOptions> = {}): Promise<TestService> {
  const service = await startTestService({ dataDir: dir.path, ...options });
  running.push(service);
  return service;
}

const faultsOf = async (service: TestService) => (await service.admin("GET", "/admin/faults")).json.faults;
const events = (service: TestService) =>
  service.lines.filter((line) => line.message !== "service listening").map((line) => line.message);

describe("idempotency and fencing", () => {
  test("a repeated key has no second effect and gets the first answer", async () => {
    const service = await start();
    const headers = { "idempotency-key": "intent-1" };
    const call = () => service.admin("POST", "/admin/fault?mode=leak&kb=50", headers);
    const first = await call();
    expect([first.headers.get("idempotent-replay"), first.json.leak_chunks]).toEqual([null, 1]);
    const second = await call();
    expect(second.status).toBe(200);
    expect(second.headers.get("idempotent-replay")).toBe("true");
    expect(second.json).toEqual(first.json);
    expect(await service.metrics()).toContain("memory_leak_chunks 1");
    expect(events(service)).toEqual([
      "admin call received",
      "fault injected",
      "admin call received",
      "admin call repeated, no second effect",
    ]);
  });

  test("twenty calls at once with one key have one effect", async () => {
    const service = await start();
    const answers = await Promise.all(
      Array.from({ length: 20 }, () =>
        service.admin("POST", "/admin/fault?mode=latency&inc=7", { "idempotency-key": "same" }),
      ),
    );
    expect(answers.every(({ json }) => json.artificial_latency_ms === 7)).toBe(true);
    expect(answers.filter(({ headers }) => headers.get("idempotent-replay") === null)).toHaveLength(1);
  });

  test("the key survives a restart; what it did can be asked", async () => {
    const clock = new ManualClock();
    const first = await start({ clock });
    const headers = { "idempotency-key": "intent/7:x" };
    await first.admin("POST", "/admin/fault?mode=leak&kb=50");
    expect((await first.admin("POST", "/admin/mitigate", headers)).json.freed_chunks).toBe(1);
    await first.close();
    const second = await start({ clock });
    const replay = await second.admin("POST", "/admin/mitigate", headers);
    expect(replay.json).toEqual({ reset_latency: true, freed_chunks: 1 });
    expect(replay.headers.get("idempotent-replay")).toBe("true");
    const path = `/admin/actions/${encodeURIComponent("intent/7:x")}`;
    expect(await second.admin("GET", path)).toMatchObject({
      status: 200,
      json: {
        key: "intent/7:x",
        applied: true,
        answer: { reset_latency: true, freed_chunks: 1 },
        at: "2023-11-14T22:13:20.000Z",
      },
    });
    expect(await second.admin("GET", "/admin/actions/never")).toMatchObject({
      status: 404,
      json: { key: "never", applied: false },
    });
    clock.advance(25 * 3_600_000);
    expect((await second.admin("GET", path)).status).toBe(404);
  });

  test("a refused call does not use up its key", async () => {
    const service = await start();
    const headers = { "idempotency-key": "k" };
    await service.admin("POST", "/admin/fault?mode=leak&kb=1048576&over=10000");
    expect((await service.admin("POST", "/admin/fault?mode=leak&kb=50", headers)).status).toBe(400);
    expect((await service.admin("GET", "/admin/actions/k")).status).toBe(404);
    await service.admin("POST", "/admin/mitigate");
    const answer = await service.admin("POST", "/admin/fault?mode=leak&kb=50", headers);
    expect([answer.status, answer.headers.get("idempotent-replay")]).toEqual([200, null]);
  });

  test("a key belongs to one call", async () => {
    const service = await start();
    const headers = { "idempotency-key": "k" };
    await service.admin("POST", "/admin/mitigate", headers);
    const other = await service.admin("POST", "/admin/fault?mode=latency&inc=5", headers);
    expect(other).toMatchObject({ status: 422, json: { parameter: "idempotency-key" } });
    expect(await faultsOf(service)).toEqual({});
  });

  test("an overtaken epoch is refused with both epochs, also after a restart and for a known key", async () => {
    const first = await start();
    const call = (service: TestService, epoch: string, key: string) =>
      service.admin("POST", "/admin/mitigate", { "x-predictive-epoch": epoch, "idempotency-key": key });
    expect((await call(first, "6", "a")).status).toBe(200);
    expect((await call(first, "7", "b")).status).toBe(200);
    expect((await call(first, "7", "c")).status).toBe(200);
    await first.close();
    const second = await start();
    await second.admin("POST", "/admin/fault?mode=latency&inc=5");
    for (const key of ["d", "a"]) {
      const answer = await call(second, "6", key);
      expect(answer).toMatchObject({ status: 409, json: { epoch: 6, highest_epoch: 7 } });
    }
    expect(await faultsOf(second)).toHaveProperty("latency");
    expect((await second.admin("GET", "/admin/faults")).json.highest_epoch).toBe(7);
    expect((await second.admin("POST", "/admin/mitigate")).status).toBe(200);
  });

  test("a bad call does not raise the epoch", async () => {
    const service = await start();
    await service.admin("POST", "/admin/mitigate?x=1", { "x-predictive-epoch": "99" });
    expect((await service.admin("GET", "/admin/faults")).json.highest_epoch).toBeNull();
  });
});

describe("a ledger that cannot write", () => {
  const headers = { key: "k", epoch: 3, automated: true };
  function brokenAt(method: "begin" | "finish") {
    const ledger = new Ledger({ file: join(dir.path, "admin.sqlite"), nowMs: 0 });
    running.push({ close: async () => ledger.close() });
    ledger[method] = () => {
      throw new Error("disk full");
    };
    return { ledger, guard: new CallGuard(ledger, () => 1_000) };
  }

  test("no record of the intent: 503 and no effect", async () => {
    let effects = 0;
    const { guard } = brokenAt("begin");
    const call = guard.run("POST /admin/mitigate", headers, () => ({ effects: ++effects }));
    await expect(call).rejects.toMatchObject({ status: 503, body: { applied: false, reason: "disk full" } });
    expect(effects).toBe(0);
  });

  test("no record of the answer: 500 that says the effect happened", async () => {
    let effects = 0;
    const { guard, ledger } = brokenAt("finish");
    const call = guard.run("POST /admin/mitigate", headers, () => ({ effects: ++effects }));
    await expect(call).rejects.toMatchObject({ status: 500, body: { applied: true } });
    expect(effects).toBe(1);
    expect(ledger.find("k", 1_000)?.answer).toBeUndefined();
    // Neither is it denied afterwards, nor done again.
    expect(guard.find("k")).toMatchObject({ key: "k", answer: { effects: 1 } });
    expect(await guard.run("POST /admin/mitigate", headers, () => ({ effects: ++effects }))).toEqual({
      answer: { effects: 1 },
      replayed: true,
    });
    expect(effects).toBe(1);
  });

  test("a record that could not be completed is completed when the key is next asked for", async () => {
    const { guard, ledger } = brokenAt("finish");
    await expect(guard.run("c", headers, () => ({ done: true }))).rejects.toMatchObject({ status: 500 });
    ledger.finish = Ledger.prototype.finish;
    expect(guard.find("k")?.answer).toEqual({ done: true });
    expect(ledger.find("k", 1_000)?.answer).toEqual({ done: true });
    expect(guard.find("never")).toBeUndefined();
  });

  test("a call without key and epoch needs no ledger, and a failed call does not block the next", async () => {
    const { guard } = brokenAt("begin");
    await expect(guard.run("c", headers, () => ({}))).rejects.toThrow();
    const plain = { key: undefined, epoch: undefined, automated: false };
    expect(await guard.run("c", plain, () => ({ done: true }))).toEqual({
      answer: { done: true },
      replayed: false,
    });
  });

  test("the intent is on disk before the effect, the answer before the call returns", async () => {
    const ledger = new Ledger({ file: join(dir.path, "admin.sqlite"), nowMs: 0 });
    running.push({ close: async () => ledger.close() });
    const guard = new CallGuard(ledger, () => 1_000);
    let during: unknown;
    await guard.run("c", headers, () => {
      during = ledger.find("k", 1_000);
      return { done: true };
    });
    expect(during).toEqual({ key: "k", call: "c", atMs: 1_000, answer: undefined });
    expect(ledger.find("k", 1_000)?.answer).toEqual({ done: true });
    expect(ledger.epoch()).toBe(3);
  });
});
