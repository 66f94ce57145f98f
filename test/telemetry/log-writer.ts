import { openLog } from "../../src/common/telemetry/logger.ts";

// A program that only logs: numbered lines to the file named by its arguments, until it is killed or has written enough.
const [file = "", maxBytes = "0", run = "0", lines = "Infinity"] = process.argv.slice(2);
const log = openLog({ job: "writer", file, fileMaxBytes: Number(maxBytes), stream: { write: () => {} } });
for (let n = 1; n <= Number(lines); n += 1) log.logger.info({ run: Number(run), n }, "line");
process.stdout.write(`${log.droppedLines()}\n`);
log.close();
