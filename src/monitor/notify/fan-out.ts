import type { Meters, MetricSpec } from "../kernel/plugin.ts";
import type { Notifier, NotifyResult } from "../kernel/verification.ts";
import { notifierPlugins } from "./index.ts";
import type { NotifierContext } from "./shared/context.ts";

export const NOTIFIED: MetricSpec = {
  name: "predict_notifications_total",
  type: "counter",
  labels: ["notifier", "outcome"],
  help: "Calls to notifiers, by what came of them: `delivered`, `failed`.",
};

/** Every notifier that its settings turn on, as one; where there is none nothing is left to deliver. */
export function openNotifiers(given: {
  readonly context: NotifierContext & { readonly meters: Meters };
  readonly settings: Readonly<Record<string, unknown>>;
}): Notifier & { readonly kinds: readonly string[] } {
  const { context, settings } = given;
  const open = notifierPlugins.flatMap((plugin) => {
    const notifier = plugin.create(context, settings[plugin.kind]);
    return notifier === undefined ? [] : [{ kind: plugin.kind, notifier }];
  });
  const notified = context.meters(NOTIFIED.name);
  return {
    kinds: open.map(({ kind }) => kind),
    async notify(alerts, signal) {
      const results = await Promise.all(
        open.map(async ({ kind, notifier }) => {
          const result = await notifier.notify(alerts, signal);
          notified.inc({ notifier: kind, outcome: result.status });
          return { kind, result };
        }),
      );
      return overall(results);
    },
    close: async () => void (await Promise.all(open.map(({ notifier }) => notifier.close()))),
  };
}

/** Delivered when all have delivered. */
function overall(results: readonly { readonly kind: string; readonly result: NotifyResult }[]): NotifyResult {
  const failed = results.flatMap(({ kind, result }) =>
    result.status === "failed" ? [{ kind, result }] : [],
  );
  if (failed.length === 0) return { status: "delivered" };
  return {
    status: "failed",
    detail: failed.map(({ kind, result }) => `${kind}: ${result.detail}`).join("; "),
    retryable: failed.some(({ result }) => result.retryable),
  };
}
