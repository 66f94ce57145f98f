import { execFile, spawn } from "node:child_process";
import { once } from "node:events";
import { existsSync, mkdtempSync, readFileSync, rmSync, statSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import { promisify } from "node:util";
import { afterEach, beforeEach, expect, test } from "vitest";
import { waitFor } from "../setup/ports.ts";
import { requireServer } from "../setup/require-server.ts";

const WRITER = fileURLToPath(new URL("./log-writer.ts", import.meta.url));
const MAX_BYTES = 20_000;

let folder = "";
let file = "";
beforeEach(() => {
  folder = mkdtempSync(join(tmpdir(), "helius-rotation-"));
  file = join(folder, "writer.log");
});
afterEach(() => rmSync(folder, { recursive: true, force: true }));

/** Both files' text, the older first. */
function written(): string {
  return [`${file}.1`, file]
    .filter((f) => existsSync(f))
    .map((f) => readFileSync(f, "utf8"))
    .join("");
}

interface Line {
  readonly run: number;
  readonly n: number;
}

/** The lines, and how many were cut short. */
function parsed(text: string): { lines: Line[]; torn: number } {
  const lines: Line[] = [];
  let torn = 0;
  for (const line of text.split("\n").filter((l) => l !== "")) {
    try {
      lines.push(JSON.parse(line) as Line);
    } catch {
      torn += 1;
    }
  }
  return { lines, torn };
}

test("killed again and again while it rotates: no line runs into another, none is missing, the size is bounded", async () => {
  const kills = 12;
  let rotations = 0;
  for (let run = 1; run <= kills; run++) {
    const before = existsSync(`${file}.1`) ? statSync(`${file}.1`).ino : 0;
    const child = spawn(process.execPath, [WRITER, file, String(MAX_BYTES), String(run)], {
      stdio: "ignore",
    });
    const ended = once(child, "exit");
    await waitFor(() => existsSync(`${file}.1`) && statSync(`${file}.1`).ino !== before, {
      what: "a rotation",
      everyMs: 1,
    });
    rotations += 1;
    child.kill("SIGKILL");
    await ended;
    for (const name of [file, `${file}.1`])
      if (existsSync(name)) expect(statSync(name).size, name).toBeLessThanOrEqual(MAX_BYTES + 1);
    const { lines, torn } = parsed(written());
    expect(torn).toBeLessThanOrEqual(run);
    expect(lines.length).toBeGreaterThan(50);
    for (let k = 1; k < lines.length; k++) {
      const [last, next] = [lines[k - 1] as Line, lines[k] as Line];
      if (next.run === last.run) expect(next.n).toBe(last.n + 1);
      else expect([next.run, next.n]).toEqual([last.run + 1, 1]);
    }
  }
  expect(rotations).toBe(kills);
});

test("on a full disk lines are dropped and counted, and what comes after is whole", async (context) => {
  const { dropped, text } = await traced(context, "write:error=ENOSPC:when=40..59", 400);
  const { lines, torn } = parsed(text);
  expect(dropped).toBe(20);
  expect(torn).toBe(0);
  expect(lines.map((l) => l.n).filter((n) => n < 60)).toEqual(Array.from({ length: 39 }, (_, k) => k + 1));
  expect(lines.at(-1)?.n).toBe(400);
});

test("a rotation that fails is tried again, and nothing is lost meanwhile", async (context) => {
  const { dropped, text } = await traced(context, "/^rename:error=EACCES:when=1..3", 400);
  expect(dropped).toBe(0);
  expect(parsed(text).lines.map((l) => l.n)).toEqual(Array.from({ length: 400 }, (_, k) => k + 1));
  // It was written on past its limit of 30,000 bytes until the fourth try.
  expect(statSync(`${file}.1`).size).toBeGreaterThan(30_000);
});

/** A run of the writer whose system calls on its log file fail as `inject` says. */
async function traced(context: Parameters<typeof requireServer>[1], inject: string, lines: number) {
  const strace = requireServer("strace", context);
  const run = promisify(execFile);
  const able = await run(strace, ["-o", "/dev/null", "true"]).then(
    () => true,
    () => false,
  );
  if (!able) context.skip("this machine does not allow tracing");
  const program = [process.execPath, WRITER, file, "30000", "1", String(lines)];
  const { stdout } = await run(strace, [
    ...["-f", "-o", "/dev/null", "-P", file, "-e", `inject=${inject}`],
    ...program,
  ]);
  return { dropped: Number(stdout.trim()), text: written() };
}
