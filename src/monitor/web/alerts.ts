import type { Request, RequestHandler, Response } from "express";
import { Counter, Gauge, type Registry } from "prom-client";
import { type AlertState, AlertsFullError, type Webhook } from "../kernel/containment.ts";
import { StoreError } from "../kernel/store.ts";
import { errorMessage } from "../kernel/text.ts";
import { addressOf } from "./auth.ts";
import { ApiError } from "./errors.ts";
import { jsonBody } from "./json-body.ts";

/** What the webhook needs of the monitor. */
export interface AlertsApi {
  /** Reads the body of a webhook: what is usable, and what is wrong with the rest. Never throws. */
  readAlerts(body: unknown): Webhook;
  /**
   * Resolves once all of it is kept on disk.
   * @throws StoreError nothing was kept; AlertsFullError some found no room, the others are kept
   */
  ingestAlerts(alerts: readonly AlertState[]): Promise<void>;
  /** Alerts that fire and are believed now. */
  firingAlerts(): number;
  /** Told of every webhook that was not taken whole. */
  onAlertsRejected(event: AlertsRejected): void;
}

/** Why something of a webhook was not taken. */
type RejectReason =
  | "not_json"
  | "too_large"
  | "invalid"
  | "truncated"
  | "full"
  | "journal_unavailable"
  | "failed";

/** @internal for its tests */
export interface AlertsRejected {
  readonly reason: RejectReason;
  readonly address: string;
  readonly error: string;
  /** Alerts, where their number is known; otherwise the one webhook. */
  readonly count: number;
}

const REASONS: readonly RejectReason[] = [
  "not_json",
  "too_large",
  "invalid",
  "truncated",
  "full",
  "journal_unavailable",
  "failed",
];
/** Largest body, bytes. */
const MAX_BODY_BYTES = 1_048_576;
/** Problems that are listed in an answer; the others are counted. */
const MAX_LISTED = 10;
/** After so long Alertmanager may try again when the disk takes nothing, seconds. */
const RETRY_AFTER_S = 5;

/**
 * Handles `POST /api/v1/alerts/webhook`, behind the door. Answers 200 only once everything is on disk. Of alerts that
 * cannot be used the others are kept all the same, and the answer is 400: Alertmanager then says so in its own log and
 * metrics, and comes again.
 */
export function alertWebhook(api: AlertsApi, registry: Registry): RequestHandler[] {
  const { received, rejected } = webhookMetrics(api, registry);
  const reject = (request: Request, reason: RejectReason, error: string, count = 1) => {
    rejected.inc({ reason }, count);
    api.onAlertsRejected({ reason, address: addressOf(request), error, count });
  };
  const body = jsonBody(MAX_BODY_BYTES, (request, problem) =>
    problem.status === 415 && problem.message.startsWith("content-type")
      ? reject(request, "not_json", "the body is not JSON by its content-type")
      : reject(request, problem.status === 413 ? "too_large" : "not_json", problem.message),
  );
  const take = async (request: Request, response: Response) => {
    const webhook = api.readAlerts(request.body);
    const { alerts, problems, truncated } = webhook;
    const invalid = problems.length === 0 ? undefined : invalidAnswer(webhook);
    if (truncated > 0)
      reject(request, "truncated", "left out by Alertmanager: max_alerts of its receiver", truncated);
    if (invalid !== undefined) reject(request, "invalid", invalid.message, Math.max(1, webhook.unusable));
    const refused = await ingest({ api, alerts, reject: (...why) => reject(request, ...why) });
    for (const alert of alerts) if (!refused.includes(alert)) received.inc({ status: alert.status });
    if (refused.length > 0) throw fullAnswer(refused);
    if (invalid !== undefined) throw invalid;
    response.json({ status: "success", data: { received: alerts.length } });
  };
  return [body, take];
}

/** Keeps alerts, and answers which of them found no room. Throws what the call is answered when none is kept. */
async function ingest(input: {
  api: AlertsApi;
  alerts: readonly AlertState[];
  reject: (reason: RejectReason, error: string, count: number) => void;
}): Promise<readonly AlertState[]> {
  const { api, alerts, reject } = input;
  try {
    await api.ingestAlerts(alerts);
    return [];
  } catch (error) {
    const message = errorMessage(error);
    if (error instanceof AlertsFullError) {
      reject("full", message, error.refused.length);
      return error.refused;
    }
    const known = error instanceof StoreError;
    reject(known ? "journal_unavailable" : "failed", message, Math.max(1, alerts.length));
    if (!known) throw error;
    throw new ApiError(503, `the alerts cannot be kept on disk: ${message}`, {
      headers: { "retry-after": String(RETRY_AFTER_S) },
    });
  }
}

function fullAnswer(refused: readonly AlertState[]): ApiError {
  const names = refused.slice(0, MAX_LISTED).map(({ name, fingerprint }) => ({ name, fingerprint }));
  return new ApiError(413, `${refused.length} alerts were not taken: as many fire as are kept`, {
    details: { refused: names },
  });
}

function invalidAnswer({ alerts, problems }: Webhook): ApiError {
  const [first] = problems;
  const more = problems.length > 1 ? `, and ${problems.length - 1} more` : "";
  return new ApiError(400, `${first?.field} ${first?.message}${more}`, {
    details: { problems: problems.slice(0, MAX_LISTED), received: alerts.length },
  });
}

function webhookMetrics(api: AlertsApi, registry: Registry) {
  const registers = [registry];
  const received = new Counter({
    name: "predict_alerts_received_total",
    help: "Alerts that webhooks told and that were kept, repetitions included.",
    labelNames: ["status"],
    registers,
  });
  for (const status of ["firing", "resolved"]) received.inc({ status }, 0);
  const rejected = new Counter({
    name: "predict_alerts_rejected_total",
    help: "Alerts that were not taken; webhooks where the number of their alerts is not known.",
    labelNames: ["reason"],
    registers,
  });
  for (const reason of REASONS) rejected.inc({ reason }, 0);
  new Gauge({
    name: "predict_alerts_firing",
    help: "Alerts that fire and were received lately enough to be acted on.",
    registers,
    collect() {
      this.set(api.firingAlerts());
    },
  });
  return { received, rejected };
}
