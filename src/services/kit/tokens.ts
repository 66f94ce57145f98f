import { createHash, timingSafeEqual } from "node:crypto";
import { readFileSync, statSync } from "node:fs";
import { ServiceConfigError } from "./errors.ts";

/** Knows the valid admin tokens. */
export interface TokenSource {
  /** Constant-time in the token's content and length; an absent token is never valid. */
  verify(presented: string | undefined): boolean;
}

/** At most so many tokens are valid at once: the present one and the next, for rotation. */
const MAX_TOKENS = 2;

/** Tokens that never change. Throws `ServiceConfigError` when there is none, too many, or an empty one. */
export function staticTokens(tokens: readonly string[]): TokenSource {
  const hashes = hashesOf(tokens, "ADMIN_TOKEN");
  return { verify: (presented) => matches(hashes, presented) };
}

/**
 * Tokens from a file, one a line, one or two lines. Read again when the file changes. A file that vanishes or turns
 * bad later keeps the last good tokens and is told to `onProblem`, once for each change.
 *
 * Throws `ServiceConfigError` when the file is bad at the start.
 */
export function fileTokens(options: {
  readonly file: string;
  readonly onProblem?: (reason: string) => void;
}): TokenSource {
  let stamp = stampOf(options.file);
  let hashes = readTokens(options.file);
  return {
    verify(presented) {
      const present = stampOf(options.file);
      if (present !== stamp) {
        stamp = present;
        try {
          hashes = readTokens(options.file);
        } catch (error) {
          options.onProblem?.((error as Error).message);
        }
      }
      return matches(hashes, presented);
    },
  };
}

function readTokens(file: string): readonly Buffer[] {
  let text: string;
  try {
    text = readFileSync(file, "utf8");
  } catch (error) {
    throw new ServiceConfigError(`ADMIN_TOKEN_FILE: ${file} cannot be read: ${(error as Error).message}`);
  }
  const lines = text.split(/\r?\n/).map((line) => line.trim());
  return hashesOf(
    lines.filter((line) => line !== ""),
    `ADMIN_TOKEN_FILE ${file}`,
  );
}

/** Changes when the file is written or replaced. */
function stampOf(file: string): string {
  const stat = statSync(file, { throwIfNoEntry: false, bigint: true });
  return stat === undefined ? "absent" : `${stat.ino}:${stat.mtimeNs}:${stat.size}`;
}

function hashesOf(tokens: readonly string[], origin: string): readonly Buffer[] {
  if (tokens.length === 0 || tokens.length > MAX_TOKENS || tokens.includes("")) {
    throw new ServiceConfigError(`${origin}: expected one or two tokens that are not empty`);
  }
  return tokens.map(hashOf);
}

function matches(hashes: readonly Buffer[], presented: string | undefined): boolean {
  if (presented === undefined) return false;
  const hash = hashOf(presented);
  // Every hash is compared, so that the time does not say which one matched.
  return hashes.map((known) => timingSafeEqual(known, hash)).includes(true);
}

function hashOf(token: string): Buffer {
  return createHash("sha256").update(token, "utf8").digest();
}
