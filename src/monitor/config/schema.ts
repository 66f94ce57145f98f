import { z } from "zod";
import { DEVELOPMENT_TOKEN } from "../../common/security/tokens.ts";
import {
  baseUrl,
  count,
  flag,
  listenAddress,
  NO_SETTINGS,
  number,
  seconds,
  setting,
  share,
  text,
  window,
} from "../../common/settings/fields.ts";
import { actionPlugins } from "../actions/index.ts";
import { GUARDS } from "../guards/index.ts";
import { notifierPlugins } from "../notify/index.ts";
import { signalPlugins } from "../signals/index.ts";
import { sourcePlugins } from "../sources/index.ts";
import type { SourcePlugin } from "../sources/shared/context.ts";
import { storePlugins } from "../store/index.ts";
import { constantsSchema } from "./constants.ts";
import { NONE } from "./mitigation.ts";
import { playbooksSchema } from "./playbooks.ts";
import { sectionOf, settingsOf } from "./plugins.ts";
import { MITIGATE, targetSchema } from "./targets.ts";

const guardSections = Object.fromEntries(
  GUARDS.filter(({ settings }) => settings !== NO_SETTINGS).map((guard) => [
    sectionOf(guard),
    guard.settings as z.ZodType,
  ]),
);

const admin = z
  .strictObject({
    token: setting(
      text("the admin token").default(DEVELOPMENT_TOKEN),
      "admin token of the services (in production: set it)",
      { env: "ADMIN_TOKEN", secret: true },
    ),
    token_file: setting(
      text("a file that holds the admin token").optional(),
      "file that holds the admin token, one token a line, at most two",
      { env: "ADMIN_TOKEN_FILE" },
    ),
  })
  .prefault({});

const HOST_NAME = "must be the name of a host, or *.NAME for all below it";

const web = z
  .strictObject({
    port: setting(count(0, 65_535, "a TCP port").default(9105), "the monitor's HTTP port", {
      env: "PREDICT_METRICS_PORT",
    }),
    listen_address: setting(listenAddress().optional(), "address to listen on; overrides the port", {
      shownDefault: "127.0.0.1:9105",
    }),
    allowed_hosts: setting(
      z
        .array(
          z
            .string({ error: HOST_NAME })
            .regex(/^(\*\.)?[a-z0-9]([a-z0-9.-]{0,251}[a-z0-9])?$/i, { error: HOST_NAME }),
          { error: "must be a list of names" },
        )
        .default([]),
      "further names under which the monitor is called; *.NAME: all below it",
      { shownDefault: "" },
    ),
    trusted_network: setting(
      flag().default(false),
      "who reaches the listen address is trusted: the development token is accepted from other machines (never in production)",
      { env: "TRUSTED_NETWORK" },
    ),
    external_url: setting(baseUrl().optional(), "URL under which people reach the monitor"),
    enable_lifecycle: setting(flag().default(false), "allow reloading by POST /-/reload"),
    token: setting(
      text("the token of those who tell the monitor").optional(),
      "token of who tells the monitor something, e.g. Alertmanager; without one the admin token",
      { env: "WEB_TOKEN", secret: true },
    ),
    token_file: setting(
      text("a file that holds it").optional(),
      "file that holds web.token, one token a line, at most two",
      { env: "WEB_TOKEN_FILE" },
    ),
  })
  .prefault({});

const log = z
  .strictObject({
    level: setting(
      z
        .enum(["debug", "info", "warn", "error"], { error: "must be debug, info, warn or error" })
        .default("info"),
      "least severity that is logged",
    ),
    format: setting(
      z.enum(["json", "pretty"], { error: "must be json or pretty" }).default("json"),
      "json for programs, pretty for people",
    ),
    file: setting(text("a file to append to").optional(), "also append the log to this file", {
      env: "LOG_FILE",
    }),
    file_max_bytes: setting(
      count(0, 2 ** 40, "bytes; 0: no limit").default(50_000_000),
      "size at which the log file is put aside as FILE.1; 0: never",
      { env: "LOG_FILE_MAX_BYTES" },
    ),
  })
  .prefault({});

/** A list of kinds, each once. */
function kindsOf(plugins: readonly { readonly kind: string }[], what: string) {
  const kinds = plugins.map(({ kind }) => kind);
  return z
    .array(z.enum(kinds as [string], { error: `must be ${kinds.join(" or ")}` }))
    .min(1, `must name at least one ${what}`)
    .refine((order) => new Set(order).size === order.length, { error: `must not name a ${what} twice` })
    .default(kinds);
}

const sources = z
  .strictObject({
    order: setting(kindsOf(sourcePlugins, "source"), "metric sources, preferred first"),
    rate_window_seconds: setting(count(2, 7200, "seconds").optional(), "window of rates", {
      shownDefault: "60, at least 2 cycles",
    }),
    max_sample_age_seconds: setting(seconds(1, 86_400).optional(), "older samples are stale", {
      shownDefault: "3 cycles, at least 60",
    }),
    max_response_bytes: setting(
      count(1024, 2 ** 30, "bytes").default(33_554_432),
      "larger answers of a source are refused",
    ),
    ...settingsOf<SourcePlugin>(sourcePlugins, ({ kind, settings }) =>
      settings
        .extend({
          timeout_seconds: setting(
            seconds(0.1, 300).optional(),
            `deadline of one call of the source ${kind}`,
            {
              shownDefault: "80 % of a cycle, at most 10",
            },
          ),
        })
        .prefault({}),
    ),
  })
  .prefault({});

const predict = z
  .strictObject({
    horizon_seconds: setting(seconds(1, 86_400).default(180), "forecast horizon", {
      env: "PREDICT_HORIZON_SECONDS",
    }),
    prob_strong: setting(share().default(0.6), "probability that acts at once while in risk", {
      env: "PREDICT_PROB_STRONG",
    }),
    prob_confirm_min: setting(share().default(0.3), "probability that acts on two cycles in a row", {
      env: "PREDICT_PROB_CONFIRM_MIN",
    }),
    min_r2: setting(share().default(0.2), "fits below this R² trigger nothing", { env: "PREDICT_MIN_R2" }),
    pre_timeout_ratio: setting(
      number({ min: 0, max: 10, unit: "a share of the hard limit", above: true }).default(0.9),
      "share of the hard limit from which a forecast acts",
      { env: "PREDICT_PRE_TIMEOUT_RATIO" },
    ),
    cooldown_seconds: setting(seconds(0, 86_400).default(300), "pause of a target after a mitigation", {
      env: "PREDICT_COOLDOWN_SECONDS",
    }),
    sensitivity: setting(
      z
        .enum(["strict", "default", "eager"], { error: "must be strict, default or eager" })
        .default("default"),
      "how readily the trend predictor triggers",
    ),
    window_samples: setting(count(5, 1000, "samples").default(20), "samples the line is fitted to"),
    constants: constantsSchema,
  })
  .prefault({});

const notify = z
  .strictObject({
    resend_seconds: setting(
      seconds(5, 3600).default(60),
      "an escalation that lasts is sent again after so long",
    ),
    timeout_seconds: setting(seconds(0.1, 60).default(5), "deadline of one call to a notifier"),
    ...settingsOf(notifierPlugins),
  })
  .prefault({});

const store = z
  .strictObject({
    kind: setting(
      z
        .enum(storePlugins.map(({ kind }) => kind) as [string], {
          error: `must be ${storePlugins.map(({ kind }) => kind).join(" or ")}`,
        })
        .default("sqlite"),
      "where the journal is kept",
    ),
    max_entries: setting(
      count(1, 10_000_000, "entries").default(100_000),
      "finished entries of the journal that are kept at most",
    ),
    max_age_seconds: setting(
      seconds(3600, 10 * 366 * 86_400).default(90 * 86_400),
      "finished entries of the journal are kept for so long",
    ),
    ...settingsOf(storePlugins),
  })
  .prefault({});

/** How actions are verified, and when people are called. */
const verification = z
  .strictObject({
    window_seconds: setting(window().optional(), "from an action to the verdict on it", {
      shownDefault: "the cooldown",
    }),
    min_samples: setting(
      count(3, 100, "samples").default(3),
      "with fewer samples from after an action the verdict is inconclusive",
    ),
    min_change: setting(
      number({ min: 0, max: 1, unit: "a share", above: true }).default(0.25),
      "share of the excess that must go for the verdict improved",
    ),
    max_ineffective: setting(
      count(1, 40, "actions").default(3),
      "so many actions that did not help, within the window or in a row, are escalated",
    ),
    // Attempts are kept for a day: a longer window would count what is no longer known.
    ineffective_window_seconds: setting(window().default(3600), "window of verification.max_ineffective"),
    healthy_seconds: setting(window().default(1800), "health for so long ends an escalation"),
  })
  .prefault({});

/** The configuration file. Every key has a default, so that an empty file is a valid one. */
export const fileSchema = z.strictObject({
  cycle_interval_seconds: setting(count(1, 3600, "seconds").default(30), "seconds from cycle to cycle", {
    env: "CYCLE_INTERVAL_SECONDS",
  }),
  auto_heal: setting(flag().default(true), "1 acts; 0 is shadow mode: decide and log, never call", {
    env: "AUTO_HEAL",
    shownDefault: "1",
  }),
  mitigate: setting(
    text(MITIGATE).default(NONE),
    "what heals targets that do not say; none: they are watched",
  ),
  data_dir: setting(text("a folder").default("./data"), "folder of the journal", { env: "HELIUS_DATA_DIR" }),
  admin,
  web,
  log,
  sources,
  store,
  predict,
  signals: z.strictObject(settingsOf(signalPlugins)).prefault({}),
  actions: z.strictObject(settingsOf(actionPlugins)).prefault({}),
  alerts: z
    .strictObject({
      stale_seconds: setting(
        number({ min: 10, max: 86_400, unit: "seconds" }).default(600),
        "an alert that was not received for longer is not acted on",
      ),
    })
    .prefault({}),
  regions: z
    .strictObject({
      window_seconds: setting(
        number({ min: 1, max: 60, unit: "seconds" }).default(20),
        "regions are compared over at least this, and one must be starved for as long to be isolated for it",
      ),
    })
    .prefault({}),
  guards: z.strictObject(guardSections).prefault({}),
  verification,
  notify,
  targets: z.array(targetSchema).min(1, "must list at least one target").optional(),
  playbooks: playbooksSchema,
});
