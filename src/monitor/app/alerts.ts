import type { Logger } from "pino";
import { printable } from "../../common/security/text.ts";
import { type AlertChange, freshness, parseWebhook } from "../alerts/index.ts";
import type { Loop } from "../cycle/tick.ts";
import { type AlertState, AlertsFullError } from "../kernel/containment.ts";
import type { Clock } from "../kernel/time.ts";
import type { AlertsApi } from "../web/alerts.ts";

/** Lines for the alerts of one webhook; the others are summed up in one. */
const MAX_LINES = 20;

/** What the webhook's endpoint asks of the monitor: the loop hears, the log tells. */
export function alertsApi(options: {
  readonly loop: Pick<Loop, "ingestAlerts" | "containment" | "settings">;
  readonly clock: Clock;
  readonly logger: Logger;
}): AlertsApi {
  const { loop, clock, logger } = options;
  const at = () => ({ now: clock.now(), bootId: clock.bootId });
  return {
    readAlerts: (body) => parseWebhook(body, at()),
    async ingestAlerts(alerts) {
      const changes = loop.ingestAlerts(alerts);
      tell(logger, changes);
      const refused = changes.filter(({ what }) => what === "refused").map(({ alert }) => alert);
      if (refused.length > 0) throw new AlertsFullError(refused, loop.containment.inbox.size);
    },
    firingAlerts() {
      const now = { ...at(), staleMs: loop.settings.alertStaleMs };
      let count = 0;
      for (const alert of loop.containment.inbox.values())
        if (freshness(alert, now).status === "firing") count += 1;
      return count;
    },
    onAlertsRejected: ({ address, ...event }) =>
      logger.warn({ remote: address, ...event, error: printable(event.error, 300) }, "alerts rejected"),
  };
}

const TOLD = {
  fired: "alert firing",
  reopened: "alert firing",
  resolved: "alert resolved",
} as const;

function tell(logger: Logger, changes: readonly AlertChange[]): void {
  const news = changes.flatMap((change) =>
    change.what === "fired" || change.what === "reopened" || change.what === "resolved"
      ? [{ ...change, message: TOLD[change.what] }]
      : [],
  );
  for (const { alert, detail, message } of news.slice(0, MAX_LINES))
    logger.info(fields(alert, detail), message);
  if (news.length > MAX_LINES) logger.info({ count: news.length - MAX_LINES }, "further alerts changed");
}

function fields(alert: AlertState, detail: string): Record<string, string> {
  return {
    alert: printable(alert.name, 200),
    fingerprint: alert.fingerprint,
    labels: printable(
      Object.entries(alert.labels)
        .map(([name, text]) => `${name}=${JSON.stringify(text)}`)
        .join(","),
      1000,
    ),
    starts_at: new Date(alert.startsAtMs).toISOString(),
    detail,
  };
}
