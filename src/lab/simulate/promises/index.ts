import type { Checker } from "../world/facts.ts";
import { cooldownChecker } from "./cooldown.ts";
import { dataChecker } from "./data.ts";
import { endsChecker } from "./ends.ts";
import { explainsChecker } from "./explains.ts";
import { holdsChecker } from "./holds.ts";
import { journalChecker } from "./journal.ts";
import type { Sight } from "./kit.ts";
import { verifiesChecker } from "./verifies.ts";

/** Every promise watched, in their order. */
export function checkers(sight: Sight): Checker[] {
  return [
    cooldownChecker(sight),
    dataChecker(sight),
    journalChecker(sight),
    explainsChecker(sight),
    holdsChecker(sight),
    verifiesChecker(sight),
    endsChecker(sight),
  ];
}
