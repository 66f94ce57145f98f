import { Registry } from "prom-client";
import type { RefusalEvent } from "../../common/security/gate.ts";
import { createTokenSet } from "../../common/security/tokens.ts";
import type { AlertState } from "../kernel/containment.ts";
import type { AlertsRejected } from "./alerts.ts";
import type { MonitorApi } from "./server.ts";

export const TOKEN = "a token of the tests";

/** A monitor that is well, and keeps what it hears and what it is told of in lists. */
export function quietApi(): MonitorApi & {
  readonly heard: AlertState[];
  readonly rejections: AlertsRejected[];
  readonly refusals: RefusalEvent[];
} {
  const heard: AlertState[] = [];
  const rejections: AlertsRejected[] = [];
  const refusals: RefusalEvent[] = [];
  return {
    heard,
    rejections,
    refusals,
    registry: new Registry(),
    lifecycle: false,
    tokens: createTokenSet({ value: TOKEN }),
    unhealthy: () => undefined,
    unready: () => undefined,
    status: () => ({}),
    reload: async () => undefined,
    onRefusal: (event) => void refusals.push(event),
    readAlerts: () => ({ alerts: [], problems: [], unusable: 0, truncated: 0 }),
    hearAlerts: async (alerts) => void heard.push(...alerts),
    firingAlerts: () => heard.filter(({ status }) => status === "firing").length,
    onAlertsRejected: (event) => void rejections.push(event),
    page: {
      kinds: ["acted", "quiet"],
      fleet: () => ({}),
      series: () => undefined,
      decisions: () => ({ decisions: [], more: false }),
      since: () => [],
      subscribe: () => () => {},
    },
    replay: { replay: async () => ({}) },
    controls: {
      nowMs: () => 0,
      pause: () => ({ result: {}, notPersisted: undefined }),
      resume: () => ({ result: true, notPersisted: undefined }),
      silences: () => [],
      silence: () => ({ result: {}, notPersisted: undefined }),
      liftSilence: () => ({ result: "lifted", notPersisted: undefined }),
      acknowledge: () => ({ result: true, notPersisted: undefined }),
    },
  };
}
