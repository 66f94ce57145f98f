import { describe, expect, it } from "vitest";
import { migrateRecord } from "./migrate.ts";

describe("migrateRecord", () => {
  it("gives a field of version 2 its new name, in its place, at any depth", () => {
    const run = { id: "r", witness: "linear", steps: [{ undoTries: 1, kind: "a" }, { undoTries: 2 }] };
    expect(JSON.stringify(migrateRecord("run", run, 2))).toBe(
      JSON.stringify({
        id: "r",
        predictor: "linear",
        steps: [{ undoAttempts: 1, kind: "a" }, { undoAttempts: 2 }],
      }),
    );
  });

  it("leaves other kinds, other places and what is no such record alone", () => {
    for (const body of [null, 5, "witness", [], { steps: { witness: 1 } }, { steps: [null, 5] }])
      expect(migrateRecord("run", body, 2)).toEqual(body);
    expect(migrateRecord("guard", { witness: 1 }, 2)).toEqual({ witness: 1 });
    const mixed = { predictor: "linear", on: { witness: 1 } };
    expect(migrateRecord("intents", mixed, 2)).toEqual(mixed);
  });

  it("does not touch what the newest version wrote", () => {
    const intent = { witness: 1 };
    expect(migrateRecord("intents", intent, 3)).toBe(intent);
  });
});
