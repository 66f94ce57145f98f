import { readSync, writeSync } from "node:fs";
import { openSqliteStore } from "../../src/monitor/store/sqlite/index.ts";
import { intentOf, RETENTION } from "./records.ts";

/**
 * A process that opens the journal and does as told, one command a line on its standard input:
 * `intent ID`, `series KEY`, `close`. It answers one line each: `ok` or `error MESSAGE`. Lines are
 * written synchronously, so that a trace shows them in order with what the store does.
 */
const [path = "journal.db"] = process.argv.slice(2);

const say = (line: string): void => {
  writeSync(1, `${line}\n`);
};

const attempt = (work: () => void): void => {
  try {
    work();
    say("ok");
  } catch (error) {
    say(`error ${error instanceof Error ? `${error.name} ${error.message}` : String(error)}`);
  }
};

function open() {
  try {
    const store = openSqliteStore({
      path,
      clock: { bootId: "boot-1", now: () => ({ wallMs: Date.now(), monoMs: performance.now() }) },
      retention: RETENTION,
    });
    say(`open ${store.epoch}`);
    return store;
  } catch (error) {
    say(`error ${error instanceof Error ? `${error.name} ${error.message}` : String(error)}`);
    process.exit(3);
  }
}

const store = open();
const buffer = Buffer.alloc(4096);
let pending = "";
for (;;) {
  const length = readSync(0, buffer);
  if (length === 0) break;
  pending += buffer.toString("utf8", 0, length);
  const lines = pending.split("\n");
  pending = lines.pop() ?? "";
  for (const line of lines) {
    const [command, argument = ""] = line.split(" ");
    if (command === "intent") attempt(() => store.recordIntent(intentOf(argument)));
    else if (command === "series") {
      attempt(() => store.saveSeries([{ key: argument, inRisk: true, pending: {} }]));
    } else if (command === "close") attempt(() => store.close());
    else say(`error unknown command ${line}`);
  }
}
