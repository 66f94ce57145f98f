// `node deploy/healthcheck.js [URL]`: exit code 0 when URL answers 200 within 4 seconds, 1 otherwise.
// The image's HEALTHCHECK: no shell and no further program is needed. Default: the monitor's own health.
const url = process.argv[2] ?? "http://127.0.0.1:9105/-/healthy";
let said;
let code = 1;
try {
  const answer = await fetch(url, { signal: AbortSignal.timeout(4000), redirect: "error" });
  said = `${answer.status} ${(await answer.text()).trim().slice(0, 200)}`;
  if (answer.status === 200) code = 0;
} catch (error) {
  said = `${url}: ${error.cause?.message ?? error.message}`;
}
process.stdout.write(`${said}\n`);
process.exitCode = code;
