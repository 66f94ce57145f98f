/** Rows of text as an aligned table; the first row is the head, the first column is text, the others numbers. */
export function table(rows: readonly (readonly string[])[]): string {
  const widths = (rows[0] ?? []).map((_, c) => Math.max(...rows.map((r) => (r[c] ?? "").length)));
  const lines = rows.map((row) =>
    row.map((cell, c) => (c === 0 ? cell.padEnd(widths[c] ?? 0) : cell.padStart(widths[c] ?? 0))).join("   "),
  );
  lines.splice(1, 0, widths.map((w) => "-".repeat(w)).join("   "));
  return lines.join("\n");
}

/** One changing line on a terminal; plain lines elsewhere. Empty text ends it. */
export function progress(text: string): void {
  if (process.stderr.isTTY) process.stderr.write(`\r\u001b[K${text}`);
  else if (text !== "") process.stderr.write(`${text}\n`);
}
