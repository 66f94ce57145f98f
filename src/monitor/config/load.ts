import { readFileSync } from "node:fs";
import type { z } from "zod";
import { isLoopback } from "../../common/security/addresses.ts";
import { DEVELOPMENT_TOKEN, weakness } from "../../common/security/tokens.ts";
import { parseListenAddress } from "../../common/settings/fields.ts";
import { toInternal } from "../../common/settings/internal.ts";
import { keysAt } from "../../common/settings/walk.ts";
import type { GuardSettings } from "../guards/index.ts";
import { sourcePlugins } from "../sources/index.ts";
import { bindings, DEFAULT_TARGET_BASE, flagOf, fromText, TARGET_ENV } from "./bindings.ts";
import { type ConfigDocument, readDocument } from "./document.ts";
import { type Complain, ConfigError, type ConfigProblem } from "./errors.ts";
import { HELIUS } from "./mitigation.ts";
import { checkActions } from "./plugins.ts";
import { playbooksInForce } from "./resolve-playbooks.ts";
import { fileSchema } from "./schema.ts";
import { suggest } from "./suggest.ts";
import { commonSignals, resolveTargets } from "./targets.ts";
import type { Config, Given } from "./types.ts";

export interface ConfigInput {
  /** Path of the file; undefined: none. */
  readonly file: string | undefined;
  readonly env: Readonly<Record<string, string | undefined>>;
  /** Values of flags by key of the file, e.g. `predict.horizon_seconds`. */
  readonly flags: Readonly<Record<string, string>>;
  /** Nothing is watched: a file without targets is a right one. */
  readonly targetless?: boolean;
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
    data.targets = [{ ...SHORTHAND, url: base }];
    origins.set("targets", `environment ${TARGET_ENV}`);
  }
  const where = placer(doc, origins, input.file);
  // Without any file it is the contract's demonstration; a file is somebody's own.
  const missing = data.targets === undefined && doc !== undefined && input.targetless !== true;
  data.targets ??= [{ ...SHORTHAND, url: DEFAULT_TARGET_BASE }];
  const parsed = fileSchema.safeParse(data);
  if (!parsed.success)
    throw new ConfigError(parsed.error.issues.flatMap((issue) => problemsOf(issue, where)));
  const given = toInternal(fileSchema, parsed.data);
  return freeze(resolve({ given, data, input, where, missing }));
}

const NO_TARGETS = `must list at least one target: {name: …, url: …}, or set the variable ${TARGET_ENV}`;

/** The target of `TARGET_SERVICE_BASE`: the contract's own demonstration, a Helius service. */
const SHORTHAND = { name: "product-api", mitigate: HELIUS };

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
  const plain = issue.code === "invalid_type" && /^Invalid input/.test(issue.message);
  const message = plain ? `must be ${EXPECTED[issue.expected] ?? `a ${issue.expected}`}` : issue.message;
  return [{ where: where(issue.path), key: dotted(issue.path), message }];
}

const EXPECTED: Readonly<Record<string, string>> = {
  object: "a mapping",
  record: "a mapping",
  array: "a list",
};

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
function checkTogether(given: Given, data: Record<string, unknown>, complain: Complain): void {
  const { predict: p, sources: s, cycleIntervalMs } = given;
  const cycleS = cycleIntervalMs / 1000;
  if (p.probConfirmMin > p.probStrong) {
    const own = (data.predict as Record<string, unknown> | undefined)?.prob_confirm_min !== undefined;
    complain(
      ["predict", own ? "prob_confirm_min" : "prob_strong"],
      `must not put prob_confirm_min (${p.probConfirmMin}) above prob_strong (${p.probStrong})`,
    );
  }
  for (const { kind } of sourcePlugins) {
    const { timeoutMs } = s[kind] as { timeoutMs?: number };
    if (timeoutMs !== undefined && timeoutMs >= cycleIntervalMs)
      complain(
        ["sources", kind, "timeout_seconds"],
        `must be below the cycle of ${cycleS} seconds, so that no answer outlasts it`,
      );
  }
  if (s.rateWindowMs !== undefined && s.order.includes("scrape") && s.rateWindowMs < 2 * cycleIntervalMs)
    complain(
      ["sources", "rate_window_seconds"],
      `must be at least two cycles (${2 * cycleS} s), so that it holds two scrapes`,
    );
}

/** Tokens that are not in files, which are read when the monitor starts. */
function checkTokens(
  { admin, web }: Given,
  at: { host: string; production: boolean },
  complain: Complain,
): void {
  const { host, production } = at;
  const own = web.token ?? web.tokenFile;
  const exposed = isExposed({ ...web, host });
  for (const [section, { token, tokenFile }] of [
    ["admin", admin],
    ["web", web],
  ] as const) {
    if (tokenFile !== undefined || token === undefined) continue;
    const mend = section === "admin" ? "ADMIN_TOKEN or ADMIN_TOKEN_FILE" : "WEB_TOKEN or WEB_TOKEN_FILE";
    const wrong = weakness(token, { production });
    if (production && token === DEVELOPMENT_TOKEN)
      complain([section, "token"], `is the development default; in production set ${mend}`);
    else if (wrong !== undefined) complain([section, "token"], `cannot be used: ${wrong}; set ${mend}`);
    else if (
      exposed &&
      (section === "web" || own === undefined) &&
      weakness(token, { exposed }) !== undefined
    )
      complain(
        ["web", "listen_address"],
        `lets other machines call with a token that everybody knows: set ${mend}, or listen on 127.0.0.1:${web.port}, or say web.trusted_network: true where nobody else gets there`,
      );
  }
}

/** Whether other machines can call, and are not said to be trusted. */
export function isExposed(web: { readonly host: string; readonly trustedNetwork: boolean }): boolean {
  return !isLoopback(web.host) && !web.trustedNetwork;
}

function resolve(from: {
  given: Given;
  /** What was given, without defaults. */
  data: Record<string, unknown>;
  input: ConfigInput;
  where: Where;
  /** Somebody's file lists no targets. */
  missing: boolean;
}): Config {
  const { given, input, where } = from;
  const problems: ConfigProblem[] = [];
  const complain: Complain = (path, message) =>
    void problems.push({ where: where(path), key: dotted(path), message });
  const { signals, targets: list = [], sources, actions, admin, guards: byKind, web, ...rest } = given;
  const { cooldownMs } = rest.predict;
  const guards = byKind as GuardSettings;
  if (from.missing) complain(["targets"], NO_TARGETS);
  const healers = { actions, playbooks: given.playbooks ?? [] };
  const targets = resolveTargets(
    { targets: list, signals, cooldownMs, mitigate: rest.mitigate, healers },
    complain,
  );
  const named = targets.map(({ name }) => name);
  checkActions(actions, { targets: named, adminTokenFile: admin.tokenFile }, complain);
  checkTogether(given, from.data, complain);
  const { listenAddress, ...ofWeb } = web;
  const listen = { host: "127.0.0.1", ...(listenAddress && parseListenAddress(listenAddress)) };
  checkTokens(given, { host: listen.host, production: input.env.NODE_ENV === "production" }, complain);
  const playbooks = playbooksInForce({
    given: given.playbooks,
    known: { targets, actions, cooldownMs, fleetActions: guards.fleetCap.actions },
    inCluster: (input.env.KUBERNETES_SERVICE_HOST ?? "") !== "",
    complain,
  });
  if (problems.length > 0) throw new ConfigError(problems);
  return {
    ...rest,
    ...playbooks,
    file: input.file,
    admin,
    actions,
    targets,
    common: { signals: commonSignals(signals), cooldownMs },
    web: { ...ofWeb, ...listen },
    sources: resolveSources(sources, rest.cycleIntervalMs),
    guards,
  };
}

/** What depends on the cycle where nothing is said. */
function resolveSources(sources: Given["sources"], cycleMs: number): Config["sources"] {
  const timeoutMs = Math.min(10_000, 0.8 * cycleMs);
  const kinds = sourcePlugins.map(({ kind }) => [kind, { timeoutMs, ...(sources[kind] as object) }]);
  return {
    ...sources,
    rateWindowMs: sources.rateWindowMs ?? Math.max(60_000, 2 * cycleMs),
    maxSampleAgeMs: sources.maxSampleAgeMs ?? Math.max(60_000, 3 * cycleMs),
    ...Object.fromEntries(kinds),
  };
}

function freeze<T>(value: T): T {
  if (typeof value === "object" && value !== null && !Object.isFrozen(value)) {
    Object.freeze(value);
    for (const inner of Object.values(value)) freeze(inner);
  }
  return value;
}
