import { describe, expect, it } from "vitest";
import type { EscalationAlert, Notifier } from "../../kernel/verification.ts";
import { createMemoryDisk, createMemoryStore } from "../../store/memory/index.ts";
import {
  scriptedSource,
  settingsOf,
  targetOf,
  VERIFICATION,
  virtualTime,
  worldOf,
} from "../cycle.testkit.ts";
import { bedOf, GATEWAY, playbookOf, stepOf } from "../execute/playbooks.testkit.ts";

/** A target that refuses every action and is escalated at the first. */
function refusing(notify: Notifier["notify"], over: Parameters<typeof settingsOf>[0] = {}) {
  let level = 100;
  const w = worldOf({
    store: createMemoryStore(),
    sources: [
      scriptedSource(() => {
        level += 600;
        return level;
      }),
    ],
    settings: { verification: { ...VERIFICATION, maxIneffective: 1 }, ...over },
    ports: { notifier: { notify, close: async () => {} } },
  });
  w.fleet.answer = () => "refused";
  return w;
}

describe("people", () => {
  it.each([
    ["http://monitor:9105", { generatorUrl: "http://monitor:9105" }],
    [undefined, {}],
  ])("are told where to look, where the monitor's address is %s", async (externalUrl, wanted) => {
    const told: EscalationAlert[] = [];
    const { escalation } = settingsOf();
    const notify: Notifier["notify"] = async (alerts) => {
      told.push(...alerts);
      return { status: "delivered" };
    };
    await refusing(notify, { escalation: { ...escalation, externalUrl } }).cycles(20);
    expect(told.length).toBeGreaterThan(0);
    for (const { generatorUrl } of told) expect({ ...(generatorUrl && { generatorUrl }) }).toEqual(wanted);
  });

  it.each([
    ["an error", new Error("defect")],
    ["something that is no error", "defect"],
  ])("are told in a later cycle when telling them throws %s, and the tick ends", async (_name, thrown) => {
    let broken = true;
    let delivered = 0;
    const w = refusing(async () => {
      if (broken) throw thrown;
      delivered += 1;
      return { status: "delivered" };
    });
    await w.cycles(20);
    const missed = w.reported.notices.filter((n) => n.event === "escalation not delivered");
    expect(missed.length).toBeGreaterThan(1);
    expect(missed[0]?.fields).toEqual({ detail: "defect", alerts: 1 });
    broken = false;
    await w.cycle();
    expect(delivered).toBe(1);
  });
});

describe("what verification remembered", () => {
  it("and cannot be read any more is forgotten, and said so, while the cooldown holds", async () => {
    const time = virtualTime();
    const disk = createMemoryDisk();
    const open = () => worldOf({ store: createMemoryStore({ disk, clock: time.clock }), time });
    const first = open();
    await first.loop.start();
    await first.cycles(6);
    expect(first.fleet.effects).toHaveLength(1);
    first.store.saveDocuments([
      { kind: "verification", key: "state", body: { bootId: "boot-1", news: "x" } },
    ]);
    disk.crash();
    const again = open();
    await again.loop.start();
    expect(again.reported.notices).toEqual([
      {
        event: "verifications forgotten",
        fields: { detail: "verification.pending must be a mapping" },
      },
    ]);
    expect(again.loop.controls.verification).toMatchObject({ pending: {}, targets: {}, bootId: "boot-1" });
    await again.cycles(6);
    expect(again.reported.cycles.at(-1)?.decisions[0]?.reason).toBe("cooldown_active");
  });
});

describe("a run that no series shows", () => {
  const workload = (name: string) => targetOf(name, { signals: [] });
  const plain = (name: string, alert: string) => {
    const { forecast: _none, ...playbook } = playbookOf({
      name,
      alert: { name: alert, labels: {} },
      steps: [stepOf("retrain", { on: workload(name) })],
    });
    return playbook;
  };
  const verified = (bed: ReturnType<typeof bedOf>) => bed.reported.cycles.flatMap((c) => c.verified);

  it("of which every step was skipped did nothing, so that nothing is judged", async () => {
    const { forecast: _none, ...skipping } = playbookOf({
      steps: [stepOf("isolate", { parameters: { region: "$region" } })],
    });
    const bed = bedOf({
      store: createMemoryStore(),
      flood: false,
      settings: { targets: [GATEWAY], playbooks: [skipping] },
    });
    bed.fire();
    await bed.cycles(2);
    bed.resolve();
    await bed.cycles(15);
    expect(verified(bed)).toEqual([]);
    expect(bed.loop.containment.runs.get("contain")).not.toHaveProperty("verified");
  });

  it("is inconclusive when nothing more is known of its alert", async () => {
    const time = virtualTime();
    const disk = createMemoryDisk();
    const settings = { targets: [GATEWAY], playbooks: [plain("restart", "BacklogHigh")] };
    const open = () => bedOf({ store: createMemoryStore({ disk, clock: time.clock }), time, settings });
    const first = open();
    first.fire();
    await first.cycle();
    expect(first.effects()).toEqual(["retrain"]);
    const alerts = first.store.load().documents.filter((d) => d.kind === "alert");
    expect(alerts).toHaveLength(1);
    first.store.saveDocuments(alerts.map((d) => ({ ...d, body: undefined })));
    disk.crash();
    const second = open();
    await second.loop.start();
    await second.cycles(12);
    expect(verified(second)).toEqual([
      expect.objectContaining({
        target: "gateway",
        outcome: "inconclusive",
        detail: "nothing was heard of the alert since the action",
      }),
    ]);
  });

  it("bears its own verdict, and no other run's", async () => {
    const shown = { ...plain("shown", "Early"), verify: { target: "gateway", signal: "memory" } };
    const bed = bedOf({
      store: createMemoryStore(),
      settings: {
        targets: [GATEWAY],
        playbooks: [shown, plain("other", "BacklogHigh")],
        verification: { ...VERIFICATION, windowMs: 150_000 },
      },
    });
    await bed.cycles(2);
    bed.fire({ name: "Early", fingerprint: "00000000000000e1" });
    bed.fire({ labels: { alertname: "BacklogHigh" } });
    await bed.cycles(7);
    const verdictOf = (name: string) => bed.loop.containment.runs.get(name)?.verified;
    expect(verdictOf("shown")).toMatchObject({
      outcome: "recovered",
      detail: expect.stringMatching(/SLO 300/),
    });
    expect(verdictOf("other")).toEqual({
      outcome: "inconclusive",
      detail: "nothing was heard of the alert since the action",
    });
  });
});
