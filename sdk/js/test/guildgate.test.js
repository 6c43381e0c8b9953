// @ts-check
import assert from "node:assert/strict";
import { test } from "node:test";

import { CommandError, Guildgate } from "../guildgate.js";

/** A socket whose other end is the test. */
class ScriptedSocket {
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
  close(code) {
    this.drop(code);
  }
  /** @param {object} frame */
  give(frame) {
    this.onmessage({ data: JSON.stringify({ t: null, d: null, ...frame }) });
  }
  /** @param {number} code */
  drop(code, reason = "") {
    this.readyState = 3;
    this.onclose({ code, reason });
  }
}

/**
 * Runs `body` with timers that come due at once when `due` is called, and not before.
 * @param {(due: () => void) => Promise<void>} body
 */
async function withTimersInHand(body) {
  const real = globalThis.setTimeout;
  /** @type {(() => void)[]} */
  const waiting = [];
  globalThis.setTimeout = /** @type {any} */ ((/** @type {() => void} */ then) => waiting.push(then));
  try {
    await body(() => waiting.splice(0).forEach((then) => then()));
  } finally {
    globalThis.setTimeout = real;
  }
}

/** Lets everything that is ready to run do so. */
const settle = () => new Promise((resolve) => setImmediate(resolve));

async function dialled(options = {}) {
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

const authenticated = (/** @type {boolean} */ resumed) => ({
  op: 2,
  d: { missed_notifications: [], session_id: "a1", heartbeat_interval: 45000, resumed },
});

test("it authenticates when asked to, and opens with opcode 2", async () => {
  const { opened, socket } = await dialled();
  socket.give({ op: 0 });
  assert.deepEqual(socket.sent, [{ op: 1, d: { token: "t", uid: "1" } }]);
  socket.give(authenticated(false));
  assert.equal((await opened).session_id, "a1");
});

test("a heartbeat is answered with the last sequence seen", async () => {
  const { socket } = await dialled();
  socket.give(authenticated(false));
  socket.give({ op: 5, ev: "GUILD_UPDATE", t: "GUILD_UPDATE", d: {}, s: 7 });
  socket.give({ op: 3 });
  assert.deepEqual(socket.sent.at(-1), { op: 4, d: 7 });
});

test("answers find their commands by nonce, errors with their code", async () => {
  const { gateway, socket } = await dialled();
  socket.give(authenticated(false));
  const good = gateway.command("DESCONNECT_GUILD", { gid: "5" });
  const bad = gateway.command("NOTIFICATIONS_ACK", {});
  const [first, second] = socket.sent;
  socket.give({ op: 7, nonce: second.nonce, d: { for: "x", error: { code: "bad_request", message: "ids" } } });
  socket.give({ op: 7, nonce: first.nonce, d: { for: "x", data: { success: true } } });
  assert.deepEqual(await good, { success: true });
  await assert.rejects(bad, (error) => error instanceof CommandError && error.code === "bad_request");
});

test("a drop is followed by a resume from the last sequence", async () => {
  await withTimersInHand(async (due) => {
    const { socket } = await dialled();
    socket.give(authenticated(false));
    socket.give({ op: 5, ev: "X", t: "X", d: {}, s: 3 });
    socket.drop(1006);
    due();
    await settle();
    const again = ScriptedSocket.dialled[1];
    again.give({ op: 0 });
    assert.deepEqual(again.sent[0].d.resume, { session_id: "a1", seq: 3 });
  });
});

test("a session that could not be resumed is connected to its guild anew", async () => {
  await withTimersInHand(async (due) => {
    const { gateway, socket } = await dialled();
    socket.give(authenticated(false));
    const connected = gateway.connectGuild("5", "g");
    socket.give({ op: 7, nonce: socket.sent[0].nonce, d: { for: "CONNECT_GUILD", data: { guild: {}, user: null } } });
    await connected;
    socket.drop(1006);
    due();
    await settle();
    const again = ScriptedSocket.dialled[1];
    again.give(authenticated(false));
    assert.deepEqual(again.sent.map(({ cmd, d }) => ({ cmd, d })), [
      { cmd: "CONNECT_GUILD", d: { gid: "5", token: "g" } },
    ]);
  });
});

test("a close that forbids a reconnect ends it, and says so", async () => {
  const { opened, socket } = await dialled();
  socket.drop(4004, "authentication failed or withdrawn");
  await assert.rejects(opened, /4004/);
  assert.equal(ScriptedSocket.dialled.length, 1);
});

test("a command that is open when the line drops is told so", async () => {
  const { gateway, socket } = await dialled();
  socket.give(authenticated(false));
  const command = gateway.command("CONNECT_GUILD", {});
  socket.drop(4004);
  await assert.rejects(command, /before the answer/);
});
