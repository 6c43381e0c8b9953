// @ts-check
/**
 * The client library of Guildgate's wire protocol: plain ES modules, no dependency.
 *
 * It dials, authenticates, answers heartbeats with the last sequence it has seen, resumes
 * after a drop, and dials again with a growing, jittered wait for as long as the close code
 * invites it to.
 *
 * ```js
 * const gateway = new Guildgate({ url: "https://site.example", token, uid });
 * gateway.on("GUILD_MEMBER_COUNT_CHANGE", ({ member_count }) => show(member_count));
 * gateway.on("notification", (notification) => tell(notification));
 * gateway.on("error", (error) => warn(error.message));
 * await gateway.open();
 * const { guild, user } = await gateway.connectGuild(gid, guildToken);
 * ```
 *
 * `README.md` beside this file says more.
 */
import { Backoff, STABLE_MS, isFinal, laterMs } from "./backoff.js";
import { CommandError, ConnectionLost, isPassing } from "./errors.js";
import { filled } from "./given.js";
import { Known, inFrames } from "./notifications.js";

export { CommandError, ConnectionLost } from "./errors.js";

/** The largest frames that a server takes unless it is set otherwise. Source: "Limits". */
const FRAME_BYTES = 4 * 1024;
const SESSION_FRAME_BYTES = 64 * 1024;
/** Authentication failed or was withdrawn. */
const WITHDRAWN = 4004;
/** What this side closes with when it has no token to authenticate with; the session is kept. */
const NO_TOKEN = 4900;

/**
 * @template T
 * @typedef {import("./given.js").Given<T>} Given
 */

/**
 * @typedef {object} Options
 * @property {string} [url] Where `/api/gateway` is; the page's own origin if left out.
 * @property {Given<string | null>} [token] A gateway-user token, a global token, or null; or a
 *   function that gives one, called whenever the server asks who this is.
 * @property {string | null} [uid] The user whose token it is, or null.
 * @property {number} [frameBytes] The server's `limits.frame_bytes`, if not 4 KiB.
 * @property {number} [sessionFrameBytes] The server's `limits.session_frame_bytes`, if not 64 KiB.
 * @property {typeof WebSocket} [WebSocket] Another implementation, for tests.
 * @property {typeof fetch} [fetch] Another implementation, for tests.
 */

/**
 * @typedef {object} Answer an opcode 7, as it comes
 * @property {any} [data]
 * @property {CommandError} [error]
 */

/**
 * @typedef {object} Sending
 * @property {string} [nonce] one of `nonce()`; a new one if left out
 * @property {"once" | "until answered"} [send] `"until answered"` outlives a drop: the same frame
 *   is sent again when the session is resumed. For commands that may be repeated
 * @property {(answer: Answer) => void} [take] is told the answer in its place among the events,
 *   before anything that comes later; a promise would be told in a later turn
 */

/**
 * @typedef {object} Pending
 * @property {{ op: 6, cmd: string, nonce: string, d: any }} frame
 * @property {Sending} how
 * @property {(data: any) => void} resolve
 * @property {(error: Error) => void} reject
 */

/** @typedef {(data: any, frame: any) => void} Listener */

export class Guildgate {
  /** @type {Options} */ #options;
  /** @type {WebSocket | null} */ #socket = null;
  /** Whether the socket has been let in, by opcode 2. */
  #live = false;
  /** @type {Map<string, Set<Listener>>} */ #listeners = new Map();
  /** By nonce, in the order they were sent. @type {Map<string, Pending>} */ #pending = new Map();
  /** Tells this page's nonces from those of the same user's other pages. */
  #mark = Math.random().toString(36).slice(2, 10);
  #nonces = 0;
  /** @type {{ id: string, seq: number } | null} */ #session = null;
  /** @type {{ gid: string, token: Given<string> } | null} */ #guild = null;
  /** The guilds whose applications this connection edits: larger frames are taken then. */
  #edited = new Set();
  #known = new Known();
  #backoff = new Backoff();
  /** @type {ReturnType<typeof setTimeout> | undefined} */ #redial;
  /** @type {ReturnType<typeof setTimeout> | undefined} */ #rejoin;
  /** @type {ReturnType<typeof setTimeout> | undefined} */ #stable;
  #wanted = false;
  /** Which dial is the newest: an older one that is still under way comes to nothing. */
  #dials = 0;

  /** @param {Options} options */
  constructor(options = {}) {
    this.#options = options;
  }

  /** Whether commands can be sent at present. */
  get isLive() {
    return this.#live;
  }

  /** Whether it is live, or will be by itself: it was opened and is not closed for good. */
  get isOpen() {
    return this.#wanted;
  }

  /**
   * Listens to an event of the protocol by its name, or to one of the library's own:
   *
   * - `frame`: every frame in, as it came.
   * - `authenticated`: the `d` of opcode 2, without the notifications that were told before.
   * - `notification`: one notification, missed or live; each id once.
   * - `guild`: the answer of a CONNECT_GUILD, by hand or by itself.
   * - `error`: an `Error`. What the library does by itself came to nothing: CONNECT_GUILD after a
   *   reconnect was refused (a `CommandError`; the connection is up but hears of no guild), or
   *   a function of yours gave no token. What may pass is tried again every few seconds.
   * - `closed`: `{code, reason, final}`. If it is not final the line is dialled again.
   *
   * A notification that was told before is not told again as APPLICATION_REVIWED either.
   * @param {string} name
   * @param {Listener} listener
   * @returns {() => void} stops listening
   */
  on(name, listener) {
    const set = this.#listeners.get(name) ?? new Set();
    this.#listeners.set(name, set.add(listener));
    return () => set.delete(listener);
  }

  /**
   * Dials and authenticates.
   * @returns {Promise<any>} the `d` of opcode 2
   */
  open() {
    this.#wanted = true;
    return new Promise((resolve, reject) => {
      const settle = () => (offAuthenticated(), offClosed());
      const offAuthenticated = this.on("authenticated", (data) => (settle(), resolve(data)));
      const offClosed = this.on("closed", (close) => {
        if (!close.final) return;
        settle();
        reject(new Error(`closed for good: ${close.code} ${close.reason}`));
      });
      this.#dial();
    });
  }

  /** Closes for good: the session is not kept. */
  close() {
    if (!this.#wanted) return;
    this.#wanted = false;
    this.#session = null;
    this.#dials += 1;
    if (this.#socket) this.#socket.close(1000);
    else this.#lost({ code: 1000, reason: "closed while the line was down" });
  }

  /**
   * CONNECT_GUILD; done again by itself when a session could not be resumed.
   * @param {string} gid
   * @param {Given<string>} token a gateway-guild token; they are good for a few uses, so a page
   *   that stays open long gives a function that fetches one
   * @returns {Promise<{ guild: any, user: any }>}
   */
  async connectGuild(gid, token) {
    const data = await filled({ gid, token }, (d) => this.command("CONNECT_GUILD", d, { send: "until answered" }));
    this.#guild = { gid, token };
    this.#emit("guild", data, null);
    return data;
  }

  /**
   * DESCONNECT_GUILD.
   * @param {string} gid
   */
  disconnectGuild(gid) {
    this.#guild = null;
    clearTimeout(this.#rejoin);
    return this.command("DESCONNECT_GUILD", { gid });
  }

  /**
   * NOTIFICATIONS_ACK, in as many commands as it takes.
   * @param {string[]} ids
   * @returns {Promise<any>} the last one's answer
   */
  async acknowledge(ids) {
    let answer;
    for (const list of inFrames(ids, this.#options.frameBytes ?? FRAME_BYTES)) {
      answer = await this.command("NOTIFICATIONS_ACK", { ids: list }, { send: "until answered" });
    }
    return answer;
  }

  /** A nonce that this page has not used. */
  nonce() {
    this.#nonces += 1;
    return `${this.#mark}-${this.#nonces}`;
  }

  /**
   * Any command.
   * @param {string} cmd
   * @param {unknown} d
   * @param {Sending} [how]
   * @returns {Promise<any>} `data` of the answer
   * @throws {CommandError} if it is refused, or too large to be sent
   * @throws {ConnectionLost} if the line is or goes down before the answer
   */
  command(cmd, d, how = {}) {
    const nonce = how.nonce ?? this.nonce();
    const frame = { op: /** @type {const} */ (6), cmd, nonce, d };
    return new Promise((resolve, reject) => {
      this.#checkSize(frame);
      const mayWait = this.#wanted && how.send === "until answered";
      if (!this.#live && !mayWait) throw new ConnectionLost(`${cmd} was not sent: not connected`);
      this.#pending.set(nonce, { frame, how, resolve, reject });
      if (this.#live) this.#send(frame);
    });
  }

  /**
   * A frame over the server's bound would close the connection for good.
   * @param {Pending["frame"]} frame
   */
  #checkSize(frame) {
    const { frameBytes = FRAME_BYTES, sessionFrameBytes = SESSION_FRAME_BYTES } = this.#options;
    const isInside = this.#edited.size > 0;
    const most = isInside ? sessionFrameBytes : frameBytes;
    const bytes = new TextEncoder().encode(JSON.stringify(frame)).length;
    if (bytes <= most) return;
    const advice = isInside
      ? "shorten it, or send it in parts"
      : `shorten it, or send it inside an application session, where ${sessionFrameBytes} bytes are taken`;
    const message = `${frame.cmd} was not sent: it takes ${bytes} bytes, and ${most} are the most; ${advice}`;
    throw new CommandError({ code: "too_large", message, bytes, most }, frame.cmd);
  }

  async #dial() {
    const dial = ++this.#dials;
    const Socket = this.#options.WebSocket ?? WebSocket;
    const ask = this.#options.fetch ?? fetch;
    const base = this.#options.url ?? "";
    /** @type {string} */
    let url;
    try {
      const answer = await ask(`${base}/api/gateway`);
      if (!answer.ok) throw new Error(`HTTP ${answer.status}`);
      ({ url } = await answer.json());
    } catch (error) {
      if (dial === this.#dials) this.#lost({ code: 0, reason: `/api/gateway did not answer: ${error}` });
      return;
    }
    if (dial !== this.#dials) return;
    const socket = new Socket(url);
    this.#socket = socket;
    socket.onmessage = ({ data }) => {
      if (this.#socket === socket) this.#receive(JSON.parse(data), socket);
    };
    socket.onclose = ({ code, reason }) => {
      if (this.#socket === socket) this.#lost({ code, reason });
    };
  }

  /**
   * @param {any} frame
   * @param {WebSocket} socket
   */
  #receive(frame, socket) {
    // Past what a number holds exactly it could not be said back as it was.
    if (Number.isSafeInteger(frame.s) && this.#session) this.#session.seq = frame.s;
    this.#emit("frame", frame, frame);
    switch (frame.op) {
      case 0:
        this.#authenticate(socket);
        break;
      case 2:
        this.#authenticated(frame.d);
        break;
      case 3:
        this.#send({ op: 4, d: this.#session ? this.#session.seq : null });
        break;
      case 5:
        this.#told(frame);
        break;
      case 7:
        this.#answered(frame);
        break;
    }
  }

  /** @param {WebSocket} socket */
  async #authenticate(socket) {
    const { token = null, uid = null } = this.#options;
    try {
      await filled({ token, uid }, (d) => {
        if (this.#socket !== socket) return;
        if (this.#session) d = { ...d, resume: { session_id: this.#session.id, seq: this.#session.seq } };
        this.#send({ op: 1, d });
      });
    } catch (error) {
      if (this.#socket !== socket) return;
      this.#emit("error", error, null);
      socket.close(NO_TOKEN, "no token to authenticate with");
    }
  }

  /** @param {any} data */
  #authenticated(data) {
    this.#live = true;
    // A server that lets in and throws out again is not dialled in a rush.
    this.#stable = setTimeout(() => this.#backoff.reset(), STABLE_MS);
    // Alone it must not keep a program running, where that is a question.
    /** @type {any} */ (this.#stable).unref?.();
    if (data.missed_notifications.length > 0) {
      // Acknowledging nothing tells the server that this user's clients do acknowledge, so that
      // what is not acknowledged comes again.
      this.command("NOTIFICATIONS_ACK", { ids: [] }).catch(() => {});
    }
    if (data.resumed) {
      for (const { frame, how } of this.#pending.values()) {
        if (how.send === "until answered") this.#send(frame);
      }
    } else {
      this.#abandon("the session could not be resumed", () => true);
      this.#edited.clear();
      this.#session = data.session_id ? { id: data.session_id, seq: 0 } : null;
      this.#connectAgain();
    }
    const missed = data.missed_notifications.filter((/** @type {any} */ one) => this.#known.isNew(one));
    this.#emit("authenticated", { ...data, missed_notifications: missed }, null);
    for (const notification of missed) this.#emit("notification", notification, null);
  }

  async #connectAgain() {
    const guild = this.#guild;
    if (!guild) return;
    try {
      await this.connectGuild(guild.gid, guild.token);
    } catch (error) {
      // Where the line is lost again, the next opcode 2 sees to it.
      if (error instanceof ConnectionLost || this.#guild !== guild) return;
      if (isPassing(error)) this.#rejoin = setTimeout(() => this.#connectAgain(), laterMs());
      this.#emit("error", error, null);
    }
  }

  /** @param {any} frame */
  #told(frame) {
    if (frame.ev === "APPLICATION_SESSION_END") this.#edited.delete(frame.d.gid);
    if (frame.ev === "APPLICATION_REVIWED") {
      if (!this.#known.isNew(frame.d)) return;
      this.#emit("notification", frame.d, frame);
    }
    this.#emit(frame.ev, frame.d, frame);
  }

  /** @param {any} frame */
  #answered({ d, nonce }) {
    const waiting = this.#pending.get(nonce);
    if (!waiting) return;
    this.#pending.delete(nonce);
    const { frame, how, resolve, reject } = waiting;
    if (d.error) {
      const error = new CommandError(d.error, frame.cmd);
      how.take?.({ error });
      reject(error);
      return;
    }
    if (frame.cmd === "APPLICATION_SESSION") this.#edited.add(frame.d.gid);
    if (frame.cmd === "APPLICATION_SESSION_END") this.#edited.delete(frame.d.gid);
    how.take?.({ data: d.data });
    resolve(d.data);
  }

  /** @param {{ code: number, reason: string }} close */
  #lost({ code, reason }) {
    const wasLive = this.#live;
    this.#socket = null;
    this.#live = false;
    for (const timer of [this.#redial, this.#rejoin, this.#stable]) clearTimeout(timer);
    // A token that was withdrawn is replaced where a function can give another one.
    const isRenewable = code === WITHDRAWN && wasLive && typeof this.#options.token === "function";
    const final = !this.#wanted || (isFinal(code) && !isRenewable);
    if (final) {
      this.#wanted = false;
      this.#session = null;
      this.#edited.clear();
    }
    this.#abandon(`the connection closed before the answer: ${code} ${reason}`, ({ how }) => final || how.send !== "until answered");
    if (!final) this.#redial = setTimeout(() => this.#dial(), this.#backoff.after(code));
    this.#emit("closed", { code, reason, final }, null);
  }

  /**
   * Gives up those commands whose answer does not come any more.
   * @param {string} why
   * @param {(pending: Pending) => boolean} which
   */
  #abandon(why, which) {
    for (const [nonce, pending] of this.#pending) {
      if (!which(pending)) continue;
      this.#pending.delete(nonce);
      pending.reject(new ConnectionLost(`${pending.frame.cmd}: ${why}`));
    }
  }

  /** @param {unknown} frame */
  #send(frame) {
    if (this.#socket?.readyState === 1) this.#socket.send(JSON.stringify(frame));
  }

  /**
   * @param {string} name
   * @param {any} data
   * @param {any} frame
   */
  #emit(name, data, frame) {
    for (const listener of [...(this.#listeners.get(name) ?? [])]) listener(data, frame);
  }
}
