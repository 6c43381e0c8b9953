// @ts-check
/**
 * A live application session: the form, or one's own draft of answers, edited together.
 *
 * It answers the session's heartbeats, follows everybody's patches, sends one's own one after
 * the other, and authenticates again when asked to.
 */
import { CommandError } from "./guildgate.js";
import { apply } from "./patch.js";

/** @typedef {import("./guildgate.js").Guildgate} Guildgate */
/** @typedef {import("./patch.js").Operation} Operation */

/**
 * @typedef {object} Access
 * @property {string} uid
 * @property {string} gid
 * @property {string} utokh a token of kind user
 * @property {string} uhash a token of kind gatewayUser
 * @property {"form" | "answers"} [target]
 */

export class FormSession {
  /** @type {Guildgate} */ #gateway;
  /** @type {Access} */ #access;
  /** @type {Map<string, Set<(data: any) => void>>} */ #listeners = new Map();
  /** @type {Promise<unknown>} */ #turn = Promise.resolve();
  /** @type {(() => void)[]} */ #stops = [];
  /** What the server last said the user may do. */
  #permissions;
  /** @type {any} */ document = null;
  apv = 0;
  /** @type {{ uid: string, tag: string }[]} */ participants = [];

  /**
   * @param {Guildgate} gateway connected to the guild
   * @param {Access} access
   * @param {string} permissions as CONNECT_GUILD's answer gave them
   */
  constructor(gateway, access, permissions) {
    this.#gateway = gateway;
    this.#access = access;
    this.#permissions = permissions;
  }

  /**
   * Listens to `document` (it changed), `participants`, `reauth` and `end`.
   * @param {string} name
   * @param {(data: any) => void} listener
   */
  on(name, listener) {
    const set = this.#listeners.get(name) ?? new Set();
    this.#listeners.set(name, set.add(listener));
  }

  /**
   * APPLICATION_SESSION.
   * @returns {Promise<any>} the command's answer
   */
  async start() {
    const { gid } = this.#access;
    const ours = (/** @type {(data: any) => void} */ then) => (/** @type {any} */ data) => {
      if (data.gid === gid || data.guild_id === gid) then(data);
    };
    const follow = (/** @type {string} */ name, /** @type {(data: any) => void} */ then) =>
      this.#stops.push(this.#gateway.on(name, ours(then)));
    follow("GUILD_PRIVILEGE_UPDATE", ({ permissions }) => (this.#permissions = permissions));
    follow("APPLICATION_SESSION_HB_P", () => {
      // Nothing to do where the session is over already: its end has been told.
      this.#gateway.command("APPLICATION_SESSION_HB_M", { gid }).catch(() => {});
    });
    follow("APPLICATION_SESSION_PATCH", ({ apv, patch }) => this.#took(apv, patch));
    follow("APPLICATION_SESSION_JOIN", ({ uid, tag }) => this.#joined(uid, tag));
    follow("APPLICATION_SESSION_LEAVE", ({ uid }) => {
      const at = this.participants.findIndex((participant) => participant.uid === uid);
      if (at >= 0) this.participants.splice(at, 1);
      this.#emit("participants", this.participants);
    });
    follow("APPLICATION_SESSION_REAUTH", (data) => this.#reauth(data));
    follow("APPLICATION_SESSION_END", (data) => this.#ended(data));
    try {
      const answer = await this.#gateway.command("APPLICATION_SESSION", this.#access);
      this.#replace(answer);
      this.participants = [...answer.participants];
      this.#emit("participants", this.participants);
      return answer;
    } catch (error) {
      this.#stop();
      throw error;
    }
  }

  /**
   * Sends a patch once the ones before it are answered. On a conflict the newest document is
   * taken over and the error says so.
   * @param {Operation[]} patch
   * @returns {Promise<void>}
   */
  patch(patch) {
    const sent = this.#turn.then(async () => {
      const { gid } = this.#access;
      try {
        const { apv } = await this.#gateway.command("APPLICATION_SESSION_PATCH", { gid, base: this.apv, patch });
        this.#took(apv, patch);
      } catch (error) {
        if (error instanceof CommandError && error.code === "conflict") this.#replace(error.details);
        throw error;
      }
    });
    // The next patch waits for this one, but does not fail with it.
    this.#turn = sent.catch(() => {});
    return sent;
  }

  /** Waits until every patch sent so far is answered. */
  async settled() {
    await this.#turn;
  }

  /** APPLICATION_SESSION_END. */
  async end() {
    this.#stop();
    await this.#gateway.command("APPLICATION_SESSION_END", { gid: this.#access.gid });
  }

  /**
   * @param {number} apv
   * @param {Operation[]} patch
   */
  #took(apv, patch) {
    this.document = apply(this.document, patch);
    this.apv = apv;
    this.#emit("document", this.document);
  }

  /** @param {any} newest */
  #replace({ apv, document }) {
    this.document = document;
    this.apv = apv;
    this.#emit("document", document);
  }

  /**
   * @param {string} uid
   * @param {string} tag
   */
  #joined(uid, tag) {
    this.participants.push({ uid, tag });
    this.#emit("participants", this.participants);
  }

  /** @param {any} data */
  async #reauth(data) {
    this.#emit("reauth", data);
    const { gid, utokh, uhash } = this.#access;
    try {
      const answer = await this.#gateway.command("APPLICATION_SESSION_REAUTH", { gid, utokh, uhash, pm: this.#permissions });
      this.#permissions = answer.permissions;
    } catch (error) {
      this.#ended({ gid, reason: error instanceof CommandError ? error.code : String(error) });
    }
  }

  /** @param {any} data */
  #ended(data) {
    if (this.#stop()) this.#emit("end", data);
  }

  /** Stops listening; whether it had been. */
  #stop() {
    const stops = this.#stops;
    this.#stops = [];
    for (const stop of stops) stop();
    return stops.length > 0;
  }

  /**
   * @param {string} name
   * @param {any} data
   */
  #emit(name, data) {
    for (const listener of this.#listeners.get(name) ?? []) listener(data);
  }
}
