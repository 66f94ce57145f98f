import { readFileSync, statSync } from "node:fs";
import { ConfigError } from "../config/types.ts";

/**
 * The admin token for calls to services: given, or the first line of a file that is read again when it changes.
 * @throws ConfigError when the file cannot be read at the start; later the last good token is kept.
 */
export function tokenSource(admin: { token: string; tokenFile: string | undefined }): () => string {
  const { tokenFile } = admin;
  if (tokenFile === undefined) return () => admin.token;
  // The time first: a change between the two readings is then seen at the next call.
  let changed = statSync(tokenFile, { throwIfNoEntry: false })?.mtimeMs;
  let token = read(tokenFile);
  return () => {
    try {
      const mtime = statSync(tokenFile).mtimeMs;
      if (mtime !== changed) {
        token = read(tokenFile);
        changed = mtime;
      }
    } catch {
      // A file that is being replaced: the last good token stays.
    }
    return token;
  };
}

function read(file: string): string {
  const problem = (message: string) => new ConfigError([{ where: file, key: "admin.token_file", message }]);
  let text: string;
  try {
    text = readFileSync(file, "utf8");
  } catch (error) {
    throw problem(`cannot be read: ${(error as NodeJS.ErrnoException).code}`);
  }
  const first = text.split("\n", 1)[0]?.trim() ?? "";
  if (first === "") throw problem("must hold the admin token in its first line");
  return first;
}
