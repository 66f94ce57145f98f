import type { AlertState, Playbook, Step } from "../../kernel/containment.ts";
import type { MetricSource } from "../../kernel/observation.ts";
import type { Store } from "../../kernel/store.ts";
import {
  createFleet,
  type Fleet,
  type Said,
  scriptedSource,
  type settingsOf,
  signalOf,
  targetOf,
  type VirtualTime,
  virtualTime,
  type World,
  worldOf,
} from "../cycle.testkit.ts";

/** Kinds of action that the fleet of a containment test carries out. */
const KINDS = ["mitigate", "isolate", "release", "limit", "unlimit", "retrain"];

export const GATEWAY = targetOf("gateway", {
  signals: [signalOf()],
  parts: { label: "region", backlogMetric: "queue_depth", inboundMetric: "received" },
});

export function stepOf(kind: string, over: Partial<Step> = {}): Step {
  return { kind, on: GATEWAY, parameters: {}, preconditions: [], ...over };
}

/** Isolates the chosen region and cuts the rate, for ten minutes each. */
export function playbookOf(over: Partial<Playbook> = {}): Playbook {
  return {
    name: "contain",
    alert: { name: "BacklogHigh", labels: {} },
    forecast: { target: "gateway", signal: "memory" },
    regionsOf: "gateway",
    undoOnResolved: true,
    steps: [
      stepOf("isolate", {
        parameters: { region: "$region", seconds: "600" },
        preconditions: [{ kind: "region_known" }],
        undo: { kind: "release", parameters: { region: "$region" } },
        expiresMs: 600_000,
      }),
      stepOf("limit", {
        parameters: { per_second: "5", seconds: "600" },
        undo: { kind: "unlimit", parameters: {} },
        expiresMs: 600_000,
      }),
    ],
    ...over,
  };
}

/** A source of one level for every series and of two regions, one of them flooding from the tenth reading on. */
export function gatewaySource(
  time: VirtualTime,
  options: { level?: () => Said; flood?: boolean } = {},
): MetricSource {
  const { level = () => 100, flood = true } = options;
  let readings = 0;
  const total = new Map([
    ["us-east-1", 0],
    ["sa-east-1", 0],
  ]);
  return {
    ...scriptedSource(() => level()),
    parts: async ({ targets }) => {
      readings += 1;
      const flooding = flood && readings > 10;
      for (const [part, sum] of total)
        total.set(part, sum + (flooding && part === "us-east-1" ? 30_000 : 600));
      const parts = [...total].map(([part, inboundTotal]) => ({
        part,
        inboundTotal,
        backlog: flooding && part === "us-east-1" ? 900 : 5,
      }));
      return targets.map(() => ({
        status: "ok" as const,
        source: "scripted",
        parts,
        timestampMs: time.clock.now().wallMs,
      }));
    },
  };
}

export interface Bed extends World {
  readonly fleet: Fleet;
  fire(over?: Partial<AlertState>): void;
  resolve(over?: Partial<AlertState>): void;
  /** Kinds of the effects so far, in order, with their region. */
  effects(): string[];
}

export function bedOf(options: {
  store: Store;
  time?: VirtualTime;
  fleet?: Fleet;
  level?: () => Said;
  flood?: boolean;
  source?: MetricSource;
  settings?: Parameters<typeof settingsOf>[0];
}): Bed {
  const time = options.time ?? virtualTime();
  const fleet = options.fleet ?? createFleet(time.clock);
  const world = worldOf({
    store: options.store,
    time,
    fleet,
    sources: [options.source ?? gatewaySource(time, options)],
    settings: { targets: [GATEWAY], playbooks: [playbookOf()], ...options.settings },
    ports: { actions: new Map(KINDS.map((kind) => [kind, { ...fleet, kind }])) },
  });
  const startsAtMs = time.clock.now().wallMs;
  const tell = (status: "firing" | "resolved", over: Partial<AlertState> = {}) =>
    world.loop.ingestAlerts([
      {
        fingerprint: "00000000000000f1",
        name: "BacklogHigh",
        labels: { alertname: "BacklogHigh", job: "gateway" },
        status,
        startsAtMs,
        receivedAt: time.clock.now(),
        bootId: time.clock.bootId,
        ...(status === "resolved" ? { endsAtMs: time.clock.now().wallMs } : {}),
        ...over,
      },
    ]);
  return {
    ...world,
    fleet,
    fire: (over) => void tell("firing", over),
    resolve: (over) => void tell("resolved", over),
    effects: () =>
      fleet.effects.map(({ intent }) =>
        [intent.kind, intent.parameters?.region].filter((part) => part !== undefined).join(" "),
      ),
  };
}
