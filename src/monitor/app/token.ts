import type { Logger } from "pino";
import {
  createTokenSet,
  TokenError,
  type TokenSet,
  type TokenSetOptions,
} from "../../common/security/tokens.ts";
import { ConfigError } from "../config/errors.ts";

/**
 * The admin tokens for calls to services: the given one, or those of the file, which wins and is read again when it
 * changes.
 * @throws ConfigError when they cannot be used at the start; later the last good ones are kept.
 */
export function adminTokens(options: {
  readonly admin: { readonly token: string; readonly tokenFile?: string | undefined };
  /** Whether other machines can call with it. */
  readonly exposed?: boolean;
  readonly env: Readonly<Record<string, string | undefined>>;
  readonly logger: Logger;
}): TokenSet {
  const { admin, env, logger } = options;
  return tokensOf("admin", admin, {
    exposed: options.exposed,
    production: env.NODE_ENV === "production",
    onProblem: (reason) => logger.error({ reason }, "admin token file is bad, keeping the last tokens"),
    onWarning: (reason) => logger.warn({ reason }, "admin token file is open to others"),
  });
}

/**
 * The tokens of those who may tell the monitor something: `web.token`, the file that wins over it, or without either
 * the admin tokens.
 * @throws ConfigError when they cannot be used at the start; later the last good ones are kept.
 */
export function webTokens(options: {
  readonly web: { readonly token?: string | undefined; readonly tokenFile?: string | undefined };
  readonly adminTokens: TokenSet;
  /** Whether other machines can call. */
  readonly exposed?: boolean;
  readonly env: Readonly<Record<string, string | undefined>>;
  readonly logger: Logger;
}): TokenSet {
  const { web, env, logger } = options;
  if (web.token === undefined && web.tokenFile === undefined) return options.adminTokens;
  return tokensOf("web", web, {
    exposed: options.exposed,
    production: env.NODE_ENV === "production",
    onProblem: (reason) => logger.error({ reason }, "web token file is bad, keeping the last tokens"),
    onWarning: (reason) => logger.warn({ reason }, "web token file is open to others"),
  });
}

function tokensOf(
  section: "admin" | "web",
  given: { readonly token?: string | undefined; readonly tokenFile?: string | undefined },
  options: TokenSetOptions,
): TokenSet {
  try {
    return createTokenSet({ ...options, value: given.token, file: given.tokenFile });
  } catch (error) {
    if (!(error instanceof TokenError)) throw error;
    const key = given.tokenFile === undefined ? `${section}.token` : `${section}.token_file`;
    throw new ConfigError([
      { where: given.tokenFile ?? "settings", key, message: `cannot be used: ${error.message}` },
    ]);
  }
}
