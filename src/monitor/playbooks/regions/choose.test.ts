import { describe, expect, it } from "vitest";
import { BIG, big, calm, flood, live, type Phase, USUAL } from "./regions.testkit.ts";

describe("which region is chosen", () => {
  const cases: readonly [string, readonly Phase[], { cycleS?: number; unseen?: number }, string, RegExp][] = [
    [
      "one floods",
      [calm, flood({ sa: 480 })],
      {},
      "sa",
      /^inbound 4\d\d\/s, 2\d(\.\d)? times its usual 20\/s; backlog \d+ of \d+ \(100 %\), growing/,
    ],
    [
      "one floods, short cycles",
      [{ ...calm, seconds: 60 }, flood({ sa: 480 }, 10)],
      { cycleS: 1 },
      "sa",
      /times its usual/,
    ],
    [
      "two flood: the one with more backlog, and the other is named",
      [calm, flood({ sa: 480, eu: 300 })],
      {},
      "sa",
      /eu floods too \(inbound \d+\/s/,
    ],
    [
      "a small one floods beside one that is always ten times as big",
      [big(), big({ seconds: 120, arrivals: { ...BIG, sa: 480 } })],
      {},
      "sa",
      /times its usual 20\/s/,
    ],
    [
      "one alone is stalled by its downstream",
      [calm, { ...calm, seconds: 120, downstream: { eu: 0 } }],
      {},
      "eu",
      /^backlog \d+ of \d+ \(\d+ %\), growing [\d.]+\/s; inbound 20\/s of its usual 20\/s, but only \d(\.\d+)?\/s leaves while sa is served 20\/s/,
    ],
    [
      "one is stalled while another floods within its share",
      [
        { ...calm, capacity: 800 },
        { ...flood({ sa: 120 }), capacity: 800, downstream: { eu: 0 } },
      ],
      {},
      "eu",
      /leaves while/,
    ],
    [
      "the flood was on when the watch began",
      [{ ...calm, seconds: 7200 }, flood({ sa: 480 }, 300)],
      { unseen: 7230 },
      "sa",
      /times more than any other region/,
    ],
    [
      "a second flood after the first was over",
      [calm, flood({ sa: 480 }, 600), { ...calm, seconds: 1800, capacity: 1000 }, flood({ eu: 480 })],
      {},
      "eu",
      /times its usual/,
    ],
    [
      "traffic of all grew, one floods beyond that",
      [calm, flood({ us: 60, eu: 60, west: 60, sa: 2000 })],
      {},
      "sa",
      /where the others send [23](\.\d+)? times theirs/,
    ],
  ];
  it.each(cases)("%s", (_name, phases, options, region, why) => {
    const choice = live(phases, options);
    expect(choice).toMatchObject({ region });
    expect("why" in choice ? choice.why : "").toMatch(why);
  });

  it("calls a region stalled as soon as it has been starved for the window", () => {
    const starvedFor = (seconds: number, windowS?: number) =>
      live(
        [
          { ...calm, seconds: 60 },
          { ...calm, seconds, downstream: { eu: 0 } },
        ],
        { cycleS: 1, ...(windowS === undefined ? {} : { windowS }) },
      );
    expect(starvedFor(12)).toMatchObject({ rule: "none_stands_out" });
    expect(starvedFor(40)).toMatchObject({ region: "eu", rule: "stalled" });
    // Little of what comes leaves only once the smoothed rate says so: the window passes from there.
    expect(starvedFor(5, 5)).toMatchObject({ rule: "none_stands_out" });
    expect(starvedFor(12, 5)).toMatchObject({ region: "eu", rule: "stalled" });
  });
});

describe("when none stands out", () => {
  const slow = { capacity: 40 };
  const ONE_SENDS = { us: 20, eu: 0, sa: 0, west: 0 };
  const cases: readonly [string, readonly Phase[], { unseen?: number }, string, RegExp][] = [
    ["nothing waits", [calm], {}, "no_backlog", /^backlog of 0, 0 in half a minute$/],
    [
      "all flood",
      [calm, flood({ us: 480, eu: 500, sa: 450, west: 480 })],
      {},
      "none_stands_out",
      /^eu has .*, but neither floods .*inbound \d+\/s, 2\d(\.\d)? times its usual 20\/s, where the others send 2\d(\.\d)? times theirs, /,
    ],
    [
      "all are backlogged alike, the consumer is slow",
      [calm, { ...calm, ...slow, seconds: 120 }],
      {},
      "none_stands_out",
      /has most backlog \(backlog \d+ of \d+ \(\d+ %\), .*, but neither floods nor is left behind alone/,
    ],
    [
      "the biggest is alone backlogged, the consumer is slow",
      [big(), big({ seconds: 120, capacity: 150 })],
      {},
      "none_stands_out",
      /has most backlog \(backlog \d+ of \d+ \(\d+ %\), .*, but neither floods nor is left behind alone/,
    ],
    [
      "the consumer has stopped",
      [big(), big({ seconds: 120, capacity: 0 })],
      {},
      "none_stands_out",
      /has most backlog \(backlog \d+ of \d+ \(\d+ %\), .*, but neither floods nor is left behind alone/,
    ],
    [
      "two are stalled",
      [calm, { ...calm, seconds: 120, downstream: { eu: 0, sa: 0 } }],
      {},
      "none_stands_out",
      /has most backlog \(backlog \d+ of \d+ \(\d+ %\), .*, but neither floods nor is left behind alone/,
    ],
    [
      "a big and a small one are stalled",
      [
        { ...calm, arrivals: { ...USUAL, sa: 2 } },
        { ...calm, arrivals: { ...USUAL, sa: 2 }, seconds: 120, downstream: { eu: 0, sa: 0 } },
      ],
      {},
      "none_stands_out",
      /has most backlog \(backlog \d+ of \d+ \(\d+ %\), .*, but neither floods nor is left behind alone/,
    ],
    [
      "a surge within its share beside a slow consumer of the biggest",
      [big(), big({ seconds: 120, capacity: 280, arrivals: { ...BIG, sa: 90 } })],
      {},
      "none_stands_out",
      /^sa floods \(inbound .* times its usual 20\/s\), but has little of the backlog \(backlog 0 of /,
    ],
    [
      "traffic fails over to another region, the consumer is slow",
      [
        big({ arrivals: { ...BIG, west: 1 } }),
        big({ seconds: 240, capacity: 150, arrivals: { us: 1, eu: 20, sa: 20, west: 200 } }),
      ],
      {},
      "none_stands_out",
      /^west floods \(inbound .* times its usual 1\/s\), but others send as much less: traffic moved/,
    ],
    [
      "the flood is over and drains",
      [calm, flood({ sa: 480 }), { ...calm, seconds: 330, capacity: 200 }],
      {},
      "no_backlog",
      /^backlog of \d+, 0 in half a minute$/,
    ],
    [
      "the consumer has stopped, and only one region sends anything",
      [
        { ...calm, arrivals: ONE_SENDS },
        { ...calm, arrivals: ONE_SENDS, seconds: 120, capacity: 0 },
      ],
      {},
      "none_stands_out",
      /has most backlog \(backlog \d+ of \d+ \(\d+ %\), .*, but neither floods nor is left behind alone/,
    ],
    [
      "the consumer has not passed on anything yet, and only one region sends anything",
      [{ ...calm, arrivals: ONE_SENDS, capacity: 0 }],
      {},
      "none_stands_out",
      /has most backlog \(backlog \d+ of \d+ \(\d+ %\), .*, but neither floods nor is left behind alone/,
    ],
    [
      "the flood was on when the watch began, and the counters are too young to tell",
      [{ ...calm, seconds: 300 }, flood({ sa: 480 }, 300)],
      { unseen: 330 },
      "none_stands_out",
      /has most backlog \(backlog \d+ of \d+ \(\d+ %\), .*, but neither floods nor is left behind alone/,
    ],
    [
      "the watch began a moment ago",
      [{ ...calm, seconds: 100, capacity: 10 }],
      { unseen: 80 },
      "unknown",
      /, but what comes in is not known$/,
    ],
  ];
  it.each(cases)("%s", (_name, phases, options, rule, none) => {
    const choice = live(phases, options);
    expect(choice.region, JSON.stringify(choice)).toBeUndefined();
    expect(choice).toMatchObject({ rule, none: expect.stringMatching(none) });
  });

  it("says that what waits becomes less, where it does, but not soon enough", () => {
    const choice = live([
      calm,
      { ...calm, seconds: 300, capacity: 0 },
      { ...calm, seconds: 240, capacity: 90 },
    ]);
    expect(choice).toMatchObject({
      rule: "none_stands_out",
      none: expect.stringMatching(/\(\d+ %\), shrinking \d(\.\d+)?\/s\)/),
    });
  });
});
