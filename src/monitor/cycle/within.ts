/** How long after a deadline an adapter may still hand over what it has, milliseconds. */
export const GRACE_MS = 1000;

/**
 * The result of `work`, unless `signal` aborts first: then it rejects, whatever `work` still does.
 * The ports promise to give up at their deadline; this holds the loop to its cycle if one of them does not.
 */
export function within<T>(work: Promise<T>, signal: AbortSignal): Promise<T> {
  return new Promise((resolve, reject) => {
    const late = () => reject(new Error("gave no answer by the deadline"));
    if (signal.aborted) late();
    signal.addEventListener("abort", late, { once: true });
    const over = () => signal.removeEventListener("abort", late);
    work.then(
      (result) => {
        over();
        resolve(result);
      },
      (error) => {
        over();
        reject(error);
      },
    );
  });
}
