import { atLine, quoted } from "./error.ts";

/** Longest line taken, characters: a file without line ends must not fill the memory. */
const MAX_LINE = 65_536;

/** Told every line of a text, without its end, counted from 1. */
export type OnLine = (line: string, number: number) => void;

export interface LineSplitter {
  /** The next piece of the text, cut anywhere. */
  push(chunk: string): void;
  /** The text is over: a last line without an end counts too. @returns the number of lines. */
  end(): number;
}

/** Cuts a text that comes in pieces into lines; LF and CRLF end a line, a byte order mark at the start is dropped. */
export function createLineSplitter(file: string, onLine: OnLine): LineSplitter {
  let rest = "";
  let number = 0;
  let started = false;
  const emit = (line: string) => {
    number += 1;
    if (line.length > MAX_LINE) throw atLine(file, number, `longer than ${MAX_LINE} characters`);
    onLine(line.endsWith("\r") ? line.slice(0, -1) : line, number);
  };
  return {
    push(chunk) {
      if (chunk === "") return;
      let text = rest + chunk;
      if (!started) {
        started = true;
        if (text.startsWith("\uFEFF")) text = text.slice(1);
      }
      let from = 0;
      for (let at = text.indexOf("\n"); at >= 0; at = text.indexOf("\n", from)) {
        emit(text.slice(from, at));
        from = at + 1;
      }
      rest = text.slice(from);
      if (rest.length > MAX_LINE) throw atLine(file, number + 1, `longer than ${MAX_LINE} characters`);
    },
    end() {
      if (rest !== "") emit(rest);
      rest = "";
      return number;
    },
  };
}

/**
 * The fields of one CSV line (RFC 4180 without line breaks inside quotes).
 * @throws ReplayInputError on a quote that is not closed, stands inside a bare field, or is followed by text.
 */
export function splitFields(line: string, where: { file: string; number: number }): string[] {
  if (!line.includes('"')) return line.split(",");
  const { file, number } = where;
  const fields: string[] = [];
  let at = 0;
  for (;;) {
    if (line[at] === '"') {
      let value = "";
      let close = at;
      for (;;) {
        const next = line.indexOf('"', close + 1);
        if (next < 0)
          throw atLine(file, number, "a quoted field is not closed; a quote inside one is written twice");
        value += line.slice(close + 1, next);
        close = next;
        if (line[next + 1] !== '"') break;
        value += '"';
        close = next + 1;
      }
      fields.push(value);
      at = close + 1;
      if (at < line.length && line[at] !== ",")
        throw atLine(
          file,
          number,
          `text after the closing quote: ${quoted(line.slice(at))}; a comma belongs there`,
        );
    } else {
      const comma = line.indexOf(",", at);
      const value = line.slice(at, comma < 0 ? line.length : comma);
      if (value.includes('"'))
        throw atLine(file, number, `a quote inside the bare field ${quoted(value)}; quote the whole field`);
      fields.push(value);
      at += value.length;
    }
    if (at >= line.length) return fields;
    at += 1;
  }
}

/** Where each wanted column stands. */
export type Columns = Readonly<Record<string, number>>;

/**
 * Reads a header: every wanted column once, in any order, and no other.
 * @throws ReplayInputError naming what is missing, unknown or doubled.
 */
export function readHeader(input: {
  line: string;
  number: number;
  file: string;
  wanted: readonly string[];
}): Columns {
  const { file, number, wanted } = input;
  const names = splitFields(input.line, { file, number }).map((name) => name.trim());
  const header = `the header must be ${wanted.join(",")}`;
  const missing = wanted.filter((name) => !names.includes(name));
  if (missing.length > 0)
    throw atLine(
      file,
      number,
      `column ${missing.join(", ")} is missing; ${header}, not ${quoted(input.line)}`,
    );
  const unknown = names.filter((name) => !wanted.includes(name));
  if (unknown.length > 0)
    throw atLine(file, number, `unknown column ${quoted(unknown[0] as string)}; ${header}`);
  if (names.length > wanted.length) throw atLine(file, number, `a column is named twice; ${header}`);
  return Object.fromEntries(names.map((name, i) => [name, i]));
}

const DECIMAL = /^[+-]?(?:\d+\.?\d*|\.\d+)(?:[eE][+-]?\d+)?$/;
/** Unix seconds beyond this are milliseconds by mistake. */
const LATEST_S = 1e11;

/** A time in Unix seconds, as milliseconds rounded to whole ones; throws `ReplayInputError` naming the column. */
export function readTime(text: string, column: string, where: { file: string; number: number }): number {
  const trimmed = text.trim();
  const wrong = (what: string) => atLine(where.file, where.number, `${column} ${what}`);
  if (!DECIMAL.test(trimmed)) throw wrong(`must be a number of seconds, not ${quoted(text)}`);
  const seconds = Number(trimmed);
  if (seconds < 0) throw wrong(`must not be negative: ${quoted(text)}`);
  if (seconds > LATEST_S) throw wrong(`must be in seconds, not milliseconds: ${quoted(text)}`);
  return Math.round(seconds * 1000);
}

const MISSING = /^(?:|nan|[+-]?inf(?:inity)?)$/i;

/** A value, NaN where it is missing (empty, NaN, +-Inf); throws `ReplayInputError` on anything else. */
export function readValue(text: string, where: { file: string; number: number }): number {
  const trimmed = text.trim();
  if (DECIMAL.test(trimmed)) {
    const value = Number(trimmed);
    return Number.isFinite(value) ? value : Number.NaN;
  }
  if (MISSING.test(trimmed)) return Number.NaN;
  throw atLine(
    where.file,
    where.number,
    `value must be a number, or empty, NaN or Inf where it is missing, not ${quoted(text)}`,
  );
}

/** A name; throws `ReplayInputError` when it is empty, too long or not printable. */
export function readName(text: string, column: string, where: { file: string; number: number }): string {
  const name = text.trim();
  if (name === "") throw atLine(where.file, where.number, `${column} must not be empty`);
  if (name.length > 200) throw atLine(where.file, where.number, `${column} must have at most 200 characters`);
  if (/\p{Cc}/u.test(name))
    throw atLine(where.file, where.number, `${column} must not hold control characters: ${quoted(name)}`);
  return name;
}
