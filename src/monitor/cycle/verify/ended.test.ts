import { describe, expect, it } from "vitest";
import { createMemoryStore } from "../../store/memory/index.ts";
import { bedOf, GATEWAY, playbookOf, stepOf } from "../execute/playbooks.testkit.ts";

const settings = (over: Parameters<typeof playbookOf>[0]) => ({
  targets: [GATEWAY],
  playbooks: [playbookOf({ forecast: undefined, steps: [stepOf("retrain")], ...over })],
});

describe("a run whose alert ends before the outcome of its step is known", () => {
  const ended = async (over: Parameters<typeof playbookOf>[0]) => {
    const bed = bedOf({ store: createMemoryStore(), settings: settings(over) });
    bed.fleet.answer = ({ kind }) => (kind === "execute" ? "lost" : "unknown");
    bed.fire();
    await bed.cycle();
    bed.resolve();
    await bed.cycle();
    bed.fleet.answer = () => "applied";
    await bed.cycles(30);
    return bed.reported.cycles.flatMap((c) => c.verified);
  };
  const verify = { target: "gateway", signal: "memory" };

  it.each([true, false])("is judged by its series, where its end takes back: %s", async (undoOnResolved) => {
    expect(await ended({ undoOnResolved, verify })).toMatchObject([{ target: "gateway", action: "retrain" }]);
  });

  it.each([true, false])("is judged by the alert, where its end takes back: %s", async (undoOnResolved) => {
    expect(await ended({ undoOnResolved })).toMatchObject([{ target: "gateway", action: "retrain" }]);
  });
});
