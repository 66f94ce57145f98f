import { readFileSync, writeFileSync } from "node:fs";
import { generated } from "./generated.ts";

// `npm run docs`: writes the tables of the reference from the program. A test demands that they agree.

for (const [path, render] of Object.entries(generated)) {
  const file = new URL(`../../${path}`, import.meta.url);
  writeFileSync(file, render(readFileSync(file, "utf8")));
}
