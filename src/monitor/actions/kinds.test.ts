import fc from "fast-check";
import { describe, expect, it } from "vitest";
import type { Parameters } from "../kernel/plugin.ts";
import { rulesOf } from "./http/settings.ts";
import { actionKinds, actionPlugins } from "./index.ts";
import { callInstance, callOf, workloadInstance, workloadOf } from "./shared/callees.ts";
import type { ActionPlugin } from "./shared/context.ts";
import { checkCall, checkParameters } from "./shared/parameters.ts";

const rulesOfKind = (kind: string) => actionKinds.get(kind) as ActionPlugin;
const problems = (kind: string, given: Parameters) =>
  checkParameters(rulesOfKind(kind).parameters, given).map((p) => `${p.parameter} ${p.message}`);

/** A step of each kind that is right: the example of its descriptor, without what may be left out. */
const GOOD: Readonly<Record<string, Parameters>> = Object.fromEntries(
  actionPlugins.map(({ kind, docs, parameters }) => [
    kind,
    Object.fromEntries(Object.entries(docs.example).filter(([name]) => parameters[name]?.required)),
  ]),
);
const kinds = actionPlugins.map(({ kind }) => kind);

describe("the kinds", () => {
  it.each(kinds)("%s takes a right step, and neither a stranger nor one less", (kind) => {
    const given = GOOD[kind] as Parameters;
    expect(problems(kind, rulesOfKind(kind).docs.example)).toEqual([]);
    expect(problems(kind, given)).toEqual([]);
    expect(problems(kind, { ...given, colour: "red" })).toEqual([
      expect.stringMatching(/^colour is not a known parameter; (it takes none|known here: )/),
    ]);
    for (const name of Object.keys(given)) {
      const { [name]: _, ...less } = given;
      expect(problems(kind, less)).toEqual([expect.stringMatching(`^${name} is missing; it must be `)]);
    }
  });

  it("whatever isolates, limits, forces or pauses must say for how long, and ends by itself", () => {
    for (const kind of ["isolate-region", "set-rate-limit", "force-fallback", "pause-stream"] as const) {
      expect(rulesOfKind(kind).parameters.seconds?.required).toBe(true);
      expect(rulesOfKind(kind).expiresMs?.({ ...GOOD[kind], seconds: "1.5" })).toBe(1500);
    }
    const others = kinds.filter((kind) => rulesOfKind(kind).parameters.seconds === undefined);
    expect(others.every((kind) => rulesOfKind(kind).expiresMs === undefined)).toBe(true);
  });

  it("what takes a step back is itself a right step, on the same region", () => {
    const undone = kinds.flatMap((kind) => {
      const undo = rulesOfKind(kind).undo?.({ ...GOOD[kind], ...regionOf(kind) });
      if (undo === undefined) return [];
      expect(problems(undo.kind, undo.parameters), kind).toEqual([]);
      return [`${kind} > ${undo.kind} ${JSON.stringify(undo.parameters)}`];
    });
    expect(undone).toEqual([
      'set-rate-limit > reset-rate-limit {"region":"$region"}',
      'isolate-region > release-region {"region":"$region"}',
      "force-fallback > release-fallback {}",
      "pause-stream > resume-stream {}",
    ]);
    expect(rulesOfKind("set-rate-limit").undo?.(GOOD["set-rate-limit"] as Parameters)).toEqual({
      kind: "reset-rate-limit",
      parameters: {},
    });
  });

  it("names of objects are not kinds", () => {
    for (const name of ["toString", "__proto__", "constructor", "", "Mitigate"])
      expect(actionKinds.has(name), name).toBe(false);
  });
});

function regionOf(kind: string): Parameters {
  return "region" in rulesOfKind(kind).parameters ? { region: "$region" } : {};
}

describe("a parameter", () => {
  it.each<[string, string, string[], string[]]>([
    [
      "isolate-region",
      "seconds",
      ["1", "0.5", ".5", "1e3", "86400"],
      ["", "0", "-1", "86401", "NaN", "Infinity", "0x10", " 5", "5s", "1e99"],
    ],
    [
      "isolate-region",
      "region",
      ["us-east-1", "mars", "$region", "a"],
      ["", "all", "US", "a b", "-a", "a-", "$other", "a&b=c", "a\n", "x".repeat(64)],
    ],
    ["set-rate-limit", "region", ["all", "us-east-1", "$region"], ["", "*", "$"]],
    ["set-rate-limit", "per_second", ["0.1", "1000000"], ["0", "1000001", "fast"]],
    ["replay-dead-letters", "limit", ["1", "10000"], ["0", "10001", "1.5", "-1", ""]],
    ["replay-dead-letters", "region", ["us-east-1"], ["all"]],
  ])("of %s: %s", (kind, name, right, wrong) => {
    for (const value of right) expect(problems(kind, { ...GOOD[kind], [name]: value }), value).toEqual([]);
    for (const value of wrong)
      expect(problems(kind, { ...GOOD[kind], [name]: value }), value).toEqual([
        expect.stringMatching(new RegExp(`^${name} must be `)),
      ]);
  });

  it("never lets through what is not one plain number or word", () => {
    fc.assert(
      fc.property(
        fc.constantFrom(...actionPlugins.filter(({ on }) => on === "service").map(({ kind }) => kind)),
        fc.string(),
        (kind, text) => {
          for (const [name, rule] of Object.entries(rulesOfKind(kind).parameters))
            if (rule.check(text) === undefined) expect(text, name).toMatch(/^(\$region|[\w.+-]+)$/);
        },
      ),
    );
  });

  it("may be a placeholder in a step, never in a call", () => {
    const given = { region: "$region", seconds: "60" };
    expect(checkParameters(rulesOfKind("isolate-region").parameters, given)).toEqual([]);
    expect(checkCall(rulesOfKind("isolate-region").parameters, given)).toEqual([
      { parameter: "region", message: "is still $region: no region was chosen" },
    ]);
    expect(
      checkCall(rulesOfKind("isolate-region").parameters, { region: "us-east-1", seconds: "60" }),
    ).toEqual([]);
  });

  it("inherited from an object is not given", () => {
    const given = Object.create({ region: "us-east-1", seconds: "60" }) as Parameters;
    expect(problems("isolate-region", given).length).toBe(2);
  });
});

describe("an entry of actions.http", () => {
  it("requires what its templates name, and nothing else", () => {
    const rules = rulesOf({ parameters: ["pool", "region"] });
    expect(checkParameters(rules, { pool: "blue", region: "$region" })).toEqual([]);
    expect(checkParameters(rules, { pool: "blue" })).toEqual([
      {
        parameter: "region",
        message: expect.stringContaining("is missing; it must be the name of a region"),
      },
    ]);
    expect(checkParameters(rules, { pool: "x".repeat(1025), region: "all", more: "1" })).toEqual([
      { parameter: "more", message: "is not a known parameter; known here: pool, region" },
      { parameter: "pool", message: "must be 1 to 1024 characters, none of them a control character" },
    ]);
  });
});

describe("what an action is carried out on", () => {
  it.each([
    ["helius/deployment/mlflow-tracker", { namespace: "helius", type: "deployment", name: "mlflow-tracker" }],
    ["a/statefulset/nats.v2", { namespace: "a", type: "statefulset", name: "nats.v2" }],
    ["kube-system/daemonset/alloy", { namespace: "kube-system", type: "daemonset", name: "alloy" }],
  ])("%s is a workload", (text, workload) => {
    const instance = workloadInstance(text);
    expect(instance).toEqual({ name: text, url: `kubernetes://${text}` });
    expect(instance && workloadOf(instance)).toEqual(workload);
  });

  it.each([
    "mlflow",
    "deployment/mlflow",
    "helius/pod/mlflow",
    "helius/Deployment/mlflow",
    "helius/deployment/",
    "helius/deployment/a/b",
    "helius/deployment/..",
    "helius/deployment/a..b",
    "helius/deployment/-a",
    "helius/deployment/a-",
    "helius/deployment/a%2fb",
    "helius/deployment/a?x=1",
    "../deployment/a",
    `${"n".repeat(64)}/deployment/a`,
    `n/deployment/${"a".repeat(254)}`,
  ])("%s is none", (text) => {
    expect(workloadInstance(text)).toBeUndefined();
  });

  it("a URL of another scheme is neither", () => {
    const service = { name: "app:8000", url: "http://app:8000" };
    expect([workloadOf(service), callOf(service)]).toEqual([undefined, undefined]);
    expect(callOf(callInstance("drain"))).toBe("drain");
  });
});
