import { setPriority } from "node:os";

// What only reckons steps back behind what waits for real processes and judges their times.
setPriority(10);
