import { mkdtempSync, readdirSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { expect, onTestFinished, test } from "vitest";
import { descendantsOf, isAlive, spawnHelius } from "../e2e/kit/process.ts";
import { waitFor } from "../setup/ports.ts";

test("Ctrl-C in the middle ends everything and leaves nothing behind", async () => {
  const folder = mkdtempSync(join(tmpdir(), "helius-drill-test-"));
  onTestFinished(() => rmSync(folder, { recursive: true, force: true }));
  const drill = spawnHelius({
    args: ["drill", "memory-leak", "--heal=on"],
    cwd: folder,
    env: { TMPDIR: folder },
  });
  try {
    await waitFor(() => drill.stderr().includes("quiet"), { what: "the quiet phase", timeoutMs: 60_000 });
    const children = descendantsOf(drill.pid);
    expect(children.length).toBeGreaterThanOrEqual(2);
    expect(readdirSync(folder)).toHaveLength(1);
    const { code } = await drill.end("SIGINT", 20_000);
    expect(code).toBe(130);
    expect(drill.stderr()).toContain("interrupted, everything is stopped");
    expect(children.filter(isAlive)).toEqual([]);
    expect(readdirSync(folder)).toEqual([]);
  } finally {
    for (const pid of descendantsOf(drill.pid)) process.kill(pid, "SIGKILL");
    await drill.destroy();
  }
});
