import { readFileSync } from "node:fs";
import { fileURLToPath } from "node:url";
import { expect, test } from "vitest";
import { commandLines, fenced } from "./commands.ts";

// README.pt-BR.md says in Portuguese what README.md says: the same parts, commands, figures, links and names.

const read = (path: string) => readFileSync(fileURLToPath(new URL(`../../${path}`, import.meta.url)), "utf8");

/** Everything of a document that no translation changes. */
function bones(text: string) {
  const prose = text.replaceAll(/^ *```[\s\S]*?^ *```/gm, "");
  const links = [...prose.matchAll(/\]\(([^)\s]+)\)/g)].map((m) => m[1] as string);
  return {
    headings: [...prose.matchAll(/^(#+) /gm)].map((m) => m[1]),
    commands: commandLines(text),
    shown: fenced(text, ["console", "text", "mermaid"]),
    links: links.filter((link) => !link.startsWith("README") && !link.startsWith("#")),
    // Lines of each table.
    tables: [...prose.matchAll(/(?:^\|.*\|\n)+/gm)].map(([table]) => table.trimEnd().split("\n").length),
    code: [...prose.matchAll(/`([^`\n]+)`/g)].map((m) => m[1] as string).sort(),
    bold: [...prose.matchAll(/\*\*[^*]+\*\*/g)].length,
  };
}

/** Numbers of the prose and the tables, as English writes them. */
function numbers(text: string): string[] {
  const prose = text.replaceAll(/^ *```[\s\S]*?^ *```/gm, "").replaceAll(/`[^`\n]*`|\]\([^)]*\)/g, "");
  return [...prose.matchAll(/\d+(?:[.,]\d+)?/g)].map(([n]) => n.replace(",", ".")).sort();
}

const english = read("README.md");
const portuguese = read("README.pt-BR.md");

test("both READMEs have the same parts, commands, links and names", () => {
  const [en, pt] = [bones(english), bones(portuguese)];
  expect(en.headings.length).toBeGreaterThan(5);
  expect(en.commands.length).toBeGreaterThan(6);
  expect(en.links.length).toBeGreaterThan(22);
  expect(pt).toEqual(en);
});

test("both READMEs have the same figures", () => {
  const inTables = (text: string) => numbers((text.match(/(?:^\|.*\|\n)+/gm) ?? []).join(""));
  expect(inTables(english).length).toBeGreaterThan(60);
  expect(inTables(portuguese)).toEqual(inTables(english));
});

test("the README is short: what it is, the two commands, a picture and three ways on", () => {
  expect(english.split("\n").length).toBeLessThanOrEqual(151);
});

test("the Portuguese one is Portuguese, and each leads to the other", () => {
  expect(english).toContain("(README.pt-BR.md)");
  expect(portuguese).toContain("(README.md)");
  const words = (text: string, word: string) =>
    text.match(new RegExp(`(?<!\\p{L})${word}(?!\\p{L})`, "giu"))?.length ?? 0;
  const prose = portuguese.replaceAll(/^ *```[\s\S]*?^ *```/gm, "").replaceAll(/`[^`\n]*`/g, "");
  expect(words(prose, "the")).toBe(0);
  expect(words(prose, "não")).toBeGreaterThan(4);
});
