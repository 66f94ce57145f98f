import { StoreError } from "../../kernel/store.ts";
import { errorMessage } from "../../kernel/text.ts";

/** SQLite's primary result codes that speak of the surroundings, not of the file's contents. */
const SURROUNDINGS: ReadonlyMap<number, string> = new Map([
  [3, "permission denied"],
  [5, "locked by another process"],
  [6, "locked"],
  [7, "out of memory"],
  [8, "read-only"],
  [9, "interrupted"],
  [10, "input/output error"],
  [13, "disk full"],
  [14, "cannot be opened"],
  [22, "not supported by the operating system"],
  [23, "not authorized"],
]);

/** SQLite's primary result code of an error, or undefined when SQLite did not throw it. */
export function sqliteCode(error: unknown): number | undefined {
  const code = error instanceof Error && "errcode" in error ? error.errcode : undefined;
  return typeof code === "number" ? code & 0xff : undefined;
}

/** True for what says nothing about the file's contents: moving the file away would not help. */
export function isSurroundings(error: unknown): boolean {
  const code = sqliteCode(error);
  return code !== undefined && SURROUNDINGS.has(code);
}

/** Message of anything thrown, with SQLite's class of error where it has one. */
export function describe(error: unknown): string {
  const code = sqliteCode(error);
  const text = errorMessage(error);
  const known = code === undefined ? undefined : SURROUNDINGS.get(code);
  return known === undefined || text.includes(known) ? text : `${known}: ${text}`;
}

/** Runs `work`; whatever it throws leaves as `StoreError` that says what was being done. */
export function guarded<T>(doing: string, work: () => T): T {
  try {
    return work();
  } catch (error) {
    if (error instanceof StoreError && error.cause === undefined) {
      throw new StoreError(`${doing}: ${error.message}`);
    }
    throw new StoreError(`${doing}: ${describe(error)}`, { cause: error });
  }
}
