import { parentPort } from "node:worker_threads";
import { methodsNamed } from "./methods.ts";
import { type Job, runJob } from "./tally.ts";

parentPort?.on("message", (job: Job) => {
  parentPort?.postMessage(runJob(job, methodsNamed(job.methods)));
});
