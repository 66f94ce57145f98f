import { expect, test } from "vitest";
import { textTable } from "./table.ts";

const ROWS = [
  ["name", "what", "n"],
  ["alpha", "x", "7"],
  ["b", "", "1000"],
];

test("columns are aligned: text to the left, figures to the right, no blanks at the end", () => {
  expect(textTable(ROWS, 2).split("\n")).toEqual([
    "name   what     n",
    "-----  ----  ----",
    "alpha  x        7",
    "b            1000",
  ]);
  expect(
    textTable(
      ROWS.map((row) => row.toReversed()),
      3,
    )
      .split("\n")
      .at(2),
  ).toBe("7     x     alpha");
});
