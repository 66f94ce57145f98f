/** What was given to replay cannot be used; the message says where and what would be right. */
export class ReplayInputError extends Error {
  override readonly name = "ReplayInputError";
}

/** An error about one line of a file; lines count from 1. */
export function atLine(file: string, line: number, what: string): ReplayInputError {
  return new ReplayInputError(`${file}: line ${line}: ${what}`);
}

/** Text of the input inside a message: quoted, on one line, not too long. */
export function quoted(text: string): string {
  return JSON.stringify(text.length > 60 ? `${text.slice(0, 60)}…` : text);
}
