/** One sample line of a `/metrics` page. */
export interface ExpositionSample {
  readonly name: string;
  /** Label pairs sorted by name. */
  readonly labels: readonly (readonly [string, string])[];
  /** May be NaN or infinite. */
  readonly value: number;
  /** Time that the page itself gives, milliseconds since the Unix epoch. */
  readonly timestampMs: number | undefined;
}

export interface Exposition {
  /** Samples whose name was wanted, in page order. */
  readonly samples: readonly ExpositionSample[];
  /** Wanted names that the page declares with `# TYPE`, also those without a sample. */
  readonly declared: ReadonlySet<string>;
}

/** A page that breaks the format: nothing of it can be trusted. */
export class ExpositionError extends Error {
  override readonly name = "ExpositionError";
  /** From 1. */
  readonly line: number;

  constructor(line: number, problem: string) {
    super(`line ${line}: ${problem}`);
    this.line = line;
  }
}

/** Those of the text format, and of OpenMetrics. */
const TYPES = new Set(
  "counter gauge histogram summary untyped unknown info stateset gaugehistogram".split(" "),
);
const NUMBER = /^[+-]?(?:\d+\.?\d*|\.\d+)(?:[eE][+-]?\d+)?$/;
const INTEGER = /^-?\d+$/;
const SPECIAL = new Map([
  ["nan", Number.NaN],
  ["inf", Number.POSITIVE_INFINITY],
  ["+inf", Number.POSITIVE_INFINITY],
  ["-inf", Number.NEGATIVE_INFINITY],
]);

const TAB = 9;
const LINE_FEED = 10;
const SPACE = 32;
const QUOTE = 34;
const HASH = 35;
const COMMA = 44;
const EQUALS = 61;
const BACKSLASH = 92;
const OPEN_BRACE = 123;
const CLOSE_BRACE = 125;

/**
 * Reads a page in Prometheus' text format 0.0.4. Every line is checked, also of families nobody asked for, but only
 * samples named in `wanted` are built. Throws `ExpositionError` with the line number on the first flaw; a last line
 * without line feed is one, since that is how a page looks that was cut off.
 */
export function parseExposition(text: string, wanted: ReadonlySet<string>): Exposition {
  const samples: ExpositionSample[] = [];
  const declared = new Set<string>();
  let line = 0;
  let from = 0;
  while (from < text.length) {
    line += 1;
    const end = text.indexOf("\n", from);
    if (end < 0) throw new ExpositionError(line, "no line feed at the end: the page was cut off");
    const at = skipBlanks(text, from, end);
    const code = at === end ? LINE_FEED : text.charCodeAt(at);
    if (code === HASH) readComment(text.slice(at, end), { wanted, declared, line });
    else if (code !== LINE_FEED) {
      const sample = readSample({ text, at, end, line }, wanted);
      if (sample) samples.push(sample);
    }
    from = end + 1;
  }
  return { samples, declared };
}

interface CommentSink {
  readonly wanted: ReadonlySet<string>;
  readonly declared: Set<string>;
  readonly line: number;
}

function readComment(comment: string, { wanted, declared, line }: CommentSink): void {
  if (!/^#[ \t]+TYPE[ \t]/.test(comment)) return;
  const [, , name = "", type = "", ...rest] = comment.trim().split(/[ \t]+/);
  if (rest.length > 0 || !TYPES.has(type)) {
    throw new ExpositionError(
      line,
      `type must be one of ${[...TYPES].join(", ")}, got ${JSON.stringify(type)}`,
    );
  }
  if (wanted.has(name)) declared.add(name);
  else if (type === "histogram" && wanted.has(`${name}_bucket`)) declared.add(`${name}_bucket`);
}

/** A place in the page; functions below advance `at` up to `end`, the line's line feed. */
interface Cursor {
  readonly text: string;
  at: number;
  readonly end: number;
  readonly line: number;
}

function readSample(cursor: Cursor, wanted: ReadonlySet<string>): ExpositionSample | undefined {
  const name = readName(cursor, true);
  const keep = wanted.has(name);
  cursor.at = skipBlanks(cursor.text, cursor.at, cursor.end);
  let labels: [string, string][] = [];
  if (codeAt(cursor) === OPEN_BRACE) {
    cursor.at += 1;
    labels = readLabels(cursor, keep);
  } else if (cursor.text.charCodeAt(cursor.at - 1) > SPACE) {
    throw new ExpositionError(cursor.line, `expected a space or "{" after ${name}`);
  }
  const rawValue = readWord(cursor);
  const value = numberOf(rawValue);
  if (value === undefined) {
    throw new ExpositionError(
      cursor.line,
      `value of ${name} must be a number, got ${JSON.stringify(rawValue)}`,
    );
  }
  const behind = readWord(cursor);
  // OpenMetrics: an exemplar, which says nothing of the value.
  if (behind === "#") cursor.at = cursor.end;
  const rawTime = behind === "#" ? "" : behind;
  if (rawTime !== "" && !INTEGER.test(rawTime)) {
    throw new ExpositionError(
      cursor.line,
      `timestamp must be whole milliseconds, got ${JSON.stringify(rawTime)}`,
    );
  }
  if (skipBlanks(cursor.text, cursor.at, cursor.end) !== cursor.end) {
    throw new ExpositionError(cursor.line, "unexpected text after the timestamp");
  }
  if (!keep) return undefined;
  labels.sort(([a], [b]) => (a < b ? -1 : 1));
  return { name, labels, value, timestampMs: rawTime === "" ? undefined : Number(rawTime) };
}

function readLabels(cursor: Cursor, keep: boolean): [string, string][] {
  const labels: [string, string][] = [];
  for (;;) {
    cursor.at = skipBlanks(cursor.text, cursor.at, cursor.end);
    if (codeAt(cursor) === CLOSE_BRACE) break;
    const name = readName(cursor, false);
    cursor.at = skipBlanks(cursor.text, cursor.at, cursor.end);
    expectCode(cursor, EQUALS, `"=" after label ${name}`);
    cursor.at = skipBlanks(cursor.text, cursor.at, cursor.end);
    expectCode(cursor, QUOTE, `a quoted value of label ${name}`);
    const value = readQuoted(cursor);
    if (keep) {
      if (labels.some(([known]) => known === name))
        throw new ExpositionError(cursor.line, `label ${name} given twice`);
      labels.push([name, value]);
    }
    cursor.at = skipBlanks(cursor.text, cursor.at, cursor.end);
    if (codeAt(cursor) === COMMA) cursor.at += 1;
    else if (codeAt(cursor) !== CLOSE_BRACE)
      throw new ExpositionError(cursor.line, 'expected "," or "}" after a label');
  }
  cursor.at += 1;
  return labels;
}

/** Reads up to the closing quote; the opening one is behind. */
function readQuoted(cursor: Cursor): string {
  const { text, end } = cursor;
  const from = cursor.at;
  let escaped = false;
  for (let at = from; at < end; at++) {
    const code = text.charCodeAt(at);
    if (code === BACKSLASH) {
      escaped = true;
      at += 1;
    } else if (code === QUOTE) {
      cursor.at = at + 1;
      const raw = text.slice(from, at);
      return escaped ? unescaped(raw) : raw;
    }
  }
  throw new ExpositionError(cursor.line, "label value has no closing quote");
}

/** `\\`, `\"` and `\n`; as in Prometheus any other backslash stands for itself. */
function unescaped(raw: string): string {
  return raw.replace(/\\([\\"n])/g, (_all, code: string) => (code === "n" ? "\n" : code));
}

function readName(cursor: Cursor, colons: boolean): string {
  const { text, end } = cursor;
  const from = cursor.at;
  let at = from;
  while (at < end && isNameCode(text.charCodeAt(at), colons, at > from)) at += 1;
  if (at === from) {
    const what = colons ? "a metric name" : "a label name";
    throw new ExpositionError(cursor.line, `expected ${what}, got ${JSON.stringify(text.slice(at, at + 1))}`);
  }
  cursor.at = at;
  return text.slice(from, at);
}

function isNameCode(code: number, colons: boolean, digits: boolean): boolean {
  if ((code >= 97 && code <= 122) || (code >= 65 && code <= 90) || code === 95) return true;
  return (digits && code >= 48 && code <= 57) || (colons && code === 58);
}

/** The next run of characters other than blanks; empty at the end of the line. */
function readWord(cursor: Cursor): string {
  const from = skipBlanks(cursor.text, cursor.at, cursor.end);
  let at = from;
  while (at < cursor.end && cursor.text.charCodeAt(at) !== SPACE && cursor.text.charCodeAt(at) !== TAB)
    at += 1;
  cursor.at = at;
  return cursor.text.slice(from, at);
}

function numberOf(word: string): number | undefined {
  return NUMBER.test(word) ? Number(word) : SPECIAL.get(word.toLowerCase());
}

function expectCode(cursor: Cursor, code: number, what: string): void {
  if (codeAt(cursor) !== code) throw new ExpositionError(cursor.line, `expected ${what}`);
  cursor.at += 1;
}

function codeAt(cursor: Cursor): number {
  return cursor.at < cursor.end ? cursor.text.charCodeAt(cursor.at) : LINE_FEED;
}

function skipBlanks(text: string, from: number, end: number): number {
  let at = from;
  while (at < end && (text.charCodeAt(at) === SPACE || text.charCodeAt(at) === TAB)) at += 1;
  return at;
}
