import { run } from "./cli/index.ts";

const stop = new AbortController();
for (const name of ["SIGINT", "SIGTERM"] as const) process.on(name, () => stop.abort(name));
const onReload: (() => void)[] = [];
process.on("SIGHUP", () => onReload.forEach((reload) => void reload()));

const code = await run({
  argv: process.argv.slice(2),
  env: process.env,
  stop: stop.signal,
  onReload: (reload) => void onReload.push(reload),
});
// Nothing is left to do: what still holds the process open (an idle keep-alive socket) must not hold it up.
process.exit(code);
