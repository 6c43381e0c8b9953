// @ts-check
/** Notifications: each is shown once, and acknowledged in lists that the server takes. */

/** Most ids in one NOTIFICATIONS_ACK. Source: docs/protocol.md, "Notifications". */
const IDS_MAX = 256;
/** What a NOTIFICATIONS_ACK is at most without its ids, bytes. */
const REST_BYTES = 256;
/** Most ids remembered as shown; past it the oldest are forgotten. One opcode 2 has 1,000 at most. */
const KNOWN_MAX = 4_096;

/** The ids that have been seen: in an opcode 2, in a replay, or live. */
export class Known {
  /** @type {Set<string>} */ #ids = new Set();

  /**
   * Whether this is the first time; from here on it no longer is.
   * @param {{ id: string }} notification
   */
  isNew({ id }) {
    if (this.#ids.has(id)) return false;
    this.#ids.add(id);
    if (this.#ids.size > KNOWN_MAX) {
      for (const oldest of this.#ids) {
        this.#ids.delete(oldest);
        break;
      }
    }
    return true;
  }
}

/**
 * The same ids in lists that each fit one frame; one empty list if there is none.
 * @param {string[]} ids
 * @param {number} frameBytes the largest frame
 * @returns {string[][]}
 */
export function inFrames(ids, frameBytes) {
  /** @type {string[][]} */
  const lists = [[]];
  let bytes = REST_BYTES;
  for (const id of ids) {
    // Ids are digits; quotes and a comma make three more.
    const size = id.length + 3;
    const last = lists[lists.length - 1];
    if (last.length > 0 && (last.length === IDS_MAX || bytes + size > frameBytes)) {
      lists.push([id]);
      bytes = REST_BYTES + size;
    } else {
      last.push(id);
      bytes += size;
    }
  }
  return lists;
}
