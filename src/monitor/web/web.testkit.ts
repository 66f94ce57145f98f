import { Registry } from "prom-client";
import type { RefusalEvent } from "../../common/security/gate.ts";
import { createTokenSet } from "../../common/security/tokens.ts";
import type { AlertState } from "../kernel/containment.ts";
import type { Fleet, Replay, Silence } from "../report/wire.ts";
import type { AlertsRejected } from "./alerts.ts";
import type { MonitorApi } from "./server.ts";

export const TOKEN = "a token of the tests";

/** A monitor that is well, and keeps in lists what it receives and what it is told of. */
export function quietApi(): MonitorApi & {
  readonly received: AlertState[];
  readonly rejections: AlertsRejected[];
  readonly refusals: RefusalEvent[];
} {
  const received: AlertState[] = [];
  const rejections: AlertsRejected[] = [];
  const refusals: RefusalEvent[] = [];
  return {
    received,
    rejections,
    refusals,
    registry: new Registry(),
    hosts: () => [],
    lifecycle: false,
    tokens: createTokenSet({ value: TOKEN }),
    unhealthy: () => undefined,
    unready: () => undefined,
    status: () => ({}),
    reload: async () => undefined,
    onRefusal: (event) => void refusals.push(event),
    readAlerts: () => ({ alerts: [], problems: [], unusable: 0, truncated: 0 }),
    ingestAlerts: async (alerts) => void received.push(...alerts),
    firingAlerts: () => received.filter(({ status }) => status === "firing").length,
    onAlertsRejected: (event) => void rejections.push(event),
    page: {
      states: ["acting", "ok"],
      fleet: () => ({}) as Fleet,
      series: () => undefined,
      decisions: () => ({ decisions: [], more: false }),
      since: () => [],
      subscribe: () => () => {},
    },
    replay: { replay: async () => ({}) as Replay },
    controls: {
      nowMs: () => 0,
      pause: () => ({ result: undefined, notPersisted: undefined }),
      resume: () => ({ result: true, notPersisted: undefined }),
      silences: () => [],
      silence: () => ({ result: {} as Silence, notPersisted: undefined }),
      liftSilence: () => ({ result: "lifted", notPersisted: undefined }),
      acknowledge: () => ({ result: true, notPersisted: undefined }),
      request: () => ({}),
    },
  };
}
