import { execFileSync } from "node:child_process";
import { waitFor } from "./ports.ts";

/**
 * SIGSTOP, and waits until no thread of the process runs any more: the signal alone only asks for it, and a busy machine
 * takes its time.
 */
export async function standStill(pid: number): Promise<void> {
  process.kill(pid, "SIGSTOP");
  await waitFor(() => statesOf(pid).every((state) => state.startsWith("T")), {
    what: `process ${pid} to stand still`,
  });
}

/** Process states as ps tells them, of every thread where it can: T is stopped. */
function statesOf(pid: number): string[] {
  const everyThread = process.platform === "linux" ? ["-L"] : [];
  const told = execFileSync("ps", [...everyThread, "-o", "state=", "-p", `${pid}`], { encoding: "utf8" });
  return told.trim().split(/\s+/);
}
