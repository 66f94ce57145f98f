/**
 * Rows of text as an aligned table with a line under the first row, its head.
 * @param left so many columns, from the first, are text and stand to the left; the others are figures, to the right.
 */
export function textTable(rows: readonly (readonly string[])[], left = 1): string {
  const widths = (rows[0] ?? []).map((_, c) => Math.max(...rows.map((row) => row[c]?.length ?? 0)));
  const aligned = (cell: string, c: number) =>
    c < left ? cell.padEnd(widths[c] ?? 0) : cell.padStart(widths[c] ?? 0);
  const lines = rows.map((row) => row.map(aligned).join("  ").trimEnd());
  lines.splice(1, 0, widths.map((width) => "-".repeat(width)).join("  "));
  return lines.join("\n");
}
