// @ts-check
/** A gateway whose other end, and whose clock, are in the test's hand. */
import { Guildgate } from "../guildgate.js";

/** A socket whose other end is the test. */
export class ScriptedSocket {
  /** @type {ScriptedSocket[]} */ static dialled = [];
  readyState = 1;
  /** @type {any[]} */ sent = [];
  /** @type {(event: any) => void} */ onmessage = () => {};
  /** @type {(event: any) => void} */ onclose = () => {};
  /** @param {string} url */
  constructor(url) {
    this.url = url;
    ScriptedSocket.dialled.push(this);
  }
  /** @param {string} text */
  send(text) {
    this.sent.push(JSON.parse(text));
  }
  /** @param {number} code */
  close(code, reason = "") {
    this.drop(code, reason);
  }
  /** @param {object} frame */
  give(frame) {
    this.onmessage({ data: JSON.stringify({ t: null, d: null, ...frame }) });
  }
  /**
   * @param {string} ev
   * @param {any} d
   */
  tell(ev, d, s = 1) {
    this.give({ op: 5, ev, t: ev, d, s });
  }
  /**
   * The newest command of this name.
   * @param {string} cmd
   */
  last(cmd) {
    const found = this.all(cmd).at(-1);
    if (!found) throw new Error(`no ${cmd} was sent: ${JSON.stringify(this.sent)}`);
    return found;
  }
  /** @param {string} cmd */
  all(cmd) {
    return this.sent.filter((frame) => frame.cmd === cmd);
  }
  /**
   * Answers the newest command of this name.
   * @param {string} cmd
   * @param {any} data
   */
  answer(cmd, data) {
    this.give({ op: 7, nonce: this.last(cmd).nonce, d: { for: cmd, data } });
  }
  /**
   * @param {string} cmd
   * @param {string} code
   */
  refuse(cmd, code, details = {}) {
    const error = { code, message: `refused: ${code}`, ...details };
    this.give({ op: 7, nonce: this.last(cmd).nonce, d: { for: cmd, error } });
  }
  /** @param {number} code */
  drop(code, reason = "") {
    this.readyState = 3;
    this.onclose({ code, reason });
  }
}

/** Lets everything that is ready to run do so. */
export const settle = () => new Promise((resolve) => setImmediate(resolve));

/** Timers that come due when the test says so, and not before. */
export class Timers {
  /** @type {{ then: () => void, ms: number }[]} */ waiting = [];

  /** How long each that waits was set for. */
  get waits() {
    return this.waiting.map(({ ms }) => ms);
  }

  /** Lets come due what waits for at most `ms`. */
  async due(ms = Infinity) {
    const ready = this.waiting.filter((one) => one.ms <= ms);
    this.waiting = this.waiting.filter((one) => one.ms > ms);
    for (const { then } of ready) then();
    await settle();
  }
}

/**
 * Runs `body` with timers in its hand.
 * @param {(timers: Timers) => Promise<void>} body
 */
export async function withTimers(body) {
  const real = { setTimeout: globalThis.setTimeout, clearTimeout: globalThis.clearTimeout };
  const timers = new Timers();
  globalThis.setTimeout = /** @type {any} */ ((/** @type {() => void} */ then, ms = 0) => {
    const timer = { then, ms };
    timers.waiting.push(timer);
    return timer;
  });
  globalThis.clearTimeout = /** @type {any} */ ((/** @type {any} */ timer) => {
    timers.waiting = timers.waiting.filter((one) => one !== timer);
  });
  try {
    await body(timers);
  } finally {
    Object.assign(globalThis, real);
  }
}

/** Most of a wait between two dials, its jitter included; less than a line takes to be stable. */
export const REDIAL_MS = 20_000;

/** @param {import("../guildgate.js").Options} [options] */
export async function dialled(options = {}) {
  ScriptedSocket.dialled = [];
  const gateway = new Guildgate({
    token: "t",
    uid: "1",
    WebSocket: /** @type {any} */ (ScriptedSocket),
    fetch: /** @type {any} */ (async () => ({ ok: true, json: async () => ({ url: "ws://there" }) })),
    ...options,
  });
  const opened = gateway.open();
  opened.catch(() => {});
  await settle();
  return { gateway, opened, socket: ScriptedSocket.dialled[0] };
}

/** Opcode 2. @param {boolean} resumed */
export const authenticated = (resumed, /** @type {any[]} */ missed = []) => ({
  op: 2,
  d: { missed_notifications: missed, session_id: "a1", heartbeat_interval: 45000, resumed },
});

/** @param {import("../guildgate.js").Options} [options] */
export async function live(options = {}) {
  const { gateway, socket } = await dialled(options);
  socket.give(authenticated(false));
  return { gateway, socket };
}

/**
 * The line drops, and is up again.
 * @param {Timers} timers
 * @param {{ resumed: boolean, missed?: any[] }} how
 * @returns {Promise<ScriptedSocket>} the new socket
 */
export async function dropped(timers, { resumed, missed = [] }) {
  ScriptedSocket.dialled.at(-1)?.drop(1006);
  await timers.due(REDIAL_MS);
  const again = /** @type {ScriptedSocket} */ (ScriptedSocket.dialled.at(-1));
  again.give({ op: 0 });
  again.give(authenticated(resumed, missed));
  await settle();
  return again;
}
