// @ts-check
/** Live application sessions over lines that drop, answers that are lost and tokens that end. */
import assert from "node:assert/strict";
import { test } from "node:test";

import { CommandError } from "../guildgate.js";
import { FormSession } from "../session.js";
import { REDIAL_MS, ScriptedSocket, dropped, live, settle, withTimers } from "./scripted.js";

const GID = "5";
const ACCESS = { uid: "1", gid: GID, utokh: "u", uhash: "g" };
const START = "APPLICATION_SESSION";
const PATCH = "APPLICATION_SESSION_PATCH";
const REAUTH = "APPLICATION_SESSION_REAUTH";
const END = "APPLICATION_SESSION_END";

/**
 * @param {string} path
 * @param {any} value
 */
const set = (path, value) => [{ op: "replace", path, value }];

/**
 * @param {number} apv
 * @param {any} document
 */
const snapshot = (apv, document, more = {}) => ({ gid: GID, apv, document, participants: [], ...more });

/**
 * A session begun at version 1 of `{a: 0, b: 0}`, and what it tells.
 * @param {Partial<import("../session.js").Access>} [access]
 */
async function begun(access = {}) {
  const { gateway, socket } = await live();
  const session = new FormSession(gateway, { ...ACCESS, ...access }, "32");
  /** @type {[string, any][]} */
  const told = [];
  for (const name of ["restart", "reauth", "end"]) session.on(name, (data) => told.push([name, data.reason]));
  const started = session.start();
  await settle();
  socket.answer(START, snapshot(1, { a: 0, b: 0 }));
  await started;
  return { gateway, socket, session, told };
}

test("a patch in flight when the line drops is sent again with its nonce, and takes its place in the order", async () => {
  await withTimers(async (timers) => {
    const { socket, session, told } = await begun();
    const patched = session.patch(set("/a", "mine"));
    await settle();
    const sent = socket.last(PATCH);
    const again = await dropped(timers, { resumed: true });
    assert.deepEqual(again.all(PATCH), [sent], "the same frame, its nonce included");
    // It was taken as version 2, which its own author is not told of as an event.
    again.tell(PATCH, { gid: GID, uid: "2", apv: 3, patch: set("/b", "theirs") });
    assert.deepEqual([session.apv, session.document], [1, { a: 0, b: 0 }]);
    again.answer(PATCH, { gid: GID, apv: 2 });
    await patched;
    assert.deepEqual([session.apv, session.document], [3, { a: "mine", b: "theirs" }]);
    assert.deepEqual(told, []);
  });
});

test("a patch made while the line is down is sent once it is up", async () => {
  await withTimers(async (timers) => {
    const { socket, session } = await begun();
    socket.drop(1006);
    const patched = session.patch(set("/a", 1));
    const again = await dropped(timers, { resumed: true });
    again.answer(PATCH, { gid: GID, apv: 2 });
    await patched;
    assert.deepEqual(session.document, { a: 1, b: 0 });
  });
});

test("an answer and an event in one breath are applied in their order", async () => {
  const { socket, session } = await begun();
  const patched = session.patch(set("/a", "first"));
  await settle();
  socket.answer(PATCH, { gid: GID, apv: 2 });
  socket.tell(PATCH, { gid: GID, uid: "2", apv: 3, patch: set("/a", "second") });
  await patched;
  assert.deepEqual([session.apv, session.document.a], [3, "second"]);
});

test("an event that is in the document already changes nothing", async () => {
  const { socket, session, told } = await begun();
  socket.tell(PATCH, { gid: GID, uid: "2", apv: 1, patch: set("/a", "old") });
  assert.deepEqual([session.apv, session.document.a, told], [1, 0, []]);
});

test("a gap that nothing explains ends the session and starts it from a fresh document", async () => {
  for (const event of [
    { apv: 3, patch: set("/a", "later") },
    { apv: 2, patch: set("/not/there", 1) },
    { apv: 2, patch: null },
  ]) {
    const { socket, session, told } = await begun();
    socket.tell(PATCH, { gid: GID, uid: "2", ...event });
    await settle();
    assert.deepEqual(session.document, { a: 0, b: 0 }, "nothing is applied past a gap");
    socket.answer(END, { success: true });
    socket.tell(END, { gid: GID, reason: "command" });
    await settle();
    socket.answer(START, snapshot(7, { a: 7, b: 7 }));
    await settle();
    assert.deepEqual([session.apv, session.document], [7, { a: 7, b: 7 }]);
    assert.deepEqual(told.map(([name]) => name), ["restart"]);
    socket.tell(PATCH, { gid: GID, uid: "2", apv: 8, patch: set("/a", 8) });
    assert.equal(session.document.a, 8);
  }
});

test("a version told as a whole needs none before it", async () => {
  const { socket, session, told } = await begun();
  socket.tell(PATCH, { gid: GID, uid: null, apv: 9, patch: set("", { a: 9 }) });
  assert.deepEqual([session.apv, session.document, told], [9, { a: 9 }, []]);
});

test("a session that stays out of step is given up after some starts", async () => {
  const { socket, session, told } = await begun();
  for (let round = 0; round < 6; round++) {
    socket.tell(PATCH, { gid: GID, uid: "2", apv: session.apv + 2, patch: set("/a", 1) });
    await settle();
    if (round === 5) break;
    socket.refuse(END, "no_session");
    await settle();
    socket.answer(START, snapshot(1, { a: 0, b: 0 }));
    await settle();
  }
  assert.deepEqual(told.at(-1), ["end", "out of step with the server"]);
});

test("a session lost with the line is started again, and unsent changes go on", async () => {
  await withTimers(async (timers) => {
    const { session, told } = await begun({ target: "form" });
    const first = session.patch(set("/a", "in flight"));
    const second = session.patch(set("/b", "waiting"));
    const third = session.patch(set("/c", "stale"));
    await settle();
    const before = /** @type {ScriptedSocket} */ (ScriptedSocket.dialled.at(-1)).last(PATCH);
    const again = await dropped(timers, { resumed: false });
    assert.deepEqual(again.all(PATCH), [], "not before the session is there");
    again.answer(START, snapshot(4, { a: "in flight", b: 0 }));
    await settle();
    // The first was taken before: its nonce says so, and the document has it.
    assert.deepEqual(again.last(PATCH), before);
    again.answer(PATCH, { gid: GID, apv: 2 });
    await first;
    await settle();
    again.answer(PATCH, { gid: GID, apv: 5 });
    await second;
    assert.deepEqual(session.document, { a: "in flight", b: "waiting" });
    await settle();
    again.refuse(PATCH, "conflict", { apv: 6, document: { a: 1, b: 2 } });
    await assert.rejects(third, (error) => error instanceof CommandError && error.code === "conflict");
    assert.deepEqual([session.apv, session.document], [6, { a: 1, b: 2 }]);
    assert.deepEqual(told.map(([name]) => name), ["restart"]);
  });
});

test("a session that cannot be started again tells its end, and what was not kept", async () => {
  await withTimers(async (timers) => {
    const { session, told } = await begun();
    const patched = session.patch(set("/a", 1));
    patched.catch(() => {});
    const again = await dropped(timers, { resumed: false });
    again.refuse(START, "forbidden");
    await assert.rejects(patched, /the session is over \(forbidden\)/);
    assert.deepEqual(told.at(-1), ["end", "forbidden"]);
    await assert.rejects(session.patch([]), /over/);
  });
});

test("a start that is refused for the moment is tried again after a lost line", async () => {
  await withTimers(async (timers) => {
    const { session, told } = await begun();
    const again = await dropped(timers, { resumed: false });
    again.refuse(START, "unavailable");
    await settle();
    await timers.due(REDIAL_MS);
    again.answer(START, snapshot(2, { a: 2 }));
    await settle();
    assert.deepEqual(session.document, { a: 2 });
    assert.deepEqual(told.map(([name]) => name), ["restart"]);
  });
});

test("a close for good tells a session's end", async () => {
  const { socket, session, told } = await begun();
  const patched = session.patch(set("/a", 1));
  patched.catch(() => {});
  await settle();
  socket.drop(4004, "withdrawn");
  await assert.rejects(patched, /4004 withdrawn/);
  assert.deepEqual(told, [["end", "closed: 4004 withdrawn"]]);
});

test("a start whose answer is lost is asked again with its nonce", async () => {
  await withTimers(async (timers) => {
    const { gateway, socket } = await live();
    const session = new FormSession(gateway, ACCESS);
    const started = session.start();
    const again = await dropped(timers, { resumed: true });
    assert.deepEqual(again.all(START), socket.all(START));
    again.answer(START, snapshot(3, { a: 3 }));
    assert.equal((await started).apv, 3);
    assert.deepEqual(session.document, { a: 3 });
  });
});

test("a start that finds the session there already ends it and starts anew", async () => {
  await withTimers(async (timers) => {
    const { gateway } = await live();
    const session = new FormSession(gateway, ACCESS);
    /** @type {string[]} */
    const ends = [];
    session.on("end", ({ reason }) => ends.push(reason));
    const started = session.start();
    const again = await dropped(timers, { resumed: true });
    again.refuse(START, "session_exists");
    await settle();
    again.answer(END, { success: true });
    again.tell(END, { gid: GID, reason: "command" });
    await settle();
    assert.equal(again.all(START).length, 2);
    again.answer(START, snapshot(3, { a: 3 }));
    await started;
    assert.deepEqual([session.document, ends], [{ a: 3 }, []]);
  });
});

test("a start on a line that is not open is refused at once", async () => {
  const { gateway, socket } = await live();
  socket.drop(4004);
  await assert.rejects(new FormSession(gateway, ACCESS).start(), /not connected/);
});

test("a second session of the connection's in a guild is refused, until the first is over", async () => {
  const { gateway, socket, session } = await begun();
  await assert.rejects(new FormSession(gateway, { ...ACCESS, target: "answers" }).start(), /end that session first/);
  assert.equal(socket.all(START).length, 1, "and the first one is left alone");
  const ended = session.end();
  await settle();
  socket.answer(END, { success: true });
  await ended;
  const second = new FormSession(gateway, { ...ACCESS, target: "answers" }).start();
  socket.answer(START, snapshot(1, {}));
  await second;
});

test("ending a session waits for the changes before it", async () => {
  const { socket, session } = await begun();
  const patched = session.patch(set("/a", 1));
  const ended = session.end();
  await settle();
  assert.deepEqual(socket.all(END), []);
  socket.answer(PATCH, { gid: GID, apv: 2 });
  await patched;
  await settle();
  socket.answer(END, { success: true });
  await ended;
});

test("a start takes the permissions of its answer, and fresh tokens where functions give them", async () => {
  let fetched = 0;
  const { socket, session } = await begun();
  socket.tell(REAUTH, { gid: GID, reason: "token_expired", deadline_ms: 20000 });
  assert.equal(socket.last(REAUTH).d.pm, "32", "as given, where the answer names none");
  assert.equal(session.apv, 1);

  const { gateway, socket: other } = await live();
  const fresh = new FormSession(gateway, { ...ACCESS, utokh: async () => `u${++fetched}`, uhash: () => "g" }, "32");
  const started = fresh.start();
  await settle();
  assert.deepEqual(other.last(START).d, { ...ACCESS, utokh: "u1", uhash: "g" });
  other.answer(START, snapshot(1, {}, { permissions: "40" }));
  await started;
  other.tell(REAUTH, { gid: GID, reason: "token_expired", deadline_ms: 20000 });
  await settle();
  assert.deepEqual(other.last(REAUTH).d, { gid: GID, utokh: "u2", uhash: "g", pm: "40" });
});

test("a reauth that is refused for the moment is tried again, and ends nothing", async () => {
  await withTimers(async (timers) => {
    const { socket, session, told } = await begun();
    socket.tell(REAUTH, { gid: GID, reason: "token_revoked", deadline_ms: 20000 });
    const patched = session.patch(set("/a", 1));
    socket.refuse(REAUTH, "unavailable");
    await settle();
    assert.ok(timers.waits.some((wait) => wait < 20_000), "within the time that the server gives");
    await timers.due(REDIAL_MS);
    assert.equal(socket.all(REAUTH).length, 2);
    assert.deepEqual(socket.all(PATCH), [], "patches wait for it");
    socket.answer(REAUTH, { success: true, permissions: "32" });
    await settle();
    socket.answer(PATCH, { gid: GID, apv: 2 });
    await patched;
    assert.deepEqual(told, [["reauth", "token_revoked"]]);
  });
});

test("a reauth whose answer is lost with the line is sent again, with what was told meanwhile", async () => {
  await withTimers(async (timers) => {
    const { socket, told } = await begun();
    socket.tell(REAUTH, { gid: GID, reason: "permissions_changed", deadline_ms: 20000 });
    const again = await dropped(timers, { resumed: true });
    again.tell("GUILD_PRIVILEGE_UPDATE", { guild_id: GID, id: "1", permissions: "48" });
    // This answer comes behind all that is told again.
    again.answer("APPLICATION_SESSION_HB_M", {});
    await settle();
    assert.equal(again.last(REAUTH).d.pm, "48");
    again.answer(REAUTH, { success: true, permissions: "48" });
    await settle();
    assert.deepEqual(told, [["reauth", "permissions_changed"]]);
  });
});

test("a refused reauth leaves it to the server to end the session", async () => {
  const { socket, told } = await begun();
  socket.tell(REAUTH, { gid: GID, reason: "token_revoked", deadline_ms: 20000 });
  socket.refuse(REAUTH, "invalid_token");
  await settle();
  assert.deepEqual(told.map(([name]) => name), ["reauth"]);
  socket.tell(END, { gid: GID, reason: "reauth_failed" });
  assert.deepEqual(told.at(-1), ["end", "reauth_failed"]);
});

test("a patch that was held back is sent again once the session has authenticated", async () => {
  const { socket, session } = await begun();
  const patched = session.patch(set("/a", 1));
  await settle();
  socket.tell(REAUTH, { gid: GID, reason: "permissions_changed", deadline_ms: 20000 });
  const { nonce } = socket.last(PATCH);
  socket.refuse(PATCH, "reauth_required");
  await settle();
  socket.answer(REAUTH, { success: true, permissions: "32" });
  await settle();
  assert.deepEqual(socket.all(PATCH).map((frame) => frame.nonce), [nonce, nonce]);
  socket.answer(PATCH, { gid: GID, apv: 2 });
  await patched;
  assert.equal(session.document.a, 1);
});

test("a patch of which it is not known whether it was kept is asked for with its nonce", async () => {
  await withTimers(async (timers) => {
    const { socket, session } = await begun();
    const patched = session.patch(set("/a", 1));
    await settle();
    socket.refuse(PATCH, "unavailable");
    await settle();
    // It had been kept: the session tells it as anybody's.
    socket.tell(PATCH, { gid: GID, uid: "1", apv: 2, patch: set("/a", 1) });
    await timers.due(REDIAL_MS);
    const [first, second] = socket.all(PATCH);
    assert.deepEqual(second, first);
    socket.answer(PATCH, { gid: GID, apv: 2 });
    await patched;
    assert.deepEqual([session.apv, session.document.a], [2, 1]);
  });
});

test("a change rests on what its maker saw and on the maker's own changes before it", async () => {
  const { socket, session } = await begun();
  const first = session.patch(set("/a", 1));
  const second = session.patch(set("/a", 2));
  await settle();
  assert.equal(socket.last(PATCH).d.base, 1);
  socket.answer(PATCH, { gid: GID, apv: 2 });
  socket.tell(PATCH, { gid: GID, uid: "2", apv: 3, patch: set("/a", "theirs") });
  await first;
  await settle();
  // Version 3 was not seen when it was made: whether it stands is for the server to say.
  assert.equal(socket.last(PATCH).d.base, 2);
  socket.refuse(PATCH, "conflict", { apv: 3, document: { a: "theirs", b: 0 } });
  await assert.rejects(second, /conflict/);
});

test("who comes and goes is told, each once", async () => {
  const { socket, session } = await begun();
  socket.tell("APPLICATION_SESSION_JOIN", { gid: GID, uid: "2", tag: "max" });
  socket.tell("APPLICATION_SESSION_JOIN", { gid: GID, uid: "2", tag: "max" });
  assert.deepEqual(session.participants, [{ uid: "2", tag: "max" }]);
  socket.tell("APPLICATION_SESSION_LEAVE", { gid: GID, uid: "2", tag: "max" });
  assert.deepEqual(session.participants, []);
});

test("a draft's form is told at the start, and again as it is by then when it is asked for", async () => {
  const { gateway, socket } = await live();
  const session = new FormSession(gateway, { ...ACCESS, target: "answers" });
  /** @type {any[]} */
  const forms = [];
  session.on("form", (form) => forms.push(form));
  const started = session.start();
  socket.answer(START, snapshot(1, { why: "a" }, { form: { apv: 4, document: { status: 1 } } }));
  await started;
  assert.deepEqual([session.form, forms.length], [{ apv: 4, document: { status: 1 } }, 1]);

  const refreshed = Promise.all([session.refresh(), session.refresh()]);
  const [first, ...again] = socket.all(START);
  assert.deepEqual(again, [first], "asked once, with the nonce of the start");
  socket.answer(START, snapshot(3, { why: "b" }, { form: { apv: 5, document: { status: 0 } } }));
  await refreshed;
  assert.deepEqual([session.apv, session.document], [3, { why: "b" }]);
  assert.deepEqual(forms.at(-1), { apv: 5, document: { status: 0 } });
  // What it had told already is not applied again.
  socket.tell(PATCH, { gid: GID, uid: "1", apv: 3, patch: set("/why", "b") });
  socket.tell(PATCH, { gid: GID, uid: "1", apv: 4, patch: set("/why", "c") });
  assert.deepEqual([session.apv, session.document.why], [4, "c"]);
});

test("asking anew is refused with the line, and is nothing once the session is over", async () => {
  const { gateway, socket, session, told } = await begun();
  const refreshed = session.refresh();
  socket.drop(1006);
  await assert.rejects(refreshed, /closed before the answer/);
  gateway.close();
  assert.equal(told.at(-1)?.[0], "end");
  await session.refresh();
  assert.equal(socket.all(START).length, 2);
});
