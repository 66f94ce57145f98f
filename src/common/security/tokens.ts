import { createHash, timingSafeEqual } from "node:crypto";
import { readFileSync, statSync } from "node:fs";

/** The token that services and monitor share on a development machine. Refused in production. */
export const DEVELOPMENT_TOKEN = "secret";

/** What anybody would try first. */
const KNOWN = [
  DEVELOPMENT_TOKEN,
  "admin",
  "changeme",
  "default",
  "development",
  "helius",
  "password",
  "test",
  "token",
];
/** A guess takes a call: what is shorter may be found. */
const LEAST_CHARS = 16;

/** At most so many tokens are valid at once: the present one and the next, for rotation. */
const MAX_TOKENS = 2;

const MAX_FILE_BYTES = 8_192;
/** What can stand in a header: printable ASCII, no space at either end. */
const FORM = /^[\x21-\x7e](?:[\x20-\x7e]{0,1022}[\x21-\x7e])?$/;

/** One or two admin tokens, both valid. */
export interface TokenSet {
  /** Whether it is one of them. Constant-time in content and length; an absent one never is. */
  accepts(candidate: string | undefined): boolean;
  /** The token to present to others: the first. */
  current(): string;
  /** Every valid token, the one to present first, then the one to try after a 401. */
  all(): readonly string[];
  /** Why the file, as it is now, is not in force; undefined when it is, or when there is none. */
  problem(): string | undefined;
}

export interface TokenSetOptions {
  /** The token, or the tokens. Not read where there is a file. */
  readonly value?: string | readonly string[] | undefined;
  /** One or two tokens, one a line; read again when it changes. */
  readonly file?: string | undefined;
  /** True: the development token, others that everybody knows, and short ones are refused, wherever they come from. */
  readonly production?: boolean | undefined;
  /** True: other machines can call, so that a token that everybody knows is refused. */
  readonly exposed?: boolean | undefined;
  /** Told once for each change that makes the file unusable; the last good tokens stay in force. */
  readonly onProblem?: (reason: string) => void;
  /** Told, at the start and at each change, of a file that more people can read than should. */
  readonly onWarning?: (reason: string) => void;
}

/** Tokens that cannot be used. The message has neither a token nor the name of the setting. */
export class TokenError extends Error {
  override readonly name = "TokenError";
}

/**
 * The tokens of a value or of a file. Throws `TokenError` when they cannot be used at the start; a file that turns bad
 * later keeps the last good tokens.
 */
export function createTokenSet(options: TokenSetOptions): TokenSet {
  if (options.file === undefined) {
    const given = typeof options.value === "string" ? [options.value] : (options.value ?? []);
    const known = checked(given, options);
    return tokenSet({ known: () => known, problem: () => undefined });
  }
  return fileTokens({ ...options, file: options.file });
}

/** Where tokens are to be used: how good they must be. */
type Use = Pick<TokenSetOptions, "production" | "exposed">;

/** Why a token is not good enough for its use, without any part of it; undefined: it is. */
export function weakness(token: string, { production, exposed }: Use): string | undefined {
  const known = KNOWN.includes(token.toLowerCase());
  if (known && production === true)
    return "the development token is refused in production: expected a secret of your own";
  if (known && exposed === true)
    return "a token that everybody knows is refused where other machines can call: expected a secret of your own";
  return production === true && token.length < LEAST_CHARS
    ? `a token of ${token.length} characters is refused in production: expected at least ${LEAST_CHARS}, e.g. from "openssl rand -hex 32"`
    : undefined;
}

interface Known {
  readonly tokens: readonly string[];
  readonly hashes: readonly Buffer[];
}

function tokenSet(source: { known: () => Known; problem: () => string | undefined }): TokenSet {
  return {
    accepts: (candidate) => matches(source.known().hashes, candidate),
    current: () => source.known().tokens[0] ?? "",
    all: () => source.known().tokens,
    problem: source.problem,
  };
}

function fileTokens(options: TokenSetOptions & { file: string }): TokenSet {
  const { file, onProblem, onWarning } = options;
  // The stamp first: a change between the two readings is then seen at the next call.
  let stamp = stampOf(file);
  let known = readTokens(file, options);
  let problem: string | undefined;
  warn(file, onWarning);
  const refresh = () => {
    const present = stampOf(file);
    if (present === stamp) return;
    stamp = present;
    try {
      known = readTokens(file, options);
      problem = undefined;
      warn(file, onWarning);
    } catch (error) {
      problem = (error as Error).message;
      onProblem?.(problem);
    }
  };
  return tokenSet({
    known: () => {
      refresh();
      return known;
    },
    problem: () => {
      refresh();
      return problem;
    },
  });
}

function readTokens(file: string, use: Use): Known {
  let text: string;
  try {
    const stat = statSync(file);
    // A pipe would be waited for, a folder cannot be read, and a huge file is a mistake.
    if (!stat.isFile()) throw new TokenError(`${file} is not a regular file`);
    if (stat.size > MAX_FILE_BYTES) throw new TokenError(`${file} is larger than ${MAX_FILE_BYTES} bytes`);
    text = readFileSync(file, "utf8");
  } catch (error) {
    if (error instanceof TokenError) throw error;
    throw new TokenError(`${file} cannot be read: ${(error as NodeJS.ErrnoException).code}`);
  }
  const lines = text.split("\n").map((line) => line.trim());
  try {
    return checked(
      lines.filter((line) => line !== ""),
      use,
    );
  } catch (error) {
    throw new TokenError(`${file}: ${(error as Error).message}`);
  }
}

function checked(tokens: readonly string[], use: Use): Known {
  if (tokens.length === 0 || tokens.length > MAX_TOKENS || tokens.includes(""))
    throw new TokenError("expected one or two tokens that are not empty");
  if (!tokens.every((token) => FORM.test(token)))
    throw new TokenError("expected tokens of 1 to 1024 printable ASCII characters");
  for (const token of tokens) {
    const weak = weakness(token, use);
    if (weak !== undefined) throw new TokenError(weak);
  }
  return { tokens, hashes: tokens.map(hashOf) };
}

/** Where containers get their secrets: readable for everyone inside, and nobody else is in there. */
const CONTAINER_SECRETS = "/run/secrets/";

/** What is wrong with the mode of a token file, in words; undefined: nothing. @internal for its tests */
export function exposure(file: string, mode: number): string | undefined {
  if (file.startsWith(CONTAINER_SECRETS) || (mode & 0o007) === 0) return undefined;
  const shown = (mode & 0o777).toString(8).padStart(4, "0");
  return `${file} has mode ${shown}, so that everyone on this machine can read or change it: expected 0600`;
}

function warn(file: string, onWarning: ((reason: string) => void) | undefined): void {
  const mode = statSync(file, { throwIfNoEntry: false })?.mode;
  const reason = mode === undefined ? undefined : exposure(file, mode);
  if (reason !== undefined) onWarning?.(reason);
}

/** Changes when the file is written or replaced. */
function stampOf(file: string): string {
  try {
    const stat = statSync(file, { bigint: true });
    return `${stat.ino}:${stat.mtimeNs}:${stat.size}:${stat.mode}`;
  } catch (error) {
    return String((error as NodeJS.ErrnoException).code);
  }
}

function matches(hashes: readonly Buffer[], candidate: string | undefined): boolean {
  if (candidate === undefined) return false;
  const hash = hashOf(candidate);
  // Every hash is compared, so that the time does not say which one matched.
  return hashes.map((known) => timingSafeEqual(known, hash)).includes(true);
}

function hashOf(token: string): Buffer {
  return createHash("sha256").update(token, "utf8").digest();
}
