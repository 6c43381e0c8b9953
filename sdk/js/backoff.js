// @ts-check
/** Whether and when to dial again. Source: docs/protocol.md, "Close codes". */

/** Close codes after which dialling again cannot help. */
const FINAL = new Set([1000, 1002, 4001, 4002, 4003, 4004, 4005, 4011]);
/** Close codes that invite back, but not at once. */
const LATER = new Set([4008, 4012]);

const FIRST_MS = 500;
const MOST_MS = 30_000;
/** The least wait after one of {@link LATER}: frames are counted over 5 s. */
const LATER_MS = 5_000;

/** How long a line must have been up before the next wait is a short one again. */
export const STABLE_MS = 30_000;

/**
 * Whether this close code forbids a reconnect.
 * @param {number} code
 */
export function isFinal(code) {
  return FINAL.has(code);
}

/** About 5 s, for what is worth another try but not at once. */
export function laterMs() {
  return LATER_MS * (1 + Math.random() / 2);
}

/** The waits between two dials: each about twice as long as the one before, jittered. */
export class Backoff {
  #next = FIRST_MS;

  /**
   * How long to wait now, milliseconds.
   * @param {number} code what the last connection was closed with
   */
  after(code) {
    const isLater = LATER.has(code);
    const base = isLater ? Math.max(this.#next, LATER_MS) : this.#next;
    this.#next = Math.min(base * 2, MOST_MS);
    // One that was told "later" is never back sooner than that.
    return base * (isLater ? 1 + Math.random() / 2 : 0.5 + Math.random());
  }

  /** The line has held: the next wait is the shortest. */
  reset() {
    this.#next = FIRST_MS;
  }
}
