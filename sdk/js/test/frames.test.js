// @ts-check
/** The golden frames, which Rust and the docs are held to as well. */
import assert from "node:assert/strict";
import { readFile } from "node:fs/promises";
import { test } from "node:test";

import { CommandError } from "../guildgate.js";
import { FormSession } from "../session.js";
import { ScriptedSocket, dialled, dropped, live, settle, withTimers } from "./scripted.js";

/**
 * @param {string} name
 * @returns {Promise<any[]>}
 */
const golden = async (name) =>
  JSON.parse(await readFile(new URL(`../../../testdata/frames/${name}.json`, import.meta.url), "utf8"));

test("each close code is dialled again after, or not, as the golden list says", async () => {
  for (const { code, reason, reconnect } of await golden("close_codes")) {
    await withTimers(async (timers) => {
      const { gateway, socket } = await live();
      let final;
      gateway.on("closed", (close) => (final = close.final));
      socket.drop(code, reason);
      assert.equal(final, !reconnect, `${code}: ${reason}`);
      assert.equal(timers.waits.length, reconnect ? 1 : 0, `${code}: ${reason}`);
    });
  }
});

test("each golden event is told as it stands, and its sequence said back", async () => {
  for (const { name, text } of await golden("events")) {
    const { gateway, socket } = await live();
    const frame = JSON.parse(text);
    /** @type {any[]} */
    const told = [];
    gateway.on(frame.ev, (data, whole) => told.push([data, whole]));
    socket.onmessage({ data: text });
    assert.deepEqual(told, [[frame.d, frame]], name);
    socket.give({ op: 3 });
    // A sequence that a number does not hold exactly would come back as another one.
    const seen = Number.isSafeInteger(frame.s) ? frame.s : 0;
    assert.deepEqual(socket.sent.at(-1), { op: 4, d: seen }, name);
  }
});

test("each golden frame of the server's does what it says", async () => {
  for (const { name, text } of await golden("server")) {
    const { gateway, socket, opened } = await dialled();
    const frame = JSON.parse(text);
    switch (frame.op) {
      case 0:
        socket.onmessage({ data: text });
        assert.deepEqual(socket.sent, [{ op: 1, d: { token: "t", uid: "1" } }], name);
        break;
      case 2: {
        /** @type {any[]} */
        const notifications = [];
        gateway.on("notification", (notification) => notifications.push(notification));
        socket.onmessage({ data: text });
        assert.deepEqual(await opened, frame.d, name);
        assert.deepEqual(notifications, frame.d.missed_notifications, name);
        break;
      }
      case 3:
        socket.onmessage({ data: text });
        assert.deepEqual(socket.sent, [{ op: 4, d: null }], name);
        break;
      case 7: {
        socket.give({ op: 2, d: { missed_notifications: [], session_id: null, resumed: false } });
        // The golden answers carry no nonce or one of their own; ours finds its command by it.
        const asked = gateway.command(frame.d.for, {}, { nonce: frame.nonce ?? "n" });
        const answer = text.replace(/\}$/, frame.nonce ? "}" : ',"nonce":"n"}');
        socket.onmessage({ data: answer });
        if (frame.d.error) {
          await assert.rejects(asked, (error) => {
            assert.ok(error instanceof CommandError, name);
            assert.deepEqual([error.code, error.message, error.details], [frame.d.error.code, frame.d.error.message, frame.d.error], name);
            return true;
          });
        } else {
          assert.deepEqual(await asked, frame.d.data, name);
        }
        break;
      }
      default:
        assert.fail(`${name}: no such opcode is known here`);
    }
  }
});

/** How the library comes to send each golden frame; what it never sends, and why. */
const ACCESS = { uid: "1234", gid: "123467", utokh: "u", uhash: "g" };
/** @type {Record<string, string | ((name: string) => Promise<any>)>} */
const SENDING = {
  "authenticate, basic": () => sentFirst({ token: null, uid: null }),
  "authenticate, basic with the global token": () => sentFirst({ token: "global", uid: null }),
  "authenticate, full": () => sentFirst({ token: "secret", uid: "1234" }),
  "authenticate, keys left out and unknown ones": "the library leaves out no key",
  "authenticate, resume": () => sentToResume("03ababababababababababababababab", 7),
  "authenticate, resume of what is no session": "the library resumes what the server named alone",
  "heartbeat reply": () => sentToHeartbeat(null),
  "heartbeat reply without d": "the library always sends d",
  "heartbeat reply, acknowledging": "the library counts as far as a number does: see the events above",
  "CONNECT_GUILD, as the source shows it": () =>
    sentBy((gateway) => gateway.connectGuild("123467", "q937ue0hw09fyhe.0s98fhs98d0h")),
  DESCONNECT_GUILD: () => sentBy((gateway) => gateway.disconnectGuild("123467")),
  "DISCONNECT_GUILD, the other spelling, with a nonce": "the library knows the one spelling",
  "a nonce of 64 bytes": () => sentBy((gateway) => gateway.disconnectGuild("123467")),
  NOTIFICATIONS_ACK: () => sentBy((gateway) => gateway.acknowledge(["41", "42"])),
  "APPLICATION_SESSION, with opcode 7 as the source writes it": () => sentBy((gateway) => new FormSession(gateway, ACCESS).start()),
  "APPLICATION_SESSION, of the form": () =>
    sentBy((gateway) => new FormSession(gateway, { ...ACCESS, target: "form" }).start()),
  "APPLICATION_SESSION, of one's own answers": () =>
    sentBy((gateway) => new FormSession(gateway, { ...ACCESS, target: "answers" }).start()),
  APPLICATION_SESSION_PATCH: () => sentInSession(async (session) => session.patch([{ op: "remove", path: "/sections/0" }])),
  APPLICATION_SESSION_REAUTH: () =>
    sentInSession(async (_, socket) => socket.tell("APPLICATION_SESSION_REAUTH", { gid: "123467", reason: "token_expired" })),
  "APPLICATION_SESSION_HB_M, of a guild": () =>
    sentInSession(async (_, socket) => socket.tell("APPLICATION_SESSION_HB_P", { gid: "123467" })),
  "APPLICATION_SESSION_HB_M, with null": "the library always names the guild",
  APPLICATION_SESSION_END: () => sentInSession(async (session) => session.end()),
  APPLICATION_SUBMIT: command,
  APPLICATION_REVIEW: command,
  "an unknown command": command,
};

test("what the library sends is what the golden frames say, but for the nonce", async () => {
  const frames = await golden("client");
  assert.deepEqual(frames.map(({ name }) => name).sort(), Object.keys(SENDING).sort(), "every golden frame has its say");
  for (const { name, text } of frames) {
    const send = SENDING[name];
    if (typeof send === "string") continue;
    const { nonce: ours, ...sent } = await send(name);
    const { nonce: theirs, t, ...expected } = JSON.parse(text);
    // A client's opcode 7 with a command is taken as opcode 6; the library names its guild.
    if (expected.cmd) expected.op = 6;
    if (expected.cmd === "APPLICATION_SESSION_REAUTH") expected.d.gid = "123467";
    assert.deepEqual(sent, expected, name);
    if (ours) assert.ok(ours.length <= 64, name);
  }
});

/** @param {import("../guildgate.js").Options} options */
async function sentFirst(options) {
  const { socket } = await dialled(options);
  socket.give({ op: 0 });
  return socket.sent[0];
}

/**
 * @param {string} id
 * @param {number} seq
 */
async function sentToResume(id, seq) {
  /** @type {any} */
  let sent;
  await withTimers(async (timers) => {
    const { socket } = await dialled({ token: "secret", uid: "1234" });
    socket.give({ op: 2, d: { missed_notifications: [], session_id: id, resumed: false } });
    socket.tell("X", {}, seq);
    sent = (await dropped(timers, { resumed: true })).sent[0];
  });
  return sent;
}

/** @param {number | null} seen */
async function sentToHeartbeat(seen) {
  const { socket } = await dialled({ token: null, uid: null });
  socket.give({ op: 2, d: { missed_notifications: [], session_id: null, resumed: false } });
  socket.give({ op: 3 });
  assert.equal(socket.sent[0].d, seen);
  // As the golden frame has it, with the key that a server's frame has too.
  return socket.sent[0];
}

/** @param {(gateway: import("../guildgate.js").Guildgate) => Promise<any>} act */
async function sentBy(act) {
  const { gateway, socket } = await live();
  act(gateway).catch(() => {});
  await settle();
  return socket.sent.at(-1);
}

/** @param {(session: FormSession, socket: ScriptedSocket) => Promise<any>} act */
async function sentInSession(act) {
  const { gateway, socket } = await live();
  const session = new FormSession(gateway, ACCESS, "64");
  const started = session.start();
  socket.answer("APPLICATION_SESSION", { gid: "123467", apv: 7, document: { sections: [{}] }, participants: [] });
  await started;
  act(session, socket).catch(() => {});
  await settle();
  return socket.sent.at(-1);
}

/** Any command goes through as it is given. @param {string} name */
async function command(name) {
  const { text } = (await golden("client")).find((frame) => frame.name === name);
  const { cmd, d } = JSON.parse(text);
  return sentBy((gateway) => gateway.command(cmd, d));
}
