import { readFileSync, writeFileSync } from "node:fs";
import { configurationReference } from "./configuration.ts";

// `npm run docs:configuration`: writes the tables of docs/configuration.md from the program. A test demands that they agree.

const file = new URL("../../docs/configuration.md", import.meta.url);
writeFileSync(file, configurationReference(readFileSync(file, "utf8")));
