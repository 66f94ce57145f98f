/** Regions the gateway serves, the secondary one last. */
export const REGIONS = ["us-east-1", "eu-central-1", "sa-east-1", "us-west-2"] as const;

export type Region = (typeof REGIONS)[number];

/** Lane of dead letters that name no known region. Nothing is ever delivered from it. */
export const UNROUTED = "unrouted";

export function isRegion(name: string): name is Region {
  return (REGIONS as readonly string[]).includes(name);
}
