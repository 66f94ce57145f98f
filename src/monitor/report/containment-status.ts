import type { TickReport } from "../cycle/types.ts";
import type { AlertState, Playbook } from "../kernel/containment.ts";
import type { Run } from "../playbooks/run.ts";
import { playbookFields } from "./log.ts";

/** An alert as the status API shows it. */
export function alertFields(alert: AlertState): Record<string, unknown> {
  return {
    fingerprint: alert.fingerprint,
    name: alert.name,
    status: alert.status,
    labels: alert.labels,
    starts_at: iso(alert.startsAtMs),
    ends_at: alert.endsAtMs === undefined ? null : iso(alert.endsAtMs),
    heard_at: iso(alert.heardAt.wallMs),
  };
}

/** A playbook, what was last decided on it, and its newest run. */
export function playbookStatus(
  playbook: Playbook,
  run: Run | undefined,
  latest: TickReport | undefined,
): Record<string, unknown> {
  const decided = latest?.playbooks.find((d) => d.playbook === playbook.name);
  return {
    name: playbook.name,
    alert: playbook.alert?.name ?? null,
    forecast:
      playbook.forecast === undefined ? null : `${playbook.forecast.target}/${playbook.forecast.signal}`,
    steps: playbook.steps.map((s) => ({ action: s.kind, on: s.on.name, parameters: s.parameters })),
    decision: decided === undefined ? null : playbookFields(decided),
    run: run === undefined ? null : runFields(run),
  };
}

function runFields(run: Run): Record<string, unknown> {
  return {
    id: run.id,
    mode: run.mode,
    status: run.status,
    cause: run.cause,
    target: run.target,
    metric: run.signal,
    started_at: iso(run.startedAt.wallMs),
    region: run.region ?? null,
    region_detail: run.regionWhy ?? null,
    steps: run.steps.map((s) => ({
      action: s.kind,
      on: s.on.name,
      status: s.status,
      detail: s.detail,
      at: s.at === undefined ? null : iso(s.at.wallMs),
      ends_at: s.at === undefined || s.expiresMs === undefined ? null : iso(s.at.wallMs + s.expiresMs),
    })),
  };
}

function iso(ms: number): string {
  return new Date(ms).toISOString();
}
