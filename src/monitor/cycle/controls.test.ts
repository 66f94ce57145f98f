import { describe, expect, it } from "vitest";
import { measuredAs } from "../guards/guard.ts";
import { BUDGET_LEFT } from "../guards/rate-cap/index.ts";
import { createMemoryDisk, createMemoryStore } from "../store/memory/index.ts";
import { GUARDS, scriptedSource, targetOf, VERIFICATION, virtualTime, worldOf } from "./cycle.testkit.ts";
import { bedOf, gatewaySource } from "./execute/playbooks.testkit.ts";

describe("an escalation that a person wants left alone", () => {
  const escalated = async () => {
    const time = virtualTime();
    let level = 100;
    let rising = true;
    const w = worldOf({
      store: createMemoryStore({ clock: time.clock }),
      time,
      sources: [
        scriptedSource(() => {
          level = rising ? level + 600 : 100;
          return level;
        }),
      ],
      settings: { verification: { ...VERIFICATION, maxIneffective: 1, ineffectiveWindowMs: 24 * 3_600_000 } },
    });
    w.fleet.answer = () => "refused";
    await w.cycles(20);
    expect(w.reported.cycles.at(-1)?.decisions[0]?.reason).toBe("escalated");
    const heal = () => {
      rising = false;
    };
    const lasts = () => w.loop.controls.verification.targets["product-api"]?.escalation !== undefined;
    return { w, heal, lasts };
  };
  const said = { target: "product-api", by: "ana", reason: "we are on it", resumeTarget: false };

  it("stays stopped, also when it is well for long, until somebody says to go on", async () => {
    const { w, heal, lasts } = await escalated();
    expect(w.loop.controls.answerEscalation(said)).toBe(true);
    expect(w.reported.notices.at(-1)).toEqual({
      event: "escalation answered",
      fields: { target: "product-api", by: "ana", reason: "we are on it", answer: "stay stopped" },
    });
    heal();
    await w.cycles(120);
    expect(lasts()).toBe(true);
    expect(w.loop.controls.answerEscalation({ ...said, resumeTarget: true })).toBe(true);
    expect(w.reported.notices.at(-1)?.fields.answer).toBe("go on");
    expect(lasts()).toBe(false);
  });

  it("for a while: after that its health ends it", async () => {
    const { w, heal, lasts } = await escalated();
    w.loop.controls.answerEscalation({ ...said, forMs: 3_600_000 });
    heal();
    await w.cycles(119);
    expect(lasts()).toBe(true);
    await w.cycles(3);
    expect(lasts()).toBe(false);
  });

  it("is told no to where there is none", async () => {
    const { w } = await escalated();
    const told = w.reported.notices.length;
    expect(w.loop.controls.answerEscalation({ ...said, target: "other" })).toBe(false);
    expect(w.reported.notices).toHaveLength(told);
  });
});

describe("a pause", () => {
  it("is told with its length, where it has one", () => {
    const w = worldOf({ store: createMemoryStore() });
    const said = { by: "ana", reason: "load test" };
    w.loop.controls.pause({ ...said, forMs: 90_000 });
    w.loop.controls.pause(said);
    expect(w.reported.notices).toEqual([
      { event: "acting paused", fields: { ...said, for_seconds: 90 } },
      { event: "acting paused", fields: said },
    ]);
    expect(w.loop.controls.guards.pause).not.toHaveProperty("untilMonoMs");
  });
});

describe("budgets after a restart", () => {
  it("count a run of a playbook once a target, and taking it back not at all", async () => {
    const time = virtualTime();
    const disk = createMemoryDisk();
    const source = gatewaySource(time);
    const open = () => createMemoryStore({ disk, clock: time.clock });
    const first = bedOf({ store: open(), time, source });
    await first.cycles(14);
    const startedMs = time.clock.now().monoMs;
    first.fire();
    await first.cycle();
    first.resolve();
    await first.cycle();
    expect(first.effects()).toEqual(["isolate us-east-1", "limit", "unlimit", "release us-east-1"]);
    disk.crash();
    const guards = { ...GUARDS, targetCap: { actions: 2, windowMs: 3_600_000 } };
    const second = bedOf({ store: open(), time, source, settings: { guards } });
    await second.loop.start();
    expect(second.loop.controls.guards.actions).toEqual([
      { run: expect.any(String), asker: "gateway", targets: ["gateway"], monoMs: startedMs, shadow: false },
    ]);
    expect(measuredAs((await second.cycle()).guards, BUDGET_LEFT).get("target:gateway")).toBe(1);
    disk.crash();
    const inner = open();
    const undos = inner.recent(9).filter(({ intent }) => intent.origin?.undoes !== undefined);
    expect(undos).toHaveLength(2);
    const third = bedOf({ store: { ...inner, recent: () => undos }, time, source, settings: { guards } });
    await third.loop.start();
    expect(third.loop.controls.guards.actions).toEqual([]);
  });
});

describe("what people say", () => {
  const world = () => worldOf({ store: createMemoryStore(), settings: { targets: [targetOf()] } });
  it("for a while ends by itself; resuming what is not paused says so", async () => {
    const w = world();
    const paused = () => measuredAs(w.reported.cycles.at(-1)!.guards, "predict_paused").get("");
    expect(w.loop.controls.resume({ by: "ana", reason: "x" })).toBe(false);
    w.loop.controls.pause({ by: "ana", reason: "x", forMs: 120_000 });
    await w.cycles(3);
    expect(paused()).toBe(1);
    await w.cycles(3);
    expect(paused()).toBe(0);
  });

  it("asks for a mitigation of a target that is configured, which is carried out in the next cycle", async () => {
    const w = world();
    await w.cycles(1);
    const asked = { by: "ana", reason: "customers call" };
    expect(w.loop.controls.request({ target: "product-api", ...asked })).toMatchObject({
      target: "product-api",
      ...asked,
    });
    await w.cycles(1);
    expect(w.reported.cycles.at(-1)?.actions.map(({ intent }) => intent.target)).toEqual(["product-api"]);
    expect(w.loop.controls.request({ target: "nobody", ...asked })).toBe("unknown");
    expect(w.loop.controls.request({ target: "product-api", playbook: "none", ...asked })).toBe("unknown");
    await w.cycles(1);
    expect(w.reported.cycles.at(-1)?.actions).toEqual([]);
  });

  it("finds no room for a silence when all places are taken by those to come", () => {
    const w = world();
    const { wallMs } = w.time.clock.now();
    const given = { target: "*", signal: "*", action: "*", author: "ana", reason: "x" };
    const add = () => w.loop.controls.silence({ ...given, startsAtMs: wallMs, endsAtMs: wallMs + 1e6 });
    for (let n = 0; n < 500; n++) expect(add()).toBeDefined();
    expect(add()).toBeUndefined();
  });
});
