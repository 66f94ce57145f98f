import { describe, expect, it } from "vitest";
import { recordingReporter, settingsOf } from "../cycle/cycle.testkit.ts";
import type { Reporter } from "../cycle/types.ts";
import { freshGuards } from "../guards/index.ts";
import { freshVerification } from "../verify/index.ts";
import { fanOut } from "./fan-out.ts";
import { createNarrator } from "./narrate.ts";
import { blindOf, decisionOf, INTENT, outcomeOf, recordOf, reportOf } from "./report.testkit.ts";
import { createStatusBoard } from "./status.ts";

describe("fanOut", () => {
  it("tells the others when one fails, and tells of the failure", () => {
    const fail = () => {
      throw new Error("disk full");
    };
    const broken: Reporter = { cycle: fail, action: fail, reconciled: fail, notice: fail };
    const [first, last] = [recordingReporter(), recordingReporter()];
    const errors: unknown[] = [];
    const all = fanOut([first, broken, last], (error) => errors.push(error));
    all.cycle(reportOf());
    all.action(recordOf());
    all.reconciled(INTENT, outcomeOf("applied"));
    all.notice("x", { a: 1 });
    for (const told of [first, last])
      expect([told.cycles, told.actions, told.reconciliations, told.notices].map((l) => l.length)).toEqual([
        1, 1, 1, 1,
      ]);
    expect(errors).toHaveLength(4);
  });
});

describe("the status board", () => {
  const context = {
    settings: settingsOf({ autoHeal: false }),
    version: "1.2.3",
    revision: "abc",
    epoch: 7,
    containment: { inbox: new Map(), runs: new Map() },
    controls: { guards: freshGuards("boot-1"), verification: freshVerification("boot-1") },
    journal: [
      { intent: INTENT, outcome: outcomeOf("applied") },
      { intent: { ...INTENT, id: "open" }, outcome: undefined },
    ],
    configFile: undefined,
    plugins: { sources: ["prometheus"] },
  };

  it("before the first cycle has none, rather than an empty one", () => {
    const board = createStatusBoard(() => 0);
    expect(board.latest()).toBeUndefined();
    expect(board.status(context)).toMatchObject({
      version: "1.2.3",
      mode: "shadow",
      config_file: null,
      last_cycle: null,
      cycle_seconds: 30,
      horizon_seconds: 180,
    });
  });

  it("shows the newest cycle, most urgent series first, and what came of every action", () => {
    const board = createStatusBoard(() => 0);
    board.cycle(reportOf({ durationMs: 1 }));
    const newest = reportOf({ sinceLastMitigationS: undefined });
    board.cycle(newest);
    board.action(recordOf({ mode: "shadow", intent: { ...INTENT, id: "imagined" }, outcome: undefined }));
    board.action(recordOf());
    board.reconciled(INTENT, outcomeOf("applied"));
    expect(board.latest()).toBe(newest);
    const status = board.status({ ...context, configFile: "helius.yml" }) as {
      last_cycle: { series: { metric: string; current: number | null }[] };
      actions: { id: string; outcome: string }[];
    };
    expect(status).toMatchObject({ config_file: "helius.yml", plugins: { sources: ["prometheus"] } });
    expect(status.last_cycle).toMatchObject({
      at: "2026-01-02T03:04:05.000Z",
      duration_seconds: 0.125,
      breach_any: true,
      since_last_mitigation_seconds: null,
    });
    expect(status.last_cycle.series.map((s) => [s.metric, s.current])).toEqual([
      ["p95_latency", 1234.57],
      ["backlog", null],
    ]);
    expect(status.actions.map((a) => [a.id, a.outcome])).toEqual([
      ["imagined", "not called"],
      ["intent-1", "applied"],
      ["open", "pending"],
    ]);
    expect(() => JSON.stringify(status)).not.toThrow();
  });

  it("shows an action on the page of who asked for it, and on that of what was called", () => {
    const board = createStatusBoard(() => 0);
    const elsewhere = { ...INTENT, id: "elsewhere", target: "dns", asker: "product-api" };
    board.action(recordOf({ mode: "shadow", intent: elsewhere, outcome: undefined }));
    const shown = (target: string) =>
      board.actionsOn(target, { ...context, journal: [] }).map(({ id, asker }) => [id, asker]);
    expect(shown("product-api")).toEqual([["elsewhere", "product-api"]]);
    expect(shown("dns")).toEqual([["elsewhere", "product-api"]]);
    expect(shown("another")).toEqual([]);
  });

  it("keeps a bounded number of notices and imagined actions, newest first", () => {
    const board = createStatusBoard(() => Date.UTC(2026, 0, 1));
    for (let i = 0; i < 200; i++) {
      board.notice("event", { i });
      board.action(recordOf({ mode: "shadow", intent: { ...INTENT, id: `${i}` }, outcome: undefined }));
    }
    const status = board.status({ ...context, journal: [] }) as {
      notices: { i: number; at: string }[];
      actions: { id: string }[];
    };
    expect(status.notices).toHaveLength(50);
    expect(status.notices[0]).toEqual({ at: "2026-01-01T00:00:00.000Z", event: "event", i: 199 });
    expect(status.actions).toHaveLength(50);
    expect(status.actions.some((a) => a.id === "199")).toBe(true);
  });
});

describe("the narrator", () => {
  function narrated(colour = false) {
    const lines: string[] = [];
    const time = { ms: 0 };
    const narrator = createNarrator({ write: (line) => lines.push(line), colour, now: () => time.ms });
    return { lines, time, narrator };
  }

  it("tells the most urgent series once, again when it changes, and now and then when it does not", () => {
    const { lines, time, narrator } = narrated();
    const calm = reportOf({ decisions: [blindOf()] });
    narrator.cycle(calm);
    narrator.cycle(calm);
    expect(lines).toHaveLength(1);
    expect(lines[0]).toContain("calm   product-api backlog ? now, ? forecast;  not acting: no data");
    narrator.cycle(reportOf());
    expect(lines[1]).toContain("watch  product-api p95_latency 1235 now, 6500 forecast;");
    time.ms = 19_999;
    narrator.cycle(reportOf());
    expect(lines).toHaveLength(2);
    time.ms = 20_000;
    narrator.cycle(reportOf());
    expect(lines).toHaveLength(3);
    narrator.cycle(reportOf({ decisions: [] }));
    expect(lines).toHaveLength(3);
  });

  it("tells every action and what came of it", () => {
    const { lines, narrator } = narrated();
    narrator.action(recordOf());
    narrator.action(recordOf({ mode: "shadow", outcome: undefined }));
    narrator.action(recordOf({ outcome: undefined }));
    narrator.reconciled(INTENT, outcomeOf("expired"));
    narrator.notice("warm-up failed", { source: "p", attempts: 2 });
    const text = lines.join("\n");
    expect(text).toContain("mitigate product-api: applied (app:8000: said so)");
    expect(text).toContain("mitigate product-api: shadow mode, not called");
    expect(text).toContain("mitigate product-api: outcome unknown");
    expect(text).toContain("mitigation of product-api turned out: expired");
    expect(text).toContain("warm-up failed: source=p attempts=2");
    expect(text).not.toMatch(/undefined|NaN/);
    expect(text).not.toContain("\u001b");
  });

  it("colours only where it is asked to", () => {
    const { lines, narrator } = narrated(true);
    narrator.cycle(reportOf({ decisions: [decisionOf()] }));
    expect(lines[0]).toContain("\u001b[33mwatch\u001b[0m");
  });
});
