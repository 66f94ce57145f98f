/** A table as it stands in the documents: cells padded to the width of their column. */
export function table(head: readonly string[], rows: readonly (readonly string[])[]): string {
  const all = [head, ...rows];
  const widths = head.map((_, column) => Math.max(3, ...all.map((row) => length(row[column] ?? ""))));
  const line = (cells: readonly string[]) =>
    `| ${widths.map((width, column) => pad(cells[column] ?? "", width)).join(" | ")} |`;
  return [line(head), line(widths.map((width) => "-".repeat(width))), ...rows.map(line)].join("\n");
}

function length(text: string): number {
  return [...text].length;
}

function pad(text: string, width: number): string {
  return text + " ".repeat(width - length(text));
}

/**
 * The text with what stands between `<!-- generated: NAME -->` and `<!-- end of NAME -->` replaced by the part of that name.
 * @throws Error naming a part without its marks, or marks without their part.
 */
export function withGenerated(text: string, parts: Readonly<Record<string, string>>): string {
  const seen = new Set<string>();
  const filled = text.replaceAll(
    /(<!-- generated: (\S+) -->\n)[\s\S]*?(<!-- end of \2 -->)/g,
    (_, start: string, name: string, end: string) => {
      const part = parts[name];
      if (part === undefined) throw new Error(`nothing is generated for the marks of ${name}`);
      seen.add(name);
      return `${start}\n${part}\n\n${end}`;
    },
  );
  const missing = Object.keys(parts).filter((name) => !seen.has(name));
  if (missing.length > 0) throw new Error(`no marks for: ${missing.join(", ")}`);
  return filled;
}

/** As inline code, but for switches and numbers. */
export function code(text: string): string {
  return /^(?:true|false|\d+(?:\.\d+)?)$/.test(text) ? text : `\`${text}\``;
}
