// @ts-check
/** Tokens that are given as values, or as functions that fetch a fresh one. */

/**
 * @template T
 * @typedef {T | (() => T | Promise<T>)} Given A value, or a function that is called for each use.
 */

/**
 * Calls `then` with the record's functions replaced by what they give: at once if there is none,
 * so that a frame made of plain values is sent without a turn's delay.
 * @template T
 * @param {Record<string, any>} record
 * @param {(filled: any) => T} then
 * @returns {T | Promise<T>}
 */
export function filled(record, then) {
  const entries = Object.entries(record);
  if (!entries.some(([, value]) => typeof value === "function")) return then(record);
  const fetched = entries.map(async ([key, value]) => [key, typeof value === "function" ? await value() : value]);
  return Promise.all(fetched).then((all) => then(Object.fromEntries(all)));
}
