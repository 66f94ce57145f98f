import { execFileSync } from "node:child_process";
import { existsSync, readFileSync } from "node:fs";
import { fileURLToPath } from "node:url";
import { describe, expect, it } from "vitest";
import { systemClock } from "./clock.ts";

describe("systemClock", () => {
  it("reads wall time, and monotonic time that never goes back", () => {
    const clock = systemClock();
    const before = Date.now();
    let last = clock.now();
    expect(last.wallMs).toBeGreaterThanOrEqual(before);
    for (let n = 0; n < 1000; n++) {
      const next = clock.now();
      expect(next.monoMs).toBeGreaterThanOrEqual(last.monoMs);
      last = next;
    }
  });

  it("names the boot: the same in every process, and with it the origin of monotonic time", () => {
    const here = systemClock();
    const url = fileURLToPath(new URL("./clock.ts", import.meta.url));
    const script = `import { systemClock } from ${JSON.stringify(url)}; const c = systemClock(); console.log(JSON.stringify([c.bootId, c.now().monoMs]));`;
    const before = here.now().monoMs;
    const args = ["--input-type=module", "--eval", script];
    const [bootId, monoMs] = JSON.parse(execFileSync(process.execPath, args, { encoding: "utf8" })) as [
      string,
      number,
    ];
    expect(bootId).toBe(here.bootId);
    expect(monoMs).toBeGreaterThanOrEqual(before);
    expect(monoMs).toBeLessThanOrEqual(here.now().monoMs);
    const kernel = "/proc/sys/kernel/random/boot_id";
    if (existsSync(kernel)) expect(bootId).toBe(readFileSync(kernel, "utf8").trim());
    expect(bootId).not.toBe("");
  });
});
