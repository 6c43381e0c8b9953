// @ts-check
/**
 * The client library of Guildgate's wire protocol: one plain ES module, no dependency.
 *
 * It dials, authenticates, answers heartbeats with the last sequence it has seen, resumes
 * after a drop, and dials again with a growing, jittered wait for as long as the close code
 * invites it to.
 *
 * ```js
 * const gateway = new Guildgate({ url: "https://site.example", token, uid });
 * gateway.on("GUILD_MEMBER_COUNT_CHANGE", ({ member_count }) => show(member_count));
 * await gateway.open();
 * const { guild, user } = await gateway.connectGuild(gid, guildToken);
 * ```
 */

/** Close codes after which dialling again cannot help. Source: docs/protocol.md, "Close codes". */
const FINAL = new Set([1002, 4001, 4002, 4003, 4004, 4005, 4011]);
const BACKOFF_MS = { first: 500, most: 30_000 };

/** A command that was refused; `code` is one of the protocol's error codes. */
export class CommandError extends Error {
  /** @param {{ code: string, message: string, [detail: string]: unknown }} error */
  constructor(error) {
    super(error.message);
    this.name = "CommandError";
    this.code = error.code;
    this.details = error;
  }
}

/**
 * @typedef {object} Options
 * @property {string} [url] Where `/api/gateway` is; the page's own origin if left out.
 * @property {string | null} [token] A gateway-user token, a global token, or null.
 * @property {string | null} [uid] The user whose token it is, or null.
 * @property {typeof WebSocket} [WebSocket] Another implementation, for tests.
 * @property {typeof fetch} [fetch] Another implementation, for tests.
 */

/** @typedef {(data: any, frame: any) => void} Listener */

export class Guildgate {
  /** @type {Options} */ #options;
  /** @type {WebSocket | null} */ #socket = null;
  /** @type {Map<string, Set<Listener>>} */ #listeners = new Map();
  /** @type {Map<string, { resolve: (data: any) => void, reject: (error: Error) => void }>} */
  #pending = new Map();
  #nonce = 0;
  /** @type {{ id: string, seq: number } | null} */ #session = null;
  /** @type {{ gid: string, token: string } | null} */ #guild = null;
  #wait = BACKOFF_MS.first;
  /** @type {ReturnType<typeof setTimeout> | null} */ #redial = null;
  #wanted = false;

  /** @param {Options} options */
  constructor(options = {}) {
    this.#options = options;
  }

  /**
   * Listens to an event of the protocol by its name, or to one of the library's own: `frame`
   * (every frame in), `authenticated`, `guild` (a fresh CONNECT_GUILD answer), `closed`.
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
    this.#wanted = false;
    this.#session = null;
    if (this.#redial) clearTimeout(this.#redial);
    this.#socket?.close(1000);
  }

  /**
   * CONNECT_GUILD; done again by itself when a session could not be resumed.
   * @param {string} gid
   * @param {string} token a gateway-guild token
   * @returns {Promise<{ guild: any, user: any }>}
   */
  async connectGuild(gid, token) {
    const data = await this.command("CONNECT_GUILD", { gid, token });
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
    return this.command("DESCONNECT_GUILD", { gid });
  }

  /**
   * NOTIFICATIONS_ACK.
   * @param {string[]} ids
   */
  acknowledge(ids) {
    return this.command("NOTIFICATIONS_ACK", { ids });
  }

  /**
   * Any command.
   * @param {string} cmd
   * @param {unknown} d
   * @returns {Promise<any>} `data` of the answer
   * @throws {CommandError} if it is refused
   */
  command(cmd, d) {
    const nonce = String(++this.#nonce);
    return new Promise((resolve, reject) => {
      if (this.#socket?.readyState !== 1) {
        reject(new Error(`${cmd} was not sent: not connected`));
        return;
      }
      this.#pending.set(nonce, { resolve, reject });
      this.#send({ op: 6, cmd, nonce, d });
    });
  }

  async #dial() {
    this.#redial = null;
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
      this.#lost({ code: 0, reason: `/api/gateway did not answer: ${error}` });
      return;
    }
    if (!this.#wanted) return;
    const socket = new Socket(url);
    this.#socket = socket;
    socket.onmessage = ({ data }) => this.#receive(JSON.parse(data));
    socket.onclose = ({ code, reason }) => {
      if (this.#socket === socket) this.#lost({ code, reason });
    };
  }

  /** @param {any} frame */
  #receive(frame) {
    if (typeof frame.s === "number" && this.#session) this.#session.seq = frame.s;
    this.#emit("frame", frame, frame);
    switch (frame.op) {
      case 0:
        this.#authenticate();
        break;
      case 2:
        this.#authenticated(frame.d);
        break;
      case 3:
        this.#send({ op: 4, d: this.#session ? this.#session.seq : null });
        break;
      case 5:
        this.#emit(frame.ev, frame.d, frame);
        break;
      case 7:
        this.#answered(frame);
        break;
    }
  }

  #authenticate() {
    const { token = null, uid = null } = this.#options;
    const d = this.#session
      ? { token, uid, resume: { session_id: this.#session.id, seq: this.#session.seq } }
      : { token, uid };
    this.#send({ op: 1, d });
  }

  /** @param {any} data */
  #authenticated(data) {
    this.#wait = BACKOFF_MS.first;
    if (data.missed_notifications.length > 0) {
      // Acknowledging nothing tells the server that this user's clients do acknowledge, so that
      // what is not acknowledged comes again.
      this.acknowledge([]).catch(() => {});
    }
    if (!data.resumed) {
      this.#session = data.session_id ? { id: data.session_id, seq: 0 } : null;
      if (this.#guild) {
        const { gid, token } = this.#guild;
        this.connectGuild(gid, token).catch((error) => this.#emit("error", error, null));
      }
    }
    this.#emit("authenticated", data, null);
  }

  /** @param {any} frame */
  #answered({ d, nonce }) {
    const waiting = this.#pending.get(nonce);
    if (!waiting) return;
    this.#pending.delete(nonce);
    if (d.error) waiting.reject(new CommandError(d.error));
    else waiting.resolve(d.data);
  }

  /** @param {{ code: number, reason: string }} close */
  #lost({ code, reason }) {
    this.#socket = null;
    for (const { reject } of this.#pending.values()) {
      reject(new Error(`the connection closed before the answer: ${code} ${reason}`));
    }
    this.#pending.clear();
    const final = !this.#wanted || FINAL.has(code);
    if (final) this.#session = null;
    this.#emit("closed", { code, reason, final }, null);
    if (final) return;
    const wait = this.#wait * (0.5 + Math.random());
    this.#wait = Math.min(this.#wait * 2, BACKOFF_MS.most);
    this.#redial = setTimeout(() => this.#dial(), wait);
  }

  /** @param {unknown} frame */
  #send(frame) {
    this.#socket?.send(JSON.stringify(frame));
  }

  /**
   * @param {string} name
   * @param {any} data
   * @param {any} frame
   */
  #emit(name, data, frame) {
    for (const listener of this.#listeners.get(name) ?? []) listener(data, frame);
  }
}
