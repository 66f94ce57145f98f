import { globSync, readFileSync } from "node:fs";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import { describe, expect, test } from "vitest";
import { z } from "zod";
import { described, flag, number, share, text } from "../../src/common/settings/fields.ts";
import { defaultOf, shapeOf } from "../../src/common/settings/walk.ts";
import { bindings } from "../../src/monitor/config/bindings.ts";
import { fileSchema } from "../../src/monitor/config/schema.ts";
import { allowed, schemaAt } from "../../tools/docs/allowed.ts";
import { generated } from "../../tools/docs/generated.ts";
import { table, withGenerated } from "../../tools/docs/tables.ts";

// Tables of the reference are written from the program: `npm run docs`.

const root = fileURLToPath(new URL("../../", import.meta.url));
const committed = readFileSync(join(root, "docs/configuration.md"), "utf8");

test.each(Object.keys(generated))("%s is what npm run docs writes", (path) => {
  const text = readFileSync(join(root, path), "utf8");
  expect(generated[path]?.(text)).toBe(text);
});

test("the default that --help shows is the one that the schema fills in", () => {
  const compared = bindings.flatMap((b) => {
    const real = defaultOf(b.schema);
    if (real === undefined) return [];
    const shown = real === true ? /^(true|1)$/ : real === false ? /^(false|0)$/ : undefined;
    if (shown === undefined) expect(b.shownDefault, b.path).toBe(String(real));
    else expect(b.shownDefault, b.path).toMatch(shown);
    return [b.path];
  });
  expect(compared.length).toBeGreaterThan(35);
});

test("every setting that a service reads from the environment is documented", () => {
  const sources = globSync("src/services/**/*.ts", { cwd: root, exclude: ["**/*.test.ts"] }).map((path) =>
    readFileSync(join(root, path), "utf8"),
  );
  const names = sources.flatMap((source) => [
    ...[...source.matchAll(/\benv\.([A-Z][A-Z0-9_]{2,})\b/g)].map((m) => m[1] as string),
    ...[...source.matchAll(/"((?:GATEWAY|LLM|RECOMMENDER|PRODUCT_API)_[A-Z0-9_]+)"/g)].map(
      (m) => m[1] as string,
    ),
  ]);
  expect(new Set(names).size).toBeGreaterThan(20);
  const told = (name: string) => ["`", "="].some((end) => committed.includes(`\`${name}${end}`));
  expect([...new Set(names)].filter((name) => !told(name))).toEqual([]);
});

describe("what a value must be", () => {
  test.each([
    ["a share", share().default(0.5), "0 to 1; a share"],
    ["above", number({ min: 0, max: 10, unit: "a factor", above: true }), "above 0 to 10; a factor"],
    [
      "whole",
      number({ min: 1, max: 5, unit: "samples", integer: true }).optional(),
      "1 to 5, whole; samples",
    ],
    ["without an upper end", number({ min: 0, max: 2 ** 53 - 1, unit: "ms" }), "0; ms"],
    ["a switch", flag().default(true), "true or false"],
    ["text", text("a folder"), "text"],
    ["a list", z.array(z.enum(["a", "b"], { error: "must be a or b" })), "list: a or b"],
    ["a mapping", z.strictObject({}), "mapping"],
  ])("%s", (_, schema, says) => {
    expect(allowed(schema)).toBe(says);
  });

  test("a key that is not there is named", () => {
    expect(() => schemaAt(fileSchema, "predict.nothing")).toThrow("predict.nothing");
    expect(shapeOf(schemaAt(fileSchema, "targets"))).toHaveProperty("aggregate");
  });

  test("a description changes nothing of what is accepted", () => {
    const plain = share().optional();
    const told = described(plain, "a share of it", "half");
    for (const value of [undefined, 0.5, 2, "x"])
      expect(told.safeParse(value).success).toBe(plain.safeParse(value).success);
    expect(told.meta()).toEqual({ description: "a share of it", shownDefault: "half" });
  });
});

describe("generated parts", () => {
  const text = "a\n<!-- generated: one -->\nold\n<!-- end of one -->\nb";

  test("take the place of what was there, and of nothing else", () => {
    const once = withGenerated(text, { one: "new" });
    expect(once).toBe("a\n<!-- generated: one -->\n\nnew\n\n<!-- end of one -->\nb");
    expect(withGenerated(once, { one: "new" })).toBe(once);
  });

  test("missing marks and unknown marks are named", () => {
    expect(() => withGenerated(text, { one: "x", two: "y" })).toThrow("two");
    expect(() => withGenerated(text, {})).toThrow("one");
  });

  test("cells are padded to their column", () => {
    expect(table(["a", "b"], [["long", "é"]])).toBe("| a    | b   |\n| ---- | --- |\n| long | é   |");
  });
});
