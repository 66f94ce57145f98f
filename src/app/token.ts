import type { Logger } from "pino";
import { ConfigError } from "../config/types.ts";
import { createTokenSet, TokenError, type TokenSet } from "../security/tokens.ts";

/**
 * The admin tokens for calls to services: the given one, or those of the file, which wins and is read again when it
 * changes.
 * @throws ConfigError when they cannot be used at the start; later the last good ones are kept.
 */
export function adminTokens(options: {
  readonly admin: { readonly token: string; readonly tokenFile: string | undefined };
  readonly env: Readonly<Record<string, string | undefined>>;
  readonly logger: Logger;
}): TokenSet {
  const { admin, env, logger } = options;
  try {
    return createTokenSet({
      value: admin.token,
      file: admin.tokenFile,
      production: env.NODE_ENV === "production",
      onProblem: (reason) => logger.error({ reason }, "admin token file is bad, keeping the last tokens"),
      onWarning: (reason) => logger.warn({ reason }, "admin token file is open to others"),
    });
  } catch (error) {
    if (!(error instanceof TokenError)) throw error;
    const key = admin.tokenFile === undefined ? "admin.token" : "admin.token_file";
    throw new ConfigError([
      { where: admin.tokenFile ?? "settings", key, message: `cannot be used: ${error.message}` },
    ]);
  }
}
