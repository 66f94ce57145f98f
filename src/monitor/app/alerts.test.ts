import { describe, expect, it } from "vitest";
import { openLog } from "../../common/telemetry/logger.ts";
import { createFleet, recordingReporter, settingsOf, virtualTime } from "../cycle/cycle.testkit.ts";
import { createLoop } from "../cycle/tick.ts";
import { type AlertState, AlertsFullError } from "../kernel/containment.ts";
import { StoreError } from "../kernel/store.ts";
import { createMemoryDisk, createMemoryStore } from "../store/memory/index.ts";
import { alertsApi } from "./alerts.ts";

/** A real loop on a disk of the test's own, behind what the webhook's endpoint asks. */
async function bed(disk = createMemoryDisk()) {
  const time = virtualTime();
  const store = createMemoryStore({ clock: time.clock, disk });
  const fleet = createFleet(time.clock);
  const loop = createLoop(
    {
      clock: time.clock,
      sources: [],
      store,
      actions: new Map([[fleet.kind, fleet]]),
      reporter: recordingReporter(),
      newId: () => "id",
      deadline: () => new AbortController().signal,
    },
    settingsOf({ alertStaleMs: 60_000 }),
  );
  await loop.start();
  const lines: Record<string, unknown>[] = [];
  const { logger } = openLog({ job: "test", stream: { write: (line) => void lines.push(JSON.parse(line)) } });
  return { api: alertsApi({ loop, clock: time.clock, logger }), time, store, disk, lines };
}

const firing = (id: number, labels: Record<string, string> = {}, over = false) => ({
  status: over ? "resolved" : "firing",
  labels: { alertname: "BacklogHigh", ...labels },
  startsAt: "2023-11-14T22:00:00Z",
  endsAt: over ? "2023-11-14T22:01:00Z" : "0001-01-01T00:00:00Z",
  fingerprint: id.toString(16).padStart(16, "0"),
});

function read({ api }: Awaited<ReturnType<typeof bed>>, ...alerts: unknown[]): readonly AlertState[] {
  const webhook = api.readAlerts({ version: "4", alerts });
  expect(webhook.problems).toEqual([]);
  return webhook.alerts;
}

describe("alerts that are heard", () => {
  it("are told once, on one line each, whatever their labels hold", async () => {
    const it = await bed();
    await it.api.ingestAlerts(read(it, firing(1, { job: "a\n\u001b[31mb" })));
    await it.api.ingestAlerts(read(it, firing(1, { job: "a\n\u001b[31mb" })));
    await it.api.ingestAlerts(read(it, firing(1, { job: "a\n\u001b[31mb" }, true)));
    await it.api.ingestAlerts(read(it, firing(1)));
    expect(it.lines.map(({ message, alert }) => [message, alert])).toEqual([
      ["alert firing", "BacklogHigh"],
      ["alert resolved", "BacklogHigh"],
    ]);
    expect(it.lines[0]).toMatchObject({
      level: "info",
      fingerprint: "0000000000000001",
      starts_at: "2023-11-14T22:00:00.000Z",
      detail: "not known before",
    });
    expect(it.lines[0]?.labels).toBe('alertname="BacklogHigh",job="a\\n\\u001b[31mb"');
  });

  it("in a flood make few lines, and those left out are counted", async () => {
    const it = await bed();
    await it.api.ingestAlerts(read(it, ...Array.from({ length: 50 }, (_, i) => firing(i + 1))));
    expect(it.lines).toHaveLength(21);
    expect(it.lines.at(-1)).toMatchObject({ message: "further alerts changed", count: 30 });
  });

  it("count as firing until they are over or not heard of for too long", async () => {
    const it = await bed();
    await it.api.ingestAlerts(read(it, firing(1), firing(2), firing(3, {}, true)));
    expect(it.api.firingAlerts()).toBe(2);
    it.time.advance(40_000);
    await it.api.ingestAlerts(read(it, firing(2)));
    it.time.advance(30_000);
    expect(it.api.firingAlerts()).toBe(1);
    await it.api.ingestAlerts(read(it, firing(2, {}, true)));
    expect(it.api.firingAlerts()).toBe(0);
  });

  it("are known again after a restart", async () => {
    const before = await bed();
    await before.api.ingestAlerts(read(before, firing(1)));
    before.store.close();
    const after = await bed(before.disk);
    expect(after.api.firingAlerts()).toBe(1);
    await after.api.ingestAlerts(read(after, firing(1)));
    expect(after.lines).toEqual([]);
  });
});

describe("alerts that cannot be kept", () => {
  it("are not known, and the sender is told that the disk takes nothing", async () => {
    const it = await bed();
    it.disk.failWrites = "disk full";
    await expect(it.api.ingestAlerts(read(it, firing(1)))).rejects.toThrow(StoreError);
    expect([it.api.firingAlerts(), it.lines]).toEqual([0, []]);
    it.disk.failWrites = undefined;
    await it.api.ingestAlerts(read(it, firing(1)));
    expect(it.api.firingAlerts()).toBe(1);
  });

  it("for want of room are refused by name, and the others are kept on disk", async () => {
    const it = await bed();
    const all = read(it, ...Array.from({ length: 1001 }, (_, i) => firing(i + 1)));
    const error = await it.api.ingestAlerts(all).catch((e: unknown) => e);
    expect(error).toBeInstanceOf(AlertsFullError);
    expect((error as AlertsFullError).refused).toEqual([all[1000]]);
    expect(it.api.firingAlerts()).toBe(1000);
    it.store.close();
    expect((await bed(it.disk)).api.firingAlerts()).toBe(1000);
  });
});
