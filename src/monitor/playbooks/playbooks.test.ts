import { describe, expect, it } from "vitest";
import type { AlertState, Playbook, Step } from "../kernel/containment.ts";
import type { Decision } from "../kernel/decision.ts";
import type { Instance, Target } from "../kernel/target.ts";
import { decidePlaybook, type PlaybookInput } from "./decide.ts";
import { mitigationOf, type Plan, planKey } from "./playbook.ts";
import { unmet } from "./preconditions.ts";
import { readRun } from "./read.ts";
import {
  callOf,
  effectUntilMono,
  episodesOver,
  joined,
  type Run,
  type RunStep,
  resumeRun,
  undoable,
} from "./run.ts";

const NOW = { wallMs: 1_760_000_000_000, monoMs: 1_000_000 };
const BOOT = "boot-1";
const GATEWAY: Target = {
  ...{ name: "gateway", job: "gateway", instances: [], aggregate: "job", signals: [] },
  ...{ cooldownMs: 300_000, autoHeal: true, mitigation: { action: "mitigate" } },
};

function stepOf(over: Partial<Step> = {}): Step {
  return { kind: "isolate-region", on: GATEWAY, parameters: {}, preconditions: [], ...over };
}

const PLAYBOOK: Playbook = { name: "contain", steps: [stepOf()], undoOnResolved: true };

const ALERT: AlertState = {
  fingerprint: "f1",
  name: "BacklogHigh",
  labels: {},
  status: "firing",
  startsAtMs: 5,
  receivedAt: NOW,
  bootId: BOOT,
};

function runStep(over: Partial<RunStep> = {}): RunStep {
  return {
    kind: "isolate-region",
    on: GATEWAY,
    status: "done",
    detail: "",
    undoAttempts: 0,
    at: NOW,
    ...over,
  };
}

function runOf(over: Partial<Run> = {}): Run {
  return {
    id: "r",
    playbook: "contain",
    asker: "gateway",
    mode: "auto",
    cause: "alert",
    target: "gateway",
    signal: "BacklogHigh",
    predictor: "alertmanager",
    episodes: [{ fingerprint: "f1", startsAtMs: 5 }],
    undoOnResolved: true,
    startedAt: NOW,
    bootId: BOOT,
    steps: [runStep()],
    status: "done",
    ...over,
  };
}

function decide(over: Partial<PlaybookInput> = {}) {
  return decidePlaybook({
    playbook: PLAYBOOK,
    firing: [ALERT],
    stale: [],
    asked: undefined,
    run: undefined,
    now: NOW,
    bootId: BOOT,
    ...over,
  });
}

const ASKED = { target: "gateway", signal: "backlog", trigger: "trend", act: true } as Decision;

describe("decidePlaybook", () => {
  it("says nothing of a playbook that nothing asks for", () => {
    expect(decide({ firing: [] })).toBeUndefined();
  });

  it("starts for an alert, a forecast or both, and names what asked", () => {
    expect(decide()).toMatchObject({ act: true, reason: "alert", detail: "BacklogHigh fires" });
    expect(decide({ firing: [], asked: ASKED })).toMatchObject({
      act: true,
      reason: "trend",
      forecast: { target: "gateway", signal: "backlog" },
      detail: "backlog of gateway is forecast to exceed its SLO",
    });
    expect(decide({ asked: ASKED })?.detail).toBe(
      "BacklogHigh fires; backlog of gateway is forecast to exceed its SLO",
    );
  });

  it("does not start for what was only heard of long ago, unless something else asks", () => {
    expect(decide({ firing: [], stale: [ALERT] })).toMatchObject({ act: false, reason: "alert_stale" });
    expect(decide({ firing: [], stale: [ALERT], asked: ASKED })).toMatchObject({
      act: true,
      reason: "trend",
    });
  });

  it("starts for a person, who is named beside whatever else asks", () => {
    expect(decide({ firing: [], person: "ana" })).toMatchObject({
      act: true,
      reason: "person",
      alerts: [],
      detail: "ana asks for it",
    });
    expect(decide({ firing: [], stale: [ALERT], person: "ana" })).toMatchObject({
      act: true,
      reason: "person",
    });
    expect(decide({ person: "ana" })).toMatchObject({
      reason: "alert",
      detail: "BacklogHigh fires; ana asks for it",
    });
    expect(decide({ firing: [], asked: ASKED, person: "ana" })).toMatchObject({ reason: "trend" });
    expect(decide({ firing: [], person: "ana", run: runOf({ status: "running" }) })).toMatchObject({
      act: false,
      reason: "already_contained",
    });
  });

  it("waits for a run of it, for what it did, and for its being taken back", () => {
    expect(decide({ run: runOf({ status: "running" }) })).toMatchObject({ reason: "already_contained" });
    expect(decide({ run: runOf({ status: "undoing" }) })).toMatchObject({ reason: "undo_under_way" });
    const run = runOf({ steps: [runStep({ expiresMs: 60_000 })] });
    expect(decide({ run })).toMatchObject({ reason: "already_contained", untilMs: NOW.wallMs + 60_000 });
    expect(decide({ run, now: { ...NOW, monoMs: NOW.monoMs + 60_000 } })).toMatchObject({ act: true });
  });
});

describe("the mitigation of a target", () => {
  it("is a playbook of one step that needs no name, verified by the signal that asked for it", () => {
    const plan = mitigationOf(GATEWAY, "backlog");
    expect(plan).toEqual({
      forecast: { target: "gateway", signal: "backlog" },
      steps: [{ kind: "mitigate", on: GATEWAY, parameters: {}, preconditions: [] }],
      undoOnResolved: false,
    });
    expect(mitigationOf(GATEWAY)).not.toHaveProperty("forecast");
  });

  it("is what the configuration states, carried out on what it names, with the target's cooldown and mode", () => {
    const on: Instance = { name: "drain", url: "call://drain" };
    const plan = mitigationOf({ ...GATEWAY, autoHeal: false, mitigation: { action: "http", on } });
    expect(plan?.steps).toEqual([
      {
        kind: "http",
        on: { name: "drain", instances: [on], cooldownMs: 300_000, autoHeal: false },
        parameters: {},
        preconditions: [],
      },
    ]);
  });

  it("is nothing where nothing is stated, and none of its own where a playbook is", () => {
    const { mitigation: _, ...unstated } = GATEWAY;
    expect(mitigationOf(unstated)).toBeUndefined();
    expect(mitigationOf({ ...GATEWAY, mitigation: { playbook: "contain" } })).toBeUndefined();
  });

  it("has one newest run a target, as a playbook has one", () => {
    expect(planKey(mitigationOf(GATEWAY) as Plan, "gateway")).toBe("mitigate gateway");
    expect(planKey(PLAYBOOK, "gateway")).toBe("contain");
    expect(planKey(runOf(), "gateway")).toBe("contain");
  });
});

describe("effectUntilMono", () => {
  it("is the last end of what took effect, and nothing where nothing ends by itself", () => {
    const steps = [
      runStep({ expiresMs: 10_000 }),
      runStep({ expiresMs: 90_000, status: "failed" }),
      runStep({ expiresMs: 30_000, status: "kept" }),
      runStep(),
    ];
    expect(effectUntilMono(runOf({ steps }), NOW, BOOT)).toBe(NOW.monoMs + 30_000);
    expect(effectUntilMono(runOf(), NOW, BOOT)).toBeUndefined();
    expect(
      effectUntilMono(runOf({ steps: [runStep({ expiresMs: 5, status: "undone" })] }), NOW, BOOT),
    ).toBeUndefined();
  });

  it("counts from now after a reboot: nobody can tell how long ago it began", () => {
    const run = runOf({ steps: [runStep({ expiresMs: 60_000, at: { wallMs: 0, monoMs: 9e9 } })] });
    expect(effectUntilMono(run, NOW, "boot-2")).toBe(NOW.monoMs + 60_000);
  });
});

describe("episodesOver", () => {
  it("needs every episode to have ended; one that was not heard of has not", () => {
    const resolved = { ...ALERT, status: "resolved" as const, endsAtMs: 9 };
    expect(episodesOver(runOf(), new Map([["f1", resolved]]))).toBe(true);
    expect(episodesOver(runOf(), new Map([["f1", ALERT]]))).toBe(false);
    expect(episodesOver(runOf(), new Map())).toBe(false);
    expect(episodesOver(runOf({ episodes: [] }), new Map([["f1", resolved]]))).toBe(false);
    expect(episodesOver(runOf(), new Map([["f1", { ...resolved, startsAtMs: 4 }]]))).toBe(false);
  });
});

describe("joined", () => {
  it("takes up further episodes once each, and keeps the newest fifty", () => {
    const run = runOf();
    expect(joined(run, [ALERT])).toBe(run);
    expect(joined(run, [{ ...ALERT, startsAtMs: 7 }]).episodes).toHaveLength(2);
    const many = Array.from({ length: 80 }, (_, n) => ({ ...ALERT, fingerprint: `x${n}` }));
    expect(joined(run, many).episodes).toHaveLength(50);
  });
});

describe("undoable", () => {
  const undo = { kind: "release-region", parameters: {} };
  it("lists the last step first, without what had no effect, cannot be taken back, or has ended", () => {
    const steps = [
      runStep({ undo }),
      runStep({ undo, status: "skipped" }),
      runStep(),
      runStep({ undo, expiresMs: 1, at: { wallMs: 0, monoMs: NOW.monoMs - 1 } }),
      runStep({ undo, expiresMs: 1000 }),
    ];
    expect(undoable(runOf({ steps }), NOW, BOOT)).toEqual([4, 0]);
  });
});

describe("a step that does not say when it took effect", () => {
  const { at: _unknown, ...silent } = runStep({
    expiresMs: 1,
    undo: { kind: "release-region", parameters: {} },
  });
  it("can be taken back, for it may be in effect still, also after a reboot", () => {
    const run = runOf({ steps: [silent] });
    expect(undoable(run, NOW, BOOT)).toEqual([0]);
    const resumed = resumeRun(run, { ...NOW, monoMs: 5 }, "boot-2");
    expect(resumed).toMatchObject({ bootId: "boot-2", startedAt: { monoMs: 5 } });
    expect(resumed.steps[0]).not.toHaveProperty("at");
    expect(undoable(resumed, { ...NOW, monoMs: 9 }, "boot-2")).toEqual([0]);
  });
});

describe("callOf", () => {
  it("puts the region in, and is no call without one", () => {
    expect(callOf({ region: "$region", seconds: "5" }, "us-east-1")).toEqual({
      region: "us-east-1",
      seconds: "5",
    });
    expect(callOf({ region: "$region" }, undefined)).toBeUndefined();
    expect(callOf({ seconds: "5" }, undefined)).toEqual({ seconds: "5" });
  });
});

describe("readRun", () => {
  it("takes back what the store gives, and nothing else", () => {
    const run = runOf();
    expect(readRun(JSON.parse(JSON.stringify(run)))).toEqual(run);
    expect(readRun({ ...run, newer: 1 })).toEqual({ ...run, newer: 1 });
    const { playbook: _none, ...mitigation } = runOf({ asker: "shop" });
    expect(readRun(mitigation)).toEqual(mitigation);
    for (const bad of [
      null,
      1,
      {},
      { ...run, steps: [{}] },
      { ...run, episodes: 1 },
      { ...run, startedAt: {} },
      { ...run, status: "over" },
    ])
      expect(readRun(bad)).toBeUndefined();
  });
});

describe("a run of an earlier version, which names no asker", () => {
  const { asker: _none, ...old } = runOf({ target: "a job" });
  it("is of what it called first; of what it spoke of where it called nothing", () => {
    expect(readRun(old)?.asker).toBe("gateway");
    expect(readRun({ ...old, steps: [] })?.asker).toBe("a job");
  });
});

describe("preconditions", () => {
  const around = (region: string | undefined, value?: number) => ({
    region,
    regionWhy: region === undefined ? "no_backlog" : "it floods",
    value: () => value,
  });
  it("about regions hold or say why not", () => {
    const known = stepOf({ preconditions: [{ kind: "region_known" }] });
    const unknown = stepOf({ preconditions: [{ kind: "region_unknown" }] });
    expect(unmet(known, around("us-east-1"))).toBeUndefined();
    expect(unmet(known, around(undefined))).toBe("no region stands out: no_backlog");
    expect(unmet(known, { ...around(undefined), regionWhy: undefined })).toBe(
      "no region stands out: not known",
    );
    expect(unmet(unknown, around("us-east-1"))).toBe("region us-east-1 stands out");
    expect(unmet(unknown, around(undefined))).toBeUndefined();
  });

  it("about a signal do not hold where it is unknown", () => {
    const above = stepOf({
      preconditions: [{ kind: "signal_above", target: "gateway", signal: "backlog", above: 100 }],
    });
    expect(unmet(above, around("x", 101))).toBeUndefined();
    expect(unmet(above, around("x", 100))).toBe("backlog of gateway is 100, not above 100");
    expect(unmet(above, around("x"))).toBe("backlog of gateway is not known");
  });
});
