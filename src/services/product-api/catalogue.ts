import { pickOne, type Random, seededRandom } from "../kit/random.ts";

export interface Product {
  /** 1, 2, 3 … */
  readonly id: number;
  readonly name: string;
  readonly category: string;
  readonly description: string;
  /** Price in cents of the shop's currency. */
  readonly price_cents: number;
}

interface Range {
  readonly category: string;
  readonly nouns: readonly string[];
  /** Cheapest and dearest, cents. */
  readonly cents: readonly [number, number];
}

const RANGES: readonly Range[] = [
  {
    category: "audio",
    nouns: ["headphones", "speaker", "microphone", "amplifier", "turntable"],
    cents: [2_900, 64_900],
  },
  {
    category: "kitchen",
    nouns: ["kettle", "skillet", "knife", "grinder", "mixing bowl"],
    cents: [900, 18_900],
  },
  { category: "garden", nouns: ["spade", "hose", "planter", "lantern", "bird feeder"], cents: [700, 12_900] },
  {
    category: "office",
    nouns: ["desk lamp", "chair", "monitor arm", "notebook", "keyboard"],
    cents: [500, 42_900],
  },
  {
    category: "outdoor",
    nouns: ["tent", "backpack", "sleeping bag", "stove", "water bottle"],
    cents: [1_200, 58_900],
  },
  {
    category: "fitness",
    nouns: ["kettlebell", "yoga mat", "rowing machine", "rope", "bench"],
    cents: [1_100, 89_900],
  },
  {
    category: "toys",
    nouns: ["puzzle", "train set", "kite", "building blocks", "board game"],
    cents: [600, 9_900],
  },
  {
    category: "travel",
    nouns: ["suitcase", "adapter", "neck pillow", "duffel bag", "toiletry case"],
    cents: [800, 34_900],
  },
];

export const CATEGORIES: readonly string[] = RANGES.map((range) => range.category);

const MATERIALS = [
  "steel",
  "bamboo",
  "aluminium",
  "cotton",
  "walnut",
  "ceramic",
  "copper",
  "recycled",
  "carbon",
  "leather",
];
const TRAITS = [
  "compact",
  "quiet",
  "foldable",
  "classic",
  "rugged",
  "lightweight",
  "adjustable",
  "portable",
  "modern",
  "wireless",
];
const USES = [
  "for small homes",
  "for every day",
  "for long journeys",
  "for beginners",
  "for professionals",
  "for families",
];
const PROMISES = [
  "Built to be repaired, with spare parts for ten years.",
  "Tested by hand before it leaves the workshop.",
  "Ships in plain cardboard, without plastic.",
  "Comes with a five-year guarantee.",
];

/** `size` products, the same for the same seed, spread evenly over the categories. Names are unique. */
export function createCatalogue(options: {
  readonly size: number;
  readonly seed: number;
}): readonly Product[] {
  const random = seededRandom(options.seed);
  const taken = new Set<string>();
  return Array.from({ length: options.size }, (_, index) => {
    const range = RANGES[index % RANGES.length] ?? pickOne(random, RANGES);
    const product = draw(random, range);
    const name = uniqueName(product.name, taken);
    return { id: index + 1, ...product, name };
  });
}

function draw(random: Random, range: Range): Omit<Product, "id"> {
  const [material, trait, noun] = [
    pickOne(random, MATERIALS),
    pickOne(random, TRAITS),
    pickOne(random, range.nouns),
  ];
  const [low, high] = range.cents;
  return {
    name: `${capitalised(trait)} ${material} ${noun}`,
    category: range.category,
    description: `A ${trait} ${noun} of ${material}, ${pickOne(random, USES)}. ${pickOne(random, PROMISES)}`,
    // Squared: most of a shop is cheap, a few things are not.
    price_cents: Math.round(low + (high - low) * random() ** 2),
  };
}

function uniqueName(name: string, taken: Set<string>): string {
  let unique = name;
  for (let mark = 2; taken.has(unique); mark += 1) unique = `${name} mark ${mark}`;
  taken.add(unique);
  return unique;
}

function capitalised(word: string): string {
  return word.charAt(0).toUpperCase() + word.slice(1);
}
