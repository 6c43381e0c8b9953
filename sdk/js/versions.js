// @ts-check
/**
 * A document in its versions: patches are applied strictly in the versions' order, whatever
 * order they come in.
 */
import { apply } from "./patch.js";

/** @typedef {import("./patch.js").Operation} Operation */

export class Versions {
  /** @type {any} */ document = null;
  apv = 0;
  /** Patches that came before one that they rest on, by the version they make. @type {Map<number, Operation[]>} */
  #held = new Map();

  /** How many patches wait for one that has not come. */
  get held() {
    return this.#held.size;
  }

  /**
   * Takes over a document as a whole; one that is older than this is let be.
   * @param {number} apv
   * @param {any} document
   */
  replace(apv, document) {
    if (this.document !== null && apv < this.apv) return;
    this.document = document;
    this.apv = apv;
    this.#advance();
  }

  /** Forgets what is held: a document from a new session follows. */
  forget() {
    this.document = null;
    this.#held.clear();
  }

  /**
   * Takes the patch that made version `apv`: applies it, holds it until those before it have
   * come, or lets it be if it is in the document already.
   * @param {number} apv
   * @param {Operation[]} patch
   * @throws {Error} if it does not apply, so that the document is not what it should be
   */
  take(apv, patch) {
    // A patch of the whole document needs nothing before it.
    const whole = patch.length === 1 && patch[0].op === "replace" && patch[0].path === "";
    if (whole) return this.replace(apv, structuredClone(patch[0].value));
    if (apv > this.apv) this.#held.set(apv, patch);
    this.#advance();
  }

  #advance() {
    for (const apv of this.#held.keys()) {
      if (apv <= this.apv) this.#held.delete(apv);
    }
    for (;;) {
      const patch = this.#held.get(this.apv + 1);
      if (!patch) return;
      this.document = apply(this.document, patch);
      this.apv += 1;
      this.#held.delete(this.apv);
    }
  }
}
