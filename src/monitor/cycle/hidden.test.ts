import { describe, expect, it } from "vitest";
import type { Playbook } from "../kernel/containment.ts";
import { createMemoryStore } from "../store/memory/index.ts";
import { scriptedSource, signalOf, steep, targetOf, virtualTime } from "./cycle.testkit.ts";
import { bedOf, stepOf } from "./execute/playbooks.testkit.ts";

/** Two signals of one target climb, `memory` a little ahead: it is the more urgent one. */
function world(playbooksOf: (on: Playbook["steps"][number]["on"]) => readonly Playbook[] = () => []) {
  const time = virtualTime();
  const climb = steep(time);
  const gateway = targetOf("gateway", {
    signals: [signalOf(), signalOf(undefined, { name: "other" })],
  });
  const bed = bedOf({
    store: createMemoryStore({ clock: time.clock }),
    time,
    source: scriptedSource((s) => (s.signal.name === "other" ? climb() : 1.01 * climb())),
    settings: { targets: [gateway], playbooks: playbooksOf(gateway) },
  });
  const silence = (signal: string) => {
    const startsAtMs = time.clock.now().wallMs;
    const endsAtMs = startsAtMs + 3_600_000;
    bed.loop.controls.silence({
      target: "*",
      signal,
      action: "*",
      author: "ana",
      reason: "known",
      startsAtMs,
      endsAtMs,
    });
  };
  const reasons = async () =>
    (await bed.cycles(5)).decisions.map(({ signal, reason }) => `${signal} ${reason}`);
  const acted = () => bed.store.recent(10).map(({ intent }) => `${intent.kind} ${intent.signal}`);
  return { silence, reasons, acted };
}

const contains = (on: Playbook["steps"][number]["on"]): Playbook => ({
  name: "contain",
  forecast: { target: "gateway", signal: "memory" },
  undoOnResolved: true,
  steps: [stepOf("limit", { on })],
});

describe("a signal that is held back", () => {
  it("hides no other signal of its target, however urgent it is", async () => {
    const { silence, reasons, acted } = world();
    silence("memory");
    expect(await reasons()).toEqual(["memory silenced", "other pre_timeout"]);
    expect(acted()).toEqual(["mitigate other"]);
  });

  it("hides none when it is its playbook that is held back", async () => {
    const { silence, reasons, acted } = world((on) => [contains(on)]);
    silence("memory");
    expect(await reasons()).toEqual(["memory silenced", "other pre_timeout"]);
    expect(acted()).toEqual(["mitigate other"]);
  });

  it("covers the others where its playbook acts", async () => {
    const { reasons, acted } = world((on) => [contains(on)]);
    expect(await reasons()).toEqual(["memory pre_timeout", "other covered_by_other_signal"]);
    expect(acted()).toEqual(["limit memory"]);
  });

  it("leaves the others to their own silence", async () => {
    const { silence, reasons, acted } = world((on) => [contains(on)]);
    silence("memory");
    silence("other");
    expect(await reasons()).toEqual(["memory silenced", "other silenced"]);
    expect(acted()).toEqual([]);
  });
});
