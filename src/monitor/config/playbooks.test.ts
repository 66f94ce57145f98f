import { mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterAll, describe, expect, it } from "vitest";
import { ConfigError } from "./errors.ts";
import { loadConfig } from "./load.ts";
import type { Config } from "./types.ts";

const folder = mkdtempSync(join(tmpdir(), "helius-config-"));
afterAll(() => rmSync(folder, { recursive: true }));
const FILE = join(folder, "helius.yml");

const TARGETS = `
targets:
  - { name: telemetry-gateway, url: "http://gateway:8005", mitigate: helius, cooldown_seconds: 60, parts: { label: region, backlog_metric: queue_depth, inbound_metric: received_total } }
  - { name: recommender-service, url: "http://reco:8001", mitigate: helius, auto_heal: false, signals: { backlog: { enabled: false } } }
`;

function load(yaml: string, env: Record<string, string> = {}): Config {
  writeFileSync(FILE, yaml);
  return loadConfig({ file: FILE, env, flags: {}, targetless: true });
}

/** Every problem as one line: `line:col: key message`. The targets stand in the first four lines. */
function problems(playbooks: string): string[] {
  try {
    load(`${TARGETS}${playbooks}`);
  } catch (error) {
    expect(error).toBeInstanceOf(ConfigError);
    return (error as ConfigError).message.split("\n").map((line) => line.replace(`${FILE}:`, ""));
  }
  throw new Error("the configuration was accepted");
}

describe("a playbook of the file", () => {
  it("is resolved with every key", () => {
    const config = load(`${TARGETS}
alerts: { stale_seconds: 120 }
playbooks:
  - name: contain-backlog
    alert: { name: PipelineBacklogHigh, labels: { job: telemetry-gateway } }
    forecast: { target: telemetry-gateway, signal: backlog }
    regions_of: telemetry-gateway
    steps:
      - action: isolate-region
        on: telemetry-gateway
        parameters: { region: $region, seconds: 900 }
        when: [region_known]
      - action: set-rate-limit
        on: telemetry-gateway
        parameters: { per_second: 12.5, seconds: 600 }
        when: [{ signal_above: { target: telemetry-gateway, signal: backlog, above: 50 } }]
        undo: false
  - name: others
    alert: { name: Others }
    undo_on_resolved: false
    verify: { target: recommender-service, signal: error_rate }
    steps:
      - { action: rollout-restart, workload: helius/statefulset/mlflow-tracker }
      - action: force-fallback
        on: recommender-service
        parameters: { seconds: "30" }
        undo: { action: resume-stream }
`);
    expect([config.alerts, config.regions]).toEqual([{ staleMs: 120_000 }, { windowMs: 20_000 }]);
    expect(config.inactivePlaybooks).toEqual([]);
    const gateway = {
      name: "telemetry-gateway",
      instances: [{ name: "gateway:8005", url: "http://gateway:8005", adminUrl: "http://gateway:8005" }],
      cooldownMs: 60_000,
      autoHeal: true,
    };
    const backlog = { target: "telemetry-gateway", signal: "backlog" };
    expect(config.playbooks).toEqual([
      {
        name: "contain-backlog",
        alert: { name: "PipelineBacklogHigh", labels: { job: "telemetry-gateway" } },
        forecast: backlog,
        regionsOf: "telemetry-gateway",
        undoOnResolved: true,
        steps: [
          {
            kind: "isolate-region",
            on: gateway,
            parameters: { region: "$region", seconds: "900" },
            preconditions: [{ kind: "region_known" }],
            undo: { kind: "release-region", parameters: { region: "$region" } },
            expiresMs: 900_000,
          },
          {
            kind: "set-rate-limit",
            on: gateway,
            parameters: { per_second: "12.5", seconds: "600" },
            preconditions: [{ kind: "signal_above", ...backlog, above: 50 }],
            expiresMs: 600_000,
          },
        ],
      },
      {
        name: "others",
        alert: { name: "Others", labels: {} },
        undoOnResolved: false,
        verify: { target: "recommender-service", signal: "error_rate" },
        steps: [
          {
            kind: "rollout-restart",
            on: {
              name: "helius/statefulset/mlflow-tracker",
              instances: [
                {
                  name: "helius/statefulset/mlflow-tracker",
                  url: "kubernetes://helius/statefulset/mlflow-tracker",
                },
              ],
              cooldownMs: 300_000,
              autoHeal: true,
            },
            parameters: {},
            preconditions: [],
          },
          {
            kind: "force-fallback",
            on: expect.objectContaining({ name: "recommender-service", autoHeal: false }),
            parameters: { seconds: "30" },
            preconditions: [],
            undo: { kind: "resume-stream", parameters: {} },
            expiresMs: 30_000,
          },
        ],
      },
    ]);
    expect(Object.isFrozen(config.playbooks[0]?.steps[0]?.on)).toBe(true);
  });

  it("may call an entry of actions.http, with the parameters that its templates name", () => {
    const drain = (parameters: string) => `${TARGETS}
actions: { http: [{ name: drain-pool, url: "https://lb.example/pools/{{parameters.pool}}/drain" }] }
playbooks:
  - name: p
    alert: { name: A }
    steps: [{ action: http, on: drain-pool, parameters: ${parameters}, undo: { action: http, parameters: { pool: b } } }]
`;
    const [step] = load(drain("{ pool: a }")).playbooks[0]?.steps ?? [];
    expect(step).toMatchObject({
      kind: "http",
      on: { name: "drain-pool", cooldownMs: 300_000, instances: [{ name: "drain-pool" }] },
      undo: { kind: "http", parameters: { pool: "b" } },
    });
    expect(() => load(drain("{}"))).toThrow(
      /10:\d+: playbooks\[0\]\.steps\[0\]\.parameters\.pool is missing/,
    );
    expect(() =>
      load(drain("{ pool: a }").replace("drain-pool, parameters", "drain-pol, parameters")),
    ).toThrow(/on "drain-pol" is not an entry of actions\.http; did you mean drain-pool\?/);
  });

  it("calls no more things at once than the fleet's budget allows: it could never run", () => {
    const three = (allowed: number) => `${TARGETS}
guards: { fleet_cap: { actions: ${allowed} } }
playbooks:
  - name: p
    alert: { name: A }
    steps:
      - { action: retrain, on: recommender-service }
      - { action: mitigate, on: recommender-service }
      - { action: mitigate, on: telemetry-gateway }
`;
    expect(load(three(2)).playbooks[0]?.steps).toHaveLength(3);
    expect(() => load(three(1))).toThrow(
      /playbooks\[0\]\.steps call 2 different things, and guards\.fleet_cap\.actions allows 1 at once: it could never run/,
    );
  });

  const one = (step: string, rest = "") => `playbooks:
  - name: p
    alert: { name: A }
    ${rest}
    steps:
      - ${step}
`;
  it.each<[string, string, string[]]>([
    [
      "an unknown target",
      one("{ action: isolate-region, on: telemetry-gatway, parameters: { region: us-east-1, seconds: 9 } }"),
      [
        '10:35: playbooks[0].steps[0].on "telemetry-gatway" is not the name of a target; did you mean telemetry-gateway?',
      ],
    ],
    [
      "an unknown kind",
      one("{ action: isolate, on: telemetry-gateway }"),
      ['10:11: playbooks[0].steps[0].action "isolate" is not a kind of action; did you mean isolate-region?'],
    ],
    [
      "an isolation that does not end",
      one("{ action: isolate-region, on: telemetry-gateway, parameters: { region: us-east-1 } }"),
      [
        "10:58: playbooks[0].steps[0].parameters.seconds is missing; it must be a number above 0 up to 86400 (seconds)",
      ],
    ],
    [
      "a limit that does not end, without parameters",
      one("{ action: set-rate-limit, on: telemetry-gateway }"),
      [
        "10:9: playbooks[0].steps[0].parameters.per_second is missing; it must be a number above 0 up to 1000000 (messages a second)",
        "10:9: playbooks[0].steps[0].parameters.seconds is missing; it must be a number above 0 up to 86400 (seconds)",
      ],
    ],
    [
      "an unknown parameter",
      one("{ action: retrain, on: recommender-service, parameters: { seconds: 9 } }"),
      ["10:67: playbooks[0].steps[0].parameters.seconds is not a known parameter; it takes none"],
    ],
    [
      "a parameter that is a list",
      one("{ action: force-fallback, on: recommender-service, parameters: { seconds: [9] } }"),
      ["10:74: playbooks[0].steps[0].parameters.seconds must be text or a number"],
    ],
    [
      "a parameter out of range",
      one("{ action: force-fallback, on: recommender-service, parameters: { seconds: -9 } }"),
      ["10:74: playbooks[0].steps[0].parameters.seconds must be a number above 0 up to 86400 (seconds)"],
    ],
    [
      "a region where none is chosen",
      one(
        "{ action: isolate-region, on: telemetry-gateway, parameters: { region: $region, seconds: 9 }, when: [region_known] }",
      ),
      [
        "10:72: playbooks[0].steps[0].parameters.region needs a region: name the target whose regions are compared in regions_of",
        "10:110: playbooks[0].steps[0].when[0] needs a region: name the target whose regions are compared in regions_of",
      ],
    ],
    [
      "a target as a workload",
      one("{ action: rollout-restart, on: telemetry-gateway }"),
      ["10:36: playbooks[0].steps[0].on must not stand beside action rollout-restart; it takes workload"],
    ],
    [
      "a workload that is none",
      one("{ action: rollout-restart, workload: mlflow-tracker }"),
      ["10:36: playbooks[0].steps[0].workload must be NAMESPACE/deployment/NAME (or statefulset, daemonset)"],
    ],
    [
      "nothing to act on",
      one("{ action: rollout-restart }"),
      ["10:9: playbooks[0].steps[0] must have workload: NAMESPACE/deployment/NAME for rollout-restart"],
    ],
    ["no target", one("{ action: mitigate }"), ["10:9: playbooks[0].steps[0] must have on: a target"]],
    [
      "a call that is not described",
      one("{ action: http, on: drain-pool }"),
      ['10:25: playbooks[0].steps[0].on "drain-pool" is not an entry of actions.http'],
    ],
    [
      "a condition that is none",
      one("{ action: retrain, on: recommender-service, when: [night] }"),
      [
        "10:60: playbooks[0].steps[0].when[0] must be region_known, region_unknown or {signal_above: {target: …, signal: …, above: …}}",
      ],
    ],
    [
      "a condition on a signal that is not watched",
      one(
        "{ action: retrain, on: recommender-service, when: [{ signal_above: { target: recommender-service, signal: backlog, above: 1 } }] }",
      ),
      [
        '10:107: playbooks[0].steps[0].when[0].signal_above.signal "backlog" is not a signal of recommender-service; known here: p95_latency, error_rate, memory',
      ],
    ],
    [
      "an undo elsewhere",
      one(
        "{ action: force-fallback, on: recommender-service, parameters: { seconds: 9 }, undo: { action: rollout-restart } }",
      ),
      [
        "10:96: playbooks[0].steps[0].undo.action rollout-restart cannot be carried out on what force-fallback is carried out on",
      ],
    ],
    [
      "an undo with a parameter too many",
      one(
        "{ action: force-fallback, on: recommender-service, parameters: { seconds: 9 }, undo: { action: release-fallback, parameters: { a: 1 } } }",
      ),
      ["10:136: playbooks[0].steps[0].undo.parameters.a is not a known parameter; it takes none"],
    ],
    [
      "an undo that may be true",
      one("{ action: force-fallback, on: recommender-service, parameters: { seconds: 9 }, undo: true }"),
      ["10:88: playbooks[0].steps[0].undo must be false, or {action: …, parameters: {…}}"],
    ],
    [
      "regions of what is no target",
      one("{ action: retrain, on: recommender-service }", "regions_of: gateway"),
      [
        '8:5: playbooks[0].regions_of "gateway" is not the name of a target; known here: telemetry-gateway, recommender-service',
      ],
    ],
    [
      "regions of a target without",
      one("{ action: retrain, on: recommender-service }", "regions_of: recommender-service"),
      [
        "8:5: playbooks[0].regions_of needs parts of target recommender-service: it says where its regions are read",
      ],
    ],
    [
      "a series to verify by that is not watched",
      one(
        "{ action: retrain, on: recommender-service }",
        "verify: { target: recommender-service, signal: cpu }",
      ),
      [
        '8:44: playbooks[0].verify.signal "cpu" is not a signal of recommender-service; known here: p95_latency, error_rate, memory',
      ],
    ],
    [
      "no steps",
      "playbooks: [{ name: p, alert: { name: A }, steps: [] }]",
      [/must list at least one step$/.source],
    ],
    [
      "nothing to answer",
      "playbooks:\n  - name: p\n    steps: [{ action: retrain, on: recommender-service }]\n",
      ["6:5: playbooks[0] must have an alert or a forecast that it answers, or be the mitigate of a target"],
    ],
    [
      "an unknown key",
      "playbooks:\n  - name: p\n    alerts: A\n    alert: { name: A }\n    steps: [{ action: retrain, on: recommender-service }]\n",
      ["7:5: playbooks[0].alerts is not a known key; did you mean alert?"],
    ],
    [
      "a name twice, and a forecast twice",
      `playbooks:
  - name: p
    forecast: { target: telemetry-gateway, signal: backlog }
    steps: [{ action: mitigate, on: telemetry-gateway }]
  - name: p
    forecast: { target: telemetry-gateway, signal: backlog }
    steps: [{ action: mitigate, on: telemetry-gateway }]
`,
      [
        '9:5: playbooks[1].name "p" is already the name of playbook 1',
        "10:5: playbooks[1].forecast is already answered by playbook p; one playbook answers a forecast",
      ],
    ],
    [
      "a staleness of nothing",
      "alerts: { stale_seconds: 0 }",
      ["5:11: alerts.stale_seconds must be a number from 10 up to 86400 (seconds)"],
    ],
  ])("is refused with %s, by file, line and column", (_name, yaml, expected) => {
    const said = problems(yaml);
    if (expected[0]?.endsWith("$")) expect(said.join("\n")).toMatch(new RegExp(expected[0]));
    else expect(said).toEqual(expected);
  });
});

it("web.token must not be the development default in production", () => {
  const env = { NODE_ENV: "production", ADMIN_TOKEN: "a token of its own" };
  expect(() => load("web: { token: secret }", env)).toThrow(/1:8: web\.token is the development default/);
  expect(load("web: { token: another than that one }", env).web.token).toBe("another than that one");
});
