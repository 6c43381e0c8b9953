// @ts-check
/**
 * A live application session: the form, or one's own draft of answers, edited together.
 *
 * It answers the session's heartbeats, follows everybody's patches in their order, sends one's
 * own one after the other, and authenticates again when asked to. A session that was lost with
 * the line, or that is out of step, is started again from a fresh document, and what was not
 * answered yet is sent again: with its nonce, so that it is applied once.
 */
import { CommandError, ConnectionLost, isPassing, reasonOf } from "./errors.js";
import { filled } from "./given.js";
import { Versions } from "./versions.js";

/** @typedef {import("./guildgate.js").Guildgate} Guildgate */
/** @typedef {import("./guildgate.js").Answer} Answer */
/** @typedef {import("./patch.js").Operation} Operation */
/**
 * @template T
 * @typedef {import("./given.js").Given<T>} Given
 */

/**
 * @typedef {object} Access
 * @property {string} uid
 * @property {string} gid
 * @property {Given<string>} utokh a token of kind user, or a function that fetches one
 * @property {Given<string>} uhash a token of kind gatewayUser, or a function that fetches one
 * @property {"form" | "answers"} [target]
 */

/**
 * A change that is not answered yet.
 * @typedef {object} Edit
 * @property {Operation[]} patch
 * @property {number} seen the version that its maker saw
 * @property {{ nonce: string, d: any } | null} sent what was sent of it: sent again as it was
 * @property {number} tries
 * @property {(value: void) => void} resolve
 * @property {(error: unknown) => void} reject
 * @property {Promise<void>} done
 */

/** How often a refused start, or a refused patch, that may pass is tried in a row. */
const TRIES_MAX = 5;
/** How often in a row a session that does not hold is started again. */
const RESTARTS_MAX = 5;
/** Most patches that wait for one before them. */
const HELD_MAX = 256;
/** Between two tries; well within the 20 s that the server gives to authenticate again. */
const RETRY_MS = 2_000;

/** A connection has one session a guild. @type {WeakMap<Guildgate, Map<string, FormSession>>} */
const sessions = new WeakMap();

const pause = () => new Promise((resolve) => setTimeout(resolve, RETRY_MS));

export class FormSession {
  /** @type {Guildgate} */ #gateway;
  /** @type {Access} */ #access;
  /** @type {Map<string, Set<(data: any) => void>>} */ #listeners = new Map();
  /** @type {(() => void)[]} */ #stops = [];
  /** What the server last said the user may do. */
  #permissions;
  /** @type {"new" | "starting" | "live" | "restarting" | "over"} */ #phase = "new";
  #versions = new Versions();
  /** What is to be done, in order; the first may be under way. @type {Edit[]} */ #edits = [];
  #isPumping = false;
  /** Whether the first edit was sent and its answer may still come. */
  #isAwaiting = false;
  /** The newest version of one's own: a later edit was made knowing it. */
  #own = 0;
  #restarts = 0;
  /** Of the start that was answered: with it the session can be asked how it is by now. */
  #startNonce = "";
  /** @type {Promise<any> | null} */ #refresh = null;
  /** @type {Promise<void> | null} */ #reauth = null;
  /** The form that a draft answers. @type {{ apv: number, document: any } | null} */ form = null;
  /** @type {{ uid: string, tag: string }[]} */ participants = [];

  /**
   * @param {Guildgate} gateway
   * @param {Access} access
   * @param {string} [permissions] as CONNECT_GUILD's answer gave them; the session's own answer
   *   gives them too
   */
  constructor(gateway, access, permissions = "0") {
    this.#gateway = gateway;
    this.#access = access;
    this.#permissions = permissions;
  }

  /** The newest version of the document. */
  get document() {
    return this.#versions.document;
  }

  /** Its number. */
  get apv() {
    return this.#versions.apv;
  }

  /**
   * Listens to
   *
   * - `document`: it changed; the newest one.
   * - `participants`: who else is there.
   * - `form`: `{apv, document}`, the form that a draft of answers is for, at the start, after a
   *   restart and after `refresh()`. The server tells nobody who answers that it has changed.
   * - `reauth`: `{reason, deadline_ms}`, the session authenticates again.
   * - `restart`: `{gid, reason}`, the session was lost or out of step and is started again. A
   *   `document` follows; a change that does not apply to it any more is refused by its `patch`.
   * - `end`: `{gid, reason}`, the session is over and nothing more comes of it.
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
    if (this.#phase !== "new") throw new Error("the session was started before: make a new one");
    this.#claim();
    this.#phase = "starting";
    this.#follow();
    try {
      return await this.#enter(1);
    } catch (error) {
      this.#stop();
      throw error;
    }
  }

  /**
   * Sends a patch, made against the document as it is now, once the ones before it are answered.
   * It is kept over a lost line. On a conflict the newest document is taken over and the error
   * says so.
   * @param {Operation[]} patch
   * @returns {Promise<void>}
   */
  patch(patch) {
    if (this.#phase !== "live" && this.#phase !== "restarting") {
      return Promise.reject(new Error(this.#phase === "over" ? "the session is over" : "the session has not started"));
    }
    const edit = /** @type {Edit} */ ({ patch: structuredClone(patch), seen: this.apv, sent: null, tries: 0 });
    edit.done = new Promise((resolve, reject) => Object.assign(edit, { resolve, reject }));
    this.#edits.push(edit);
    this.#pump();
    return edit.done;
  }

  /**
   * Has the document told anew, and who is there; for a draft of answers also the form, which
   * nothing else tells of. Nothing happens while the session starts again by itself.
   * @returns {Promise<void>}
   */
  async refresh() {
    if (this.#phase !== "live") return;
    this.#refresh ??= filled(this.#access, (d) =>
      this.#gateway.command("APPLICATION_SESSION", d, {
        nonce: this.#startNonce,
        take: ({ data }) => data && this.#phase === "live" && this.#refreshed(data),
      }),
    ).finally(() => (this.#refresh = null));
    await this.#refresh;
  }

  /** Waits until every patch sent so far is answered. */
  async settled() {
    await Promise.allSettled(this.#edits.map(({ done }) => done));
  }

  /** APPLICATION_SESSION_END, once every patch is answered. */
  async end() {
    await this.settled();
    if (!this.#stop()) return;
    await this.#leave();
  }

  /** Keeps two sessions of one connection and guild from being taken for each other. */
  #claim() {
    const open = sessions.get(this.#gateway) ?? new Map();
    sessions.set(this.#gateway, open);
    if (open.has(this.#access.gid)) {
      throw new Error("this connection edits an application of that guild already: end that session first");
    }
    open.set(this.#access.gid, this);
  }

  #follow() {
    const { gid } = this.#access;
    const on = (/** @type {string} */ name, /** @type {(data: any) => void} */ then) =>
      this.#stops.push(this.#gateway.on(name, then));
    const follow = (/** @type {string} */ name, /** @type {(data: any) => void} */ then) =>
      on(name, (data) => {
        if (data.gid === gid || data.guild_id === gid) then(data);
      });
    // What is told of a session while another one is asked for, is told of one that was.
    const inSession = (/** @type {string} */ name, /** @type {(data: any) => void} */ then) =>
      follow(name, (data) => {
        if (this.#phase === "live") then(data);
      });
    follow("GUILD_PRIVILEGE_UPDATE", ({ permissions }) => (this.#permissions = permissions));
    follow("GUILD_RESYNC", ({ user }) => (this.#permissions = user?.permissions ?? this.#permissions));
    inSession("APPLICATION_SESSION_HB_P", () => {
      // Nothing to do where the session is over already: its end has been told.
      this.#gateway.command("APPLICATION_SESSION_HB_M", { gid }).catch(() => {});
    });
    inSession("APPLICATION_SESSION_PATCH", ({ apv, patch }) => this.#move(() => this.#versions.take(apv, patch)));
    inSession("APPLICATION_SESSION_JOIN", ({ uid, tag }) => {
      this.participants = [...this.participants.filter((one) => one.uid !== uid), { uid, tag }];
      this.#emit("participants", this.participants);
    });
    inSession("APPLICATION_SESSION_LEAVE", ({ uid }) => {
      this.participants = this.participants.filter((one) => one.uid !== uid);
      this.#emit("participants", this.participants);
    });
    inSession("APPLICATION_SESSION_REAUTH", (data) => {
      this.#emit("reauth", data);
      this.#reauth ??= this.#authenticateAgain().finally(() => (this.#reauth = null));
    });
    inSession("APPLICATION_SESSION_END", (data) => this.#ended(data));
    on("authenticated", ({ resumed }) => {
      if (!resumed) this.#restart("the line was lost for too long");
    });
    on("closed", ({ final, code, reason }) => {
      if (final && this.#phase !== "starting") this.#ended({ gid, reason: `closed: ${code} ${reason}` });
    });
  }

  /**
   * Asks for a session until there is an answer that stands.
   * @param {number} tries how many refusals that may pass are too many
   * @returns {Promise<any>}
   */
  async #enter(tries) {
    let mayLeave = true;
    for (let refusals = 0; ; ) {
      const nonce = this.#gateway.nonce();
      try {
        return await filled(this.#access, (d) =>
          this.#gateway.command("APPLICATION_SESSION", d, {
            nonce,
            send: "until answered",
            take: ({ data }) => data && this.#entered(data, nonce),
          }),
        );
      } catch (error) {
        if (this.#phase === "over") throw error;
        if (error instanceof ConnectionLost) {
          await this.#line(error);
        } else if (error instanceof CommandError && error.code === "session_exists" && mayLeave) {
          // One whose answer was lost: nobody follows it, so it is begun anew.
          mayLeave = false;
          await this.#leave();
        } else {
          refusals += 1;
          if (refusals >= tries || !isPassing(error)) throw error;
          await pause();
        }
      }
    }
  }

  /**
   * @param {any} answer
   * @param {string} nonce
   */
  #entered(answer, nonce) {
    if (this.#phase === "over") return;
    this.#phase = "live";
    this.#startNonce = nonce;
    this.#permissions = answer.permissions ?? this.#permissions;
    this.#versions.forget();
    this.#versions.replace(answer.apv, answer.document);
    this.form = answer.form ?? null;
    this.#emit("document", this.document);
    this.#tellWhoAndWhat(answer);
  }

  /** @param {any} answer */
  #refreshed(answer) {
    this.form = answer.form ?? this.form;
    this.#move(() => this.#versions.replace(answer.apv, answer.document));
    this.#tellWhoAndWhat(answer);
  }

  /** @param {any} answer */
  #tellWhoAndWhat({ participants }) {
    this.participants = [...participants];
    this.#emit("participants", this.participants);
    if (this.form) this.#emit("form", this.form);
  }

  /**
   * The line is up; at once if it is.
   * @param {ConnectionLost} lost what to throw if it will not come back
   * @returns {Promise<void>}
   */
  #line(lost) {
    if (this.#gateway.isLive) return Promise.resolve();
    if (!this.#gateway.isOpen) return Promise.reject(lost);
    return new Promise((resolve, reject) => {
      const stop = () => (offUp(), offDown());
      const offUp = this.#gateway.on("authenticated", () => (stop(), resolve()));
      const offDown = this.#gateway.on("closed", ({ final }) => final && (stop(), reject(lost)));
    });
  }

  /** APPLICATION_SESSION_END; that there is nothing to end, or nobody to tell, is as good. */
  async #leave() {
    const { gid } = this.#access;
    await this.#gateway.command("APPLICATION_SESSION_END", { gid }, { send: "until answered" }).catch((error) => {
      const isGone = error instanceof CommandError && error.code === "no_session";
      if (!isGone && !(error instanceof ConnectionLost)) throw error;
    });
  }

  /**
   * Starts again from a fresh document, and sends what is not answered against that.
   * @param {string} reason
   * @param {"leave" | "gone"} before whether the old session must be left first
   */
  async #restart(reason, before = "gone") {
    if (this.#phase !== "live") return;
    const { gid } = this.#access;
    this.#phase = "restarting";
    this.#isAwaiting = false;
    this.#restarts += 1;
    this.#emit("restart", { gid, reason });
    try {
      if (this.#restarts > RESTARTS_MAX) throw new Error(reason);
      if (before === "leave") await this.#leave();
      await this.#enter(TRIES_MAX);
    } catch (error) {
      this.#ended({ gid, reason: reasonOf(error) });
    }
    this.#pump();
  }

  /** Sends what is to be sent, one after the other. */
  async #pump() {
    if (this.#isPumping) return;
    this.#isPumping = true;
    while (this.#phase === "live" && this.#edits.length > 0) {
      if (this.#reauth) await this.#reauth;
      else await this.#send(this.#edits[0]);
    }
    this.#isPumping = false;
  }

  /**
   * Settles an edit, or leaves it the first to be sent again.
   * @param {Edit} edit
   */
  async #send(edit) {
    edit.sent ??= {
      nonce: this.#gateway.nonce(),
      d: { gid: this.#access.gid, base: Math.max(edit.seen, this.#own), patch: edit.patch },
    };
    this.#isAwaiting = true;
    try {
      await this.#gateway.command("APPLICATION_SESSION_PATCH", edit.sent.d, {
        nonce: edit.sent.nonce,
        send: "until answered",
        take: (answer) => this.#patched(edit, answer),
      });
      edit.resolve();
    } catch (error) {
      // A new session goes on with it, or it was told of the end.
      if (this.#phase === "over" || error instanceof ConnectionLost) return;
      const code = error instanceof CommandError ? error.code : "";
      edit.tries += 1;
      if (edit.tries < TRIES_MAX) {
        if (code === "no_session") {
          this.#restart("the server knows of no session");
          return;
        }
        if (code === "reauth_required" || isPassing(error)) {
          // It was held back, or it is not known whether it was kept: the same nonce asks again.
          await (this.#reauth ?? pause());
          return;
        }
      }
      this.#drop(edit);
      edit.reject(error);
    }
  }

  /**
   * A patch's answer, in its place among the events.
   * @param {Edit} edit
   * @param {Answer} answer
   */
  #patched(edit, { data, error }) {
    if (data) {
      this.#drop(edit);
      this.#own = Math.max(this.#own, data.apv);
    }
    // Between two sessions the document that follows has it.
    if (this.#phase !== "live") return;
    this.#isAwaiting = false;
    this.#move(() => {
      if (data) {
        this.#versions.take(data.apv, edit.patch);
      } else if (error?.code === "conflict") {
        this.#versions.replace(error.details.apv, structuredClone(error.details.document));
      }
    });
  }

  /** @param {Edit} edit */
  #drop(edit) {
    this.#edits = this.#edits.filter((other) => other !== edit);
  }

  /**
   * Lets the document go on, tells of it, and sees whether it is in step.
   * @param {() => void} step
   */
  #move(step) {
    const before = this.apv;
    let isWhole = true;
    try {
      step();
    } catch {
      // It does not apply here, so this is not the document that it was made for.
      isWhole = false;
    }
    if (this.apv !== before) {
      this.#restarts = 0;
      this.#emit("document", this.document);
    }
    // Only one's own unanswered patch may be missing: its version is told by its answer alone.
    const held = this.#versions.held;
    const isExplained = held === 0 || (this.#isAwaiting && held <= HELD_MAX);
    if (!isWhole || !isExplained) this.#restart("out of step with the server", "leave");
  }

  /** Answers APPLICATION_SESSION_REAUTH; whether that ends the session is the server's to say. */
  async #authenticateAgain() {
    const { gid, utokh, uhash } = this.#access;
    while (this.#phase === "live") {
      try {
        const answer = await filled({ utokh, uhash }, (tokens) =>
          this.#gateway.command("APPLICATION_SESSION_REAUTH", { gid, ...tokens, pm: this.#permissions }),
        );
        this.#permissions = answer.permissions ?? this.#permissions;
        return;
      } catch (error) {
        if (error instanceof ConnectionLost) {
          await this.#line(error).then(() => this.#caughtUp(), () => {});
        } else if (isPassing(error)) {
          await pause();
        } else {
          return;
        }
      }
    }
  }

  /** Waits for an answer that comes behind all that is told again after a resume: new permissions too. */
  async #caughtUp() {
    const { gid } = this.#access;
    await this.#gateway.command("APPLICATION_SESSION_HB_M", { gid }).catch(() => {});
  }

  /** @param {{ gid: string, reason: string }} data */
  #ended(data) {
    if (!this.#stop()) return;
    for (const edit of this.#edits.splice(0)) {
      edit.reject(new Error(`the session is over (${data.reason}); this change may not have been kept`));
    }
    this.#emit("end", data);
  }

  /** Stops listening; whether it had been. */
  #stop() {
    if (this.#phase === "over") return false;
    this.#phase = "over";
    const open = sessions.get(this.#gateway);
    if (open?.get(this.#access.gid) === this) open.delete(this.#access.gid);
    for (const stop of this.#stops.splice(0)) stop();
    return true;
  }

  /**
   * @param {string} name
   * @param {any} data
   */
  #emit(name, data) {
    for (const listener of this.#listeners.get(name) ?? []) listener(data);
  }
}
