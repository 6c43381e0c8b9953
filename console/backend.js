// @ts-check
/**
 * The HTTP API, as a site's back end calls it: with the admin key, for one guild and one manager.
 *
 * Whoever has the key may do everything, so a real site keeps it on its own servers. This page
 * takes it by hand, for the demo, and holds it in memory alone.
 */

/** A refusal of the API's: a problem document (RFC 9457). */
export class Problem extends Error {
  /**
   * @param {number} status
   * @param {string} detail
   */
  constructor(status, detail) {
    super(detail);
    this.status = status;
  }
}

export class Backend {
  #key;
  #guild;
  #actor;

  /**
   * @param {string} key
   * @param {string} gid
   * @param {string} actor the id of the manager who uses the page
   */
  constructor(key, gid, actor) {
    this.#key = key;
    this.#guild = `/api/v1/guilds/${gid}`;
    this.#actor = actor;
  }

  /**
   * @param {string} path below the guild
   * @param {Record<string, string>} [query]
   */
  read(path, query = {}) {
    return this.#call("GET", path, query);
  }

  /**
   * @param {string} path below the guild
   * @param {Record<string, string>} [query]
   */
  change(path, query = {}) {
    return this.#call("POST", path, { ...query, actor: this.#actor });
  }

  /**
   * @param {string} method
   * @param {string} path
   * @param {Record<string, string>} query
   * @returns {Promise<any>}
   * @throws {Problem}
   */
  async #call(method, path, query) {
    const url = `${this.#guild}${path}?${new URLSearchParams(query)}`;
    const answer = await fetch(url, { method, headers: { authorization: `Bearer ${this.#key}` } });
    const body = await answer.json();
    if (!answer.ok) throw new Problem(answer.status, body.detail ?? body.title);
    return body;
  }
}
