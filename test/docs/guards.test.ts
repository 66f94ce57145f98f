import { readFileSync } from "node:fs";
import { fileURLToPath } from "node:url";
import { expect, test } from "vitest";
import { GUARDS } from "../../src/monitor/guards/index.ts";

// docs/guards.md is held to the guards there are: their order and their sections.

const text = readFileSync(fileURLToPath(new URL("../../docs/guards.md", import.meta.url)), "utf8");

/** First cells of the rows of the table whose head begins with `head`. */
function table(head: string): string[][] {
  const lines = text.slice(text.indexOf(`| ${head}`)).split("\n");
  const rows = lines.slice(
    2,
    lines.findIndex((line) => !line.startsWith("|")),
  );
  return rows.map((line) =>
    line
      .slice(1, -1)
      .split("|")
      .map((cell) => cell.replaceAll("`", "").trim()),
  );
}

test("docs/guards.md lists every guard in the order in which they are asked, whom each looks at, with a section each", () => {
  expect(table("guard ").map(([guard, looksAt, asked]) => [guard, looksAt, asked])).toEqual(
    GUARDS.map(({ kind, looksAt, asked }) => [kind, looksAt.join(", "), asked]),
  );
  for (const { kind: guard } of GUARDS) expect(text).toContain(`\n## ${guard}\n`);
});
