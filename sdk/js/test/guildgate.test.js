// @ts-check
import assert from "node:assert/strict";
import { test } from "node:test";

import { CommandError, ConnectionLost } from "../guildgate.js";
import { REDIAL_MS, ScriptedSocket, authenticated, dialled, dropped, live, settle, withTimers } from "./scripted.js";

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
  await withTimers(async (timers) => {
    const { socket } = await live();
    socket.tell("X", {}, 3);
    const again = await dropped(timers, { resumed: true });
    assert.deepEqual(again.sent[0].d.resume, { session_id: "a1", seq: 3 });
  });
});

test("a session that could not be resumed is connected to its guild anew", async () => {
  await withTimers(async (timers) => {
    const { gateway, socket } = await live();
    const connected = gateway.connectGuild("5", "g");
    socket.answer("CONNECT_GUILD", { guild: {}, user: null });
    await connected;
    const again = await dropped(timers, { resumed: false });
    assert.deepEqual(again.all("CONNECT_GUILD").map(({ d }) => d), [{ gid: "5", token: "g" }]);
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

test("nothing is sent before opcode 2 of a new line, since a command then would close it for good", async () => {
  await withTimers(async (timers) => {
    const { gateway, socket } = await live();
    socket.drop(1006);
    await timers.due(REDIAL_MS);
    const again = ScriptedSocket.dialled[1];
    again.give({ op: 0 });
    await assert.rejects(gateway.command("APPLICATION_SUBMIT", {}), ConnectionLost);
    const kept = gateway.command("NOTIFICATIONS_ACK", { ids: [] }, { send: "until answered" });
    assert.deepEqual(again.sent.map(({ op }) => op), [1]);
    again.give(authenticated(true));
    again.answer("NOTIFICATIONS_ACK", { success: true });
    assert.deepEqual(await kept, { success: true });
  });
});

test("closing while the line is down is told, and nothing is dialled after it", async () => {
  await withTimers(async (timers) => {
    const { gateway, socket } = await live();
    /** @type {any[]} */
    const closes = [];
    gateway.on("closed", ({ final }) => closes.push(final));
    socket.drop(1006);
    gateway.close();
    await timers.due();
    assert.deepEqual(closes, [false, true]);
    assert.equal(ScriptedSocket.dialled.length, 1);
  });
});

test("yes, later: 4008 and 4012 are waited out for five seconds or more before the first dial", async () => {
  for (const code of [4008, 4012]) {
    await withTimers(async (timers) => {
      const { socket } = await dialled();
      socket.drop(code);
      const [wait] = timers.waits;
      assert.ok(wait >= 5_000 && wait <= 7_500, `${code}: ${wait} ms`);
    });
  }
});

test("an opcode 2 does not shorten the next wait, a line that holds does", async () => {
  await withTimers(async (timers) => {
    await dialled();
    for (let round = 0; round < 6; round++) {
      const socket = /** @type {ScriptedSocket} */ (ScriptedSocket.dialled.at(-1));
      socket.give(authenticated(false));
      socket.drop(4000);
      if (round === 5) assert.ok(timers.waits[0] >= 8_000, `${timers.waits[0]} ms after six short lines`);
      await timers.due();
    }
    const stable = /** @type {ScriptedSocket} */ (ScriptedSocket.dialled.at(-1));
    stable.give(authenticated(false));
    await timers.due();
    stable.drop(4000);
    assert.ok(timers.waits[0] <= 750, `${timers.waits[0]} ms after one that held`);
  });
});

test("a token may be a function, called whenever the server asks who this is", async () => {
  await withTimers(async (timers) => {
    let fetched = 0;
    const { socket } = await dialled({ token: async () => `fresh ${++fetched}` });
    socket.give({ op: 0 });
    await settle();
    socket.give(authenticated(false));
    assert.equal(socket.sent[0].d.token, "fresh 1");
    const again = await dropped(timers, { resumed: true });
    await settle();
    assert.equal(again.sent.find(({ op }) => op === 1).d.token, "fresh 2");
  });
});

test("a token that cannot be fetched is told, and tried again with the next dial", async () => {
  await withTimers(async (timers) => {
    let fetched = 0;
    const token = async () => {
      if (++fetched === 1) throw new Error("the site is away");
      return "fresh";
    };
    const { gateway, socket } = await dialled({ token });
    /** @type {string[]} */
    const told = [];
    gateway.on("error", ({ message }) => told.push(message));
    socket.give({ op: 0 });
    await settle();
    assert.deepEqual(told, ["the site is away"]);
    await timers.due(REDIAL_MS);
    ScriptedSocket.dialled[1].give({ op: 0 });
    await settle();
    assert.equal(ScriptedSocket.dialled[1].sent[0].d.token, "fresh");
  });
});

test("a token withdrawn from a live line is replaced where a function gives another, and is final where not", async () => {
  await withTimers(async (timers) => {
    const { socket } = await live({ token: () => "fresh" });
    socket.drop(4004);
    await timers.due(REDIAL_MS);
    assert.equal(ScriptedSocket.dialled.length, 2);
    // That one was fresh, so there is no better one.
    ScriptedSocket.dialled[1].drop(4004);
    assert.deepEqual(timers.waits, []);

    const fixed = await live();
    fixed.socket.drop(4004);
    assert.deepEqual(timers.waits, []);
  });
});

test("CONNECT_GUILD that is refused after a reconnect is told as an error, with a fresh guild token each time", async () => {
  await withTimers(async (timers) => {
    const { gateway, socket } = await live();
    let fetched = 0;
    const connected = gateway.connectGuild("5", async () => `g${++fetched}`);
    await settle();
    socket.answer("CONNECT_GUILD", { guild: {}, user: null });
    await connected;
    /** @type {CommandError[]} */
    const errors = [];
    gateway.on("error", (error) => errors.push(error));
    const again = await dropped(timers, { resumed: false });
    await settle();
    assert.equal(again.last("CONNECT_GUILD").d.token, "g2");
    again.refuse("CONNECT_GUILD", "invalid_token");
    await settle();
    assert.deepEqual(errors.map(({ code, cmd }) => [code, cmd]), [["invalid_token", "CONNECT_GUILD"]]);
    assert.ok(!timers.waits.some((wait) => wait < REDIAL_MS), "a token that is not good is not tried again");
  });
});

test("CONNECT_GUILD that is refused for the moment is tried again by itself", async () => {
  await withTimers(async (timers) => {
    const { gateway, socket } = await live();
    const connected = gateway.connectGuild("5", "g");
    socket.answer("CONNECT_GUILD", { guild: {}, user: null });
    await connected;
    let guilds = 0;
    gateway.on("guild", () => (guilds += 1));
    const again = await dropped(timers, { resumed: false });
    again.refuse("CONNECT_GUILD", "unavailable");
    await settle();
    await timers.due(REDIAL_MS);
    assert.equal(again.all("CONNECT_GUILD").length, 2);
    again.answer("CONNECT_GUILD", { guild: {}, user: null });
    await settle();
    assert.equal(guilds, 1);
  });
});

test("a notification is told once, be it missed, replayed or live", async () => {
  await withTimers(async (timers) => {
    const { gateway, socket } = await dialled();
    /** @type {string[]} */
    const told = [];
    /** @type {string[]} */
    const raw = [];
    gateway.on("notification", ({ id }) => told.push(id));
    gateway.on("APPLICATION_REVIWED", ({ id }) => raw.push(id));
    /** @type {string[][]} */
    const missed = [];
    gateway.on("authenticated", (d) => missed.push(d.missed_notifications.map((/** @type {any} */ one) => one.id)));
    socket.give(authenticated(false, [{ id: "1" }, { id: "2" }]));
    socket.tell("APPLICATION_REVIWED", { id: "2" });
    socket.tell("APPLICATION_REVIWED", { id: "3" });
    const again = await dropped(timers, { resumed: true, missed: [{ id: "1" }, { id: "3" }, { id: "4" }] });
    again.tell("APPLICATION_REVIWED", { id: "3" });
    assert.deepEqual(told, ["1", "2", "3", "4"]);
    assert.deepEqual(raw, ["3"]);
    assert.deepEqual(missed, [["1", "2"], ["4"]]);
  });
});

test("many notifications are acknowledged in commands of at most 256, each within a frame", async () => {
  const { gateway, socket } = await live();
  const acknowledge = async (/** @type {string[]} */ ids) => {
    socket.sent = [];
    const done = gateway.acknowledge(ids);
    for (let rounds = 0; rounds < 20; rounds++) {
      const waiting = socket.all("NOTIFICATIONS_ACK").length;
      if (waiting > rounds) socket.answer("NOTIFICATIONS_ACK", { success: true });
      await settle();
    }
    assert.deepEqual(await done, { success: true });
    const commands = socket.all("NOTIFICATIONS_ACK");
    assert.deepEqual(commands.flatMap(({ d }) => d.ids), ids);
    for (const command of commands) {
      assert.ok(command.d.ids.length <= 256);
      assert.ok(JSON.stringify(command).length <= 4096);
    }
    return commands.length;
  };
  assert.equal(await acknowledge(Array.from({ length: 1000 }, (_, at) => String(at))), 4);
  assert.ok((await acknowledge(Array.from({ length: 256 }, (_, at) => `18446744073709551${100 + at}`))) > 1);
  assert.equal(await acknowledge([]), 1, "nothing is acknowledged by an empty list");
});

test("a frame over the limit is refused before it is sent, in bytes, and says what to do", async () => {
  const { gateway, socket } = await live();
  // 1,500 characters, yet over 4 KiB.
  const review = gateway.command("APPLICATION_REVIEW", { gid: "5", id: "9", proccessed_type: 1, note: "好".repeat(1500) });
  await assert.rejects(review, (error) => {
    assert.ok(error instanceof CommandError);
    assert.equal(error.code, "too_large");
    assert.match(error.message, /APPLICATION_REVIEW.* 4096 .*shorten it.*inside an application session, where 65536/);
    return true;
  });
  assert.deepEqual(socket.sent, []);

  const submit = { gid: "5", apv: 1, answers: { why: "x".repeat(10_000) } };
  await assert.rejects(gateway.command("APPLICATION_SUBMIT", submit), /4096/);
  const started = gateway.command("APPLICATION_SESSION", { gid: "5" });
  socket.answer("APPLICATION_SESSION", {});
  await started;
  const submitted = gateway.command("APPLICATION_SUBMIT", submit);
  socket.answer("APPLICATION_SUBMIT", { id: "1", apv: 1 });
  assert.deepEqual(await submitted, { id: "1", apv: 1 });
  await assert.rejects(gateway.command("APPLICATION_SUBMIT", { answers: "x".repeat(70_000) }), /65536 are the most; shorten it/);
  socket.tell("APPLICATION_SESSION_END", { gid: "5", reason: "forbidden" });
  await assert.rejects(gateway.command("APPLICATION_SUBMIT", submit), /4096/);
});

test("a server set to other limits is told of in the options", async () => {
  const { gateway } = await live({ frameBytes: 100 });
  await assert.rejects(gateway.command("APPLICATION_SUBMIT", { text: "x".repeat(100) }), / 100 are the most/);
});
