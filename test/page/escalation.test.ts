import { expect, test } from "vitest";
import { startFleet } from "../../src/lab/bench/page/fleet.ts";
import { createWorld, quickConfig, TOKEN } from "../e2e/kit/world.ts";
import { requireServer } from "../setup/require-server.ts";
import { openBrowser, violations, visit } from "./browser.ts";
import { AUTHOR, REASON, say } from "./say.ts";

const eventually = <T>(look: () => T | Promise<T>, timeout = 60_000) => expect.poll(look, { timeout });

test("a target that no action helps asks for a person on every page, and takes the answer", async (context) => {
  const chromium = requireServer("chromium", context);
  const world = createWorld();
  context.onTestFinished(() => world.end());
  // A target that takes the action and does not get better: no real service of ours is so stubborn.
  const fleet = await startFleet(1, { stubborn: true });
  world.onEnd(() => fleet.close());
  const [target] = fleet.targets;
  const name = target?.name ?? "";
  const verification = { window_seconds: 5, min_samples: 3, max_ineffective: 1 };
  const config = quickConfig({ targets: fleet.targets, cooldownS: 15, extra: { verification } });
  const monitor = await world.monitor({ config });
  const browser = await openBrowser(chromium);
  world.onEnd(() => browser.close());
  const { page, complaints } = await visit(browser, { origin: monitor.url });
  await page.goto(`${monitor.url}/#/guards`);
  await monitor.moreCycles(25);
  fleet.ramp(name, 40);
  const notice = page.locator("#notice");
  await eventually(() => notice.textContent(), 90_000).toContain(`${name} waits for a person`);
  await monitor.process.line("target escalated");
  const table = page.getByRole("group", { name: "Targets on which the monitor has stopped" });
  await eventually(() => table.textContent()).toMatch(/nobody yet/);
  expect(await violations(page)).toEqual([]);

  await notice.getByRole("button", { name: "Answer…" }).click();
  await say(page, TOKEN, { Answer: "no" });
  await eventually(() => notice.textContent()).toContain(`Seen by ${AUTHOR}: ${REASON}.`);
  expect(await monitor.process.line("escalation answered")).toMatchObject({
    answer: "stay stopped",
    by: AUTHOR,
  });
  const made = fleet.mitigated.length;
  await monitor.moreCycles(5);
  expect(fleet.mitigated).toHaveLength(made);

  await page.goto(`${monitor.url}/#/target/${name}`);
  await page.getByRole("button", { name: "Answer the escalation…" }).click();
  await say(page, TOKEN, { Answer: "yes" });
  await eventually(() => notice.textContent()).toBe("");
  expect(
    await monitor.process.line("escalation answered", { also: (line) => line.answer === "go on" }),
  ).toMatchObject({ target: name, by: AUTHOR, reason: REASON });
  await eventually(() => fleet.mitigated.length).toBeGreaterThan(made);
  expect(complaints).toEqual([]);
});
