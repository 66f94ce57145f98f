import { readFileSync } from "node:fs";
import type { z } from "zod";
import { DEVELOPMENT_TOKEN } from "../../common/security/tokens.ts";
import { parseListenAddress } from "../../common/settings/fields.ts";
import { toInternal } from "../../common/settings/internal.ts";
import { bindings, DEFAULT_TARGET_BASE, flagOf, fromText, TARGET_ENV } from "./bindings.ts";
import { resolveContainment } from "./containment.ts";
import { type ConfigDocument, readDocument } from "./document.ts";
import { actionsSchema, checkActions } from "./plugins.ts";
import { type Complain, resolveTargets } from "./resolve.ts";
import { resolveEscalation, resolveGuards, resolveVerification } from "./resolve-guards.ts";
import { type FileConfig, fileSchema, keysAt } from "./schema.ts";
import { suggest } from "./suggest.ts";
import { type Config, ConfigError, type ConfigProblem } from "./types.ts";

export interface ConfigInput {
  /** Path of the file; undefined: none. */
  readonly file: string | undefined;
  readonly env: Readonly<Record<string, string | undefined>>;
  /** Values of flags by key of the file, e.g. `predict.horizon_seconds`. */
  readonly flags: Readonly<Record<string, string>>;
}

/**
 * The configuration from flag, environment, file and default, in this order.
 * @throws ConfigError naming every problem by place, key and what would be right.
 */
export function loadConfig(input: ConfigInput): Config {
  const doc = input.file === undefined ? undefined : readDocument(readText(input.file), input.file);
  const data: Record<string, unknown> = structuredClone(doc?.data ?? {});
  const origins = new Map<string, string>();
  for (const b of bindings) {
    const fromFlag = input.flags[b.path];
    const fromEnv = b.env === undefined ? undefined : input.env[b.env];
    const given = fromFlag ?? (fromEnv === "" ? undefined : fromEnv);
    if (given === undefined) continue;
    origins.set(b.path, fromFlag === undefined ? `environment ${b.env}` : `--${flagOf(b.path)}`);
    setPath(data, b.path.split("."), fromText(b.kind, given));
  }
  const base = input.env[TARGET_ENV];
  if (base !== undefined && base !== "") {
    data.targets = [{ name: "product-api", url: base }];
    origins.set("targets", `environment ${TARGET_ENV}`);
  } else if (data.targets === undefined) data.targets = [{ name: "product-api", url: DEFAULT_TARGET_BASE }];
  const where = placer(doc, origins, input.file);
  const parsed = fileSchema.safeParse(data);
  if (!parsed.success)
    throw new ConfigError(parsed.error.issues.flatMap((issue) => problemsOf(issue, where)));
  return freeze(resolve({ file: parsed.data, given: data, input, where }));
}

function readText(file: string): string {
  try {
    return readFileSync(file, "utf8");
  } catch (error) {
    const code = (error as NodeJS.ErrnoException).code;
    const why =
      code === "ENOENT" ? "no such file" : code === "EISDIR" ? "is a folder, not a file" : `${error}`;
    throw new ConfigError([{ where: file, key: "", message: why }]);
  }
}

type Where = (path: readonly PropertyKey[]) => string;

/** Where a key was given: its flag or variable, else its place in the file. */
function placer(
  doc: ConfigDocument | undefined,
  origins: ReadonlyMap<string, string>,
  file: string | undefined,
): Where {
  return (path) => {
    for (let n = path.length; n > 0; n--) {
      const origin = origins.get(path.slice(0, n).join("."));
      if (origin !== undefined) return origin;
    }
    return doc?.where(path) ?? file ?? "defaults";
  };
}

function problemsOf(issue: z.core.$ZodIssue, where: Where): ConfigProblem[] {
  if (issue.code === "unrecognized_keys")
    return issue.keys.map((key) => ({
      where: where([...issue.path, key]),
      key: dotted([...issue.path, key]),
      message: `is not a known key${suggest(key, keysAt(fileSchema, issue.path))}`,
    }));
  const message =
    issue.code === "invalid_type" && /^Invalid input/.test(issue.message)
      ? `must be ${article(issue.expected)}`
      : issue.message;
  return [{ where: where(issue.path), key: dotted(issue.path), message }];
}

function article(expected: string): string {
  return expected === "object" || expected === "record"
    ? "a mapping"
    : expected === "array"
      ? "a list"
      : `a ${expected}`;
}

function dotted(path: readonly PropertyKey[]): string {
  return path
    .map((p) => (typeof p === "number" ? `[${p}]` : `.${String(p)}`))
    .join("")
    .replace(/^\./, "");
}

function setPath(data: Record<string, unknown>, path: readonly string[], value: unknown): void {
  let at = data;
  for (const step of path.slice(0, -1)) {
    const next = at[step];
    // A scalar where a mapping belongs is left as it is: the schema will name it.
    if (next !== undefined && next !== null && (typeof next !== "object" || Array.isArray(next))) return;
    if (next === undefined || next === null) at[step] = {};
    at = at[step] as Record<string, unknown>;
  }
  at[path.at(-1) as string] = value;
}

/** What makes sense only beside another value. */
function checkTogether(file: FileConfig, given: Record<string, unknown>, complain: Complain): void {
  const { predict: p, sources: s } = file;
  if (p.prob_confirm_min > p.prob_strong) {
    const own = (given.predict as Record<string, unknown> | undefined)?.prob_confirm_min !== undefined;
    complain(
      ["predict", own ? "prob_confirm_min" : "prob_strong"],
      `must not put prob_confirm_min (${p.prob_confirm_min}) above prob_strong (${p.prob_strong})`,
    );
  }
  for (const source of ["prometheus", "scrape"] as const) {
    const timeout = s[source].timeout_seconds;
    if (timeout !== undefined && timeout >= file.cycle_interval_seconds)
      complain(
        ["sources", source, "timeout_seconds"],
        `must be below the cycle of ${file.cycle_interval_seconds} seconds, so that no answer outlasts it`,
      );
  }
}

function resolve(from: {
  file: FileConfig;
  given: Record<string, unknown>;
  input: ConfigInput;
  where: Where;
}): Config {
  const { file, input, where } = from;
  const problems: ConfigProblem[] = [];
  const complain: Complain = (path, message) =>
    void problems.push({ where: where(path), key: dotted(path), message });
  const targets = resolveTargets(file, file.targets ?? [], complain);
  const actions = toInternal(actionsSchema, file.actions);
  const named = targets.map((t) => t.name);
  checkActions(actions, { targets: named, adminTokenFile: file.admin.token_file }, complain);
  const { predict: p, sources: s, web } = file;
  checkTogether(file, from.given, complain);
  if (
    input.env.NODE_ENV === "production" &&
    file.admin.token_file === undefined &&
    (file.admin.token ?? DEVELOPMENT_TOKEN) === DEVELOPMENT_TOKEN
  )
    complain(
      ["admin", "token"],
      "is the development default; in production set ADMIN_TOKEN or ADMIN_TOKEN_FILE",
    );
  if (input.env.NODE_ENV === "production" && web.token_file === undefined && web.token === DEVELOPMENT_TOKEN)
    complain(["web", "token"], "is the development default; in production set another, or web.token_file");
  const rateWindow = s.rate_window_seconds ?? Math.max(60, 2 * file.cycle_interval_seconds);
  if (s.order.includes("scrape") && rateWindow < 2 * file.cycle_interval_seconds)
    complain(
      ["sources", "rate_window_seconds"],
      `must be at least two cycles (${2 * file.cycle_interval_seconds} s), so that it holds two scrapes`,
    );
  const guards = resolveGuards(file.guards, complain);
  const contained = resolveContainment({
    file,
    targets,
    actions,
    inCluster: (input.env.KUBERNETES_SERVICE_HOST ?? "") !== "",
    complain,
  });
  if (problems.length > 0) throw new ConfigError(problems);
  const listen = web.listen_address === undefined ? undefined : parseListenAddress(web.listen_address);
  const timeout = Math.min(10, 0.8 * file.cycle_interval_seconds);
  return {
    file: input.file,
    cycleMs: 1000 * file.cycle_interval_seconds,
    autoHeal: file.auto_heal,
    dataDir: file.data_dir,
    admin: { token: file.admin.token ?? DEVELOPMENT_TOKEN, tokenFile: file.admin.token_file },
    web: {
      host: listen?.host ?? "0.0.0.0",
      port: listen?.port ?? web.port,
      externalUrl: web.external_url,
      enableLifecycle: web.enable_lifecycle,
      token: web.token,
      tokenFile: web.token_file,
    },
    log: {
      level: file.log.level,
      format: file.log.format,
      file: file.log.file,
      fileMaxBytes: file.log.file_max_bytes,
    },
    sources: {
      order: s.order,
      rateWindowMs: 1000 * rateWindow,
      maxSampleAgeMs: 1000 * (s.max_sample_age_seconds ?? Math.max(60, 3 * file.cycle_interval_seconds)),
      maxResponseBytes: s.max_response_bytes,
      prometheus: { url: s.prometheus.url, timeoutMs: 1000 * (s.prometheus.timeout_seconds ?? timeout) },
      scrape: { path: s.scrape.path, timeoutMs: 1000 * (s.scrape.timeout_seconds ?? timeout) },
    },
    predict: {
      horizonS: p.horizon_seconds,
      probStrong: p.prob_strong,
      probConfirmMin: p.prob_confirm_min,
      minR2: p.min_r2,
      preTimeoutRatio: p.pre_timeout_ratio,
      cooldownMs: 1000 * p.cooldown_seconds,
      windowSamples: p.window_samples,
      sensitivity: p.sensitivity,
      constants: p.constants ?? {},
    },
    actions,
    targets,
    guards,
    verification: resolveVerification(file.verification),
    escalation: resolveEscalation(file.alertmanager),
    ...contained,
  };
}

function freeze<T>(value: T): T {
  if (typeof value === "object" && value !== null && !Object.isFrozen(value)) {
    Object.freeze(value);
    for (const inner of Object.values(value)) freeze(inner);
  }
  return value;
}
