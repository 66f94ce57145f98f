import { execFileSync } from "node:child_process";
import { randomUUID } from "node:crypto";
import { readFileSync } from "node:fs";
import type { Clock } from "../kernel/time.ts";

/** The machine's clocks. Monotonic time survives a restart of the process, not one of the machine. */
export function systemClock(): Clock {
  return {
    bootId: readBootId(),
    now: () => ({ wallMs: Date.now(), monoMs: Number(process.hrtime.bigint() / 1000n) / 1000 }),
  };
}

/** The kernel's id of this boot. Where there is none every start counts as a reboot: cooldowns are then assumed. */
function readBootId(): string {
  try {
    return readFileSync("/proc/sys/kernel/random/boot_id", "utf8").trim();
  } catch {
    // Not Linux.
  }
  try {
    return execFileSync("sysctl", ["-n", "kern.bootsessionuuid"], { encoding: "utf8", timeout: 2000 }).trim();
  } catch {
    return `unknown-${randomUUID()}`;
  }
}
