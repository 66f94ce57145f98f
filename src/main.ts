import { enableCompileCache } from "node:module";
import { fileURLToPath } from "node:url";

// Half of the time that a start takes goes into compiling what has not changed since the last one. In a folder of our
// own, because whoever may write there may have us run anything; where it cannot be written, nothing is kept.
enableCompileCache(fileURLToPath(new URL("../.cache/compile", import.meta.url)));

const stop = new AbortController();
for (const name of ["SIGINT", "SIGTERM"] as const) process.on(name, () => stop.abort(name));
const onReload: (() => void)[] = [];
process.on("SIGHUP", () => onReload.forEach((reload) => void reload()));

const { run } = await import("./cli/index.ts");
const code = await run({
  argv: process.argv.slice(2),
  env: process.env,
  stop: stop.signal,
  onReload: (reload) => void onReload.push(reload),
});
// Nothing is left to do: what still holds the process open (an idle keep-alive socket) must not hold it up.
process.exit(code);
