import ipaddr from "ipaddr.js";

/** One name for what one attacker can easily vary: an IPv6 address counts as its /64 network, a mapped one as IPv4. */
export function addressKey(address: string): string {
  if (!ipaddr.isValid(address)) return address;
  const parsed = ipaddr.process(address);
  if (parsed instanceof ipaddr.IPv4) return parsed.toString();
  const network = parsed.parts.slice(0, 4).map((part) => part.toString(16));
  return `${network.join(":")}::/64`;
}

/** Whether only this machine reaches it: an address of loopback, or `localhost`. */
export function isLoopback(host: string): boolean {
  return host === "localhost" || (ipaddr.isValid(host) && ipaddr.process(host).range() === "loopback");
}

/** Whether it is an address and no name. */
export function isAddress(host: string): boolean {
  return ipaddr.isValid(host);
}
