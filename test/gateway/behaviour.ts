import { expect, it } from "vitest";
import type { Delivery, DurableQueue } from "../../src/services/queue/types.ts";
import { waitFor } from "../setup/ports.ts";

const message = (key: string, lane = "a") => ({ lane, key, payload: Buffer.from(`payload of ${key}`) });
const take = (queue: DurableQueue, lane: string, count: number): Promise<Delivery[]> => {
  const taken: Delivery[] = [];
  return waitFor(
    () => {
      taken.push(...queue.take(lane, count - taken.length));
      return taken.length >= count && taken;
    },
    { what: `${count} deliveries`, timeoutMs: 60_000, everyMs: 20 },
  );
};
const depthIs = (queue: DurableQueue, lane: string, depth: number) =>
  waitFor(() => queue.depth(lane) === depth, { what: `a depth of ${depth}` });

/** What every engine must do, with lanes `a` and `b`, a capacity of 5 a lane and a dedup window of a minute. */
export function queueBehaviour(open: () => Promise<DurableQueue>): void {
  it("accepts, names duplicates, keeps lanes apart, and refuses what does not fit", async () => {
    const queue = await open();
    expect(await queue.offer(message("1"))).toBe("accepted");
    expect(await queue.offer(message("1"))).toBe("duplicate");
    expect(await queue.offer(message("1", "b"))).toBe("accepted");
    for (const key of ["2", "3", "4", "5"]) expect(await queue.offer(message(key))).toBe("accepted");
    expect(await queue.offer(message("6"))).toBe("full");
    expect(await queue.offer(message("2", "b"))).toBe("accepted");
    expect(queue.fill("a")).toBe(1);
    const taken = await take(queue, "a", 5);
    await queue.settle([{ delivery: taken[0]!, verdict: "done" }]);
    await waitFor(async () => (await queue.offer(message("6"))) === "accepted", { what: "room" });
  });

  it("delivers key and payload, counts failures on retries, and not on releases", async () => {
    const queue = await open();
    await queue.offer(message("k\n1"));
    const [first] = await take(queue, "a", 1);
    expect([first!.key, Buffer.from(first!.payload).toString(), first!.failures]).toEqual([
      "k\n1",
      "payload of k\n1",
      0,
    ]);
    await queue.settle([{ delivery: first!, verdict: "release" }]);
    const [second] = await take(queue, "a", 1);
    expect(second!.failures).toBe(0);
    const start = performance.now();
    await queue.settle([{ delivery: second!, verdict: "retry", delayMs: 400, reason: "r" }]);
    const [third] = await take(queue, "a", 1);
    expect(performance.now() - start).toBeGreaterThanOrEqual(380);
    expect([third!.key, third!.failures]).toEqual(["k\n1", 1]);
    await queue.settle([{ delivery: third!, verdict: "done" }]);
    await depthIs(queue, "a", 0);
    expect(await queue.offer(message("k\n1"))).toBe("duplicate");
  });

  it("keeps dead letters with their reasons and replays them, each once", async () => {
    const queue = await open();
    await queue.offer(message("1"));
    const [delivery] = await take(queue, "a", 1);
    await queue.settle([{ delivery: delivery!, verdict: "dead", reason: "poison é\n" }]);
    await queue.bury(message("2", "b"), "malformed");
    const letters = await queue.deadLetters({ limit: 10 });
    expect(letters.map(({ lane, key, reason, failures }) => [lane, key, reason, failures])).toEqual([
      ["a", "1", "poison é\n", 1],
      ["b", "2", "malformed", 0],
    ]);
    expect((await queue.deadLetters({ limit: 10, lane: "b" })).map(({ key }) => key)).toEqual(["2"]);
    expect(await queue.deadLetters({ limit: 1 })).toHaveLength(1);
    expect(await queue.replay({ lane: "a", limit: 10 })).toBe(1);
    expect(await queue.replay({ lane: "a", limit: 10 })).toBe(0);
    const [again] = await take(queue, "a", 1);
    expect([again!.key, Buffer.from(again!.payload).toString(), again!.failures]).toEqual([
      "1",
      "payload of 1",
      0,
    ]);
    await waitFor(() => queue.deadCount() === 1, { what: "one dead letter" });
  });

  it("delivers again after a restart what was not settled, and still knows what it has seen", async () => {
    const first = await open();
    for (const key of ["1", "2", "3"]) await first.offer(message(key));
    const taken = await take(first, "a", 3);
    const second = taken.find(({ key }) => key === "2");
    await first.settle([{ delivery: second!, verdict: "done" }]);
    await first.close();
    const queue = await open();
    const again = await take(queue, "a", 2);
    expect(again.map(({ key }) => key).sort()).toEqual(["1", "3"]);
    expect(await queue.offer(message("2"))).toBe("duplicate");
    await queue.settle(again.map((delivery) => ({ delivery, verdict: "done" })));
    await depthIs(queue, "a", 0);
  });
}
