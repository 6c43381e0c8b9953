// @ts-check
/**
 * The edge's sockets with clients that others wrote: `ws`, and Chromium. Both agree to
 * permessage-deflate, and every byte reaches them through a relay that cuts it anywhere.
 */
import assert from "node:assert/strict";
import { once } from "node:events";
import { after, before, test } from "node:test";

import { WebSocket as WsSocket } from "ws";

import { launch } from "./browser.js";
import { Cutter, chance, someText } from "./cutter.js";
import { Demo } from "./demo.js";

const SEED = 6455;
/** Frames in one connection, within what the protocol lets a client send in five seconds. */
const FRAMES = 40;
const CONNECTIONS = 6;
const AUTHENTICATE_BASIC = JSON.stringify({ op: 1, d: { token: null, uid: null } });

/** What ends a connection, and with which code. @type {[string, string | null, number][]} */
const CLOSES = [
  ["no JSON object", "[]", 4002],
  ["an opcode that is the server's", '{"op":0}', 4001],
  ["a command too early", '{"op":6,"cmd":"X"}', 4003],
  ["a bad token", '{"op":1,"d":{"token":"gggu_no","uid":"1"}}', 4004],
  ["over the limit", JSON.stringify({ op: 4, d: "x".repeat(5_000) }), 4002],
  ["binary", null, 4002],
];

/** @type {Demo} */ let demo;
/** @type {Cutter} */ let cutter;
/** @type {import("playwright-core").Browser} */ let browser;
/** @type {{ uid: string, token: string }} */ let account;
/** @type {string} */ let guild;

before(async () => {
  demo = await Demo.start({ GUILDGATE_EDGE__DEFLATE: "on", GUILDGATE_EDGE__DEFLATE_BYTES: "256" });
  cutter = await Cutter.start(demo.url, SEED);
  browser = await launch();
  const offer = await demo.offer();
  account = offer.accounts[0];
  guild = offer.guilds[0].id;
});

after(async () => {
  await browser?.close();
  cutter?.stop();
  await demo?.stop();
});

/** Notes that are small and large, in characters of every length. */
function notes(/** @type {number} */ seed) {
  const random = chance(seed);
  const lengths = [0, 1, 7, 100, 200, 500, 1_000, ...Array(16).fill(2_000)];
  return lengths.map((characters) => someText(random, characters));
}

/** Notifies the account. */
async function notify(/** @type {string[]} */ texts) {
  for (const note of texts) {
    await demo.api("POST", `/users/${account.uid}/notifications`, { proccessed_type: 0, gid: guild, note });
  }
}

/**
 * A client of `ws`, and what it hears, one message at a time.
 * @param {import("ws").ClientOptions} options
 */
function dial(options) {
  const socket = new WsSocket(cutter.gateway, options);
  /** @type {any[]} */
  const heard = [];
  /** @type {((frame: any) => void)[]} */
  const waiting = [];
  socket.on("message", (data, binary) => {
    assert.equal(binary, false);
    const frame = JSON.parse(String(data));
    const next = waiting.shift();
    if (next) next(frame);
    else heard.push(frame);
  });
  /** @type {Promise<any[]>} */
  const closed = once(socket, "close");
  /** @returns {Promise<any>} */
  const hear = async () =>
    heard.length > 0
      ? heard.shift()
      : Promise.race([
          new Promise((resolve) => waiting.push(resolve)),
          closed.then(([code]) => assert.fail(`closed with ${code}`)),
        ]);
  return { socket, hear, closed };
}

/** Sends `text` in fragments cut anywhere, in its characters too. */
function sendCut(/** @type {WsSocket} */ socket, /** @type {string} */ text, /** @type {() => number} */ random) {
  const bytes = Buffer.from(text);
  const cut = Math.floor(random() * bytes.length);
  socket.send(bytes.subarray(0, cut), { binary: false, fin: false });
  socket.ping("between");
  socket.send(bytes.subarray(cut), { binary: false, fin: true });
}

for (const deflate of [true, false]) {
  const how = deflate ? "deflated" : "plain";
  const options = { perMessageDeflate: deflate && { threshold: 0 } };

  test(`ws is understood in every message, whole and in fragments, ${how}`, async () => {
    const random = chance(SEED);
    for (let connection = 0; connection < CONNECTIONS; connection += 1) {
      const { socket, hear, closed } = dial(options);
      assert.equal((await hear()).op, 0);
      assert.equal(socket.extensions, deflate ? "permessage-deflate" : "");
      sendCut(socket, AUTHENTICATE_BASIC, random);
      assert.equal((await hear()).op, 2);
      for (let sent = 3; sent + 3 < FRAMES; sent += 4) {
        const nonces = [someText(random, 12), someText(random, 16)];
        const texts = nonces.map((nonce) => JSON.stringify({ op: 6, cmd: "NO_SUCH", nonce, d: { pad: someText(random, 500) } }));
        const pong = once(socket, "pong");
        sendCut(socket, texts[0], random);
        socket.send(texts[1]);
        assert.equal((await hear()).nonce, nonces[0]);
        assert.equal((await hear()).nonce, nonces[1]);
        assert.equal(String((await pong)[0]), "between");
      }
      const code = [undefined, 1000, 3001][connection % 3];
      socket.close(code, code ? "bye ü" : undefined);
      assert.equal((await closed)[0], code ?? 1005);
    }
  });

  test(`ws understands every message, small and large, ${how}`, async () => {
    const { socket, hear } = dial(options);
    await hear();
    socket.send(JSON.stringify({ op: 1, d: { token: account.token, uid: account.uid } }));
    assert.equal((await hear()).op, 2);
    const texts = notes(deflate ? 1 : 2);
    await notify(texts);
    for (const note of texts) assert.equal((await hear()).d.note, note);
    const frames = cutter.frames();
    assert.equal(frames.deflated > 0, deflate);
    assert.ok(frames.plain > 0, "what is short is not deflated");
    socket.terminate();

    // All of them once more, in one message of more than 64 KiB.
    const again = dial(options);
    await again.hear();
    again.socket.send(JSON.stringify({ op: 1, d: { token: account.token, uid: account.uid } }));
    const missed = (await again.hear()).d.missed_notifications;
    assert.ok(Buffer.byteLength(JSON.stringify(missed)) > 65_536);
    assert.deepEqual(missed.map((/** @type {any} */ { note }) => note), texts);
    again.socket.terminate();
  });

  test(`ws hears every close code, ${how}`, async () => {
    for (const [what, text, code] of CLOSES) {
      const { socket, hear, closed } = dial(options);
      assert.equal((await hear()).op, 0);
      socket.send(text ?? Buffer.from("{}"));
      const [given, reason] = await closed;
      assert.equal(given, code, what);
      assert.ok(reason.length > 0, "it says why");
    }
  });
}

test("Chromium understands every message, small and large, and every close code", async () => {
  const page = await browser.newPage();
  const texts = notes(3);
  const first = cutter.said.length;
  await page.evaluate(
    ({ url, token, uid }) => {
      const heard = /** @type {any[]} */ ([]);
      const socket = new WebSocket(url);
      socket.onmessage = ({ data }) => {
        const frame = JSON.parse(data);
        if (frame.op === 0) socket.send(JSON.stringify({ op: 1, d: { token, uid }, pad: "ß😀".repeat(300) }));
        heard.push(frame);
      };
      Object.assign(globalThis, { heard, socket });
    },
    { url: cutter.gateway, token: account.token, uid: account.uid },
  );
  await page.waitForFunction(() => /** @type {any} */ (globalThis).heard.length === 2);
  const agreed = await page.evaluate(() => /** @type {any} */ (globalThis).socket.extensions);
  assert.equal(agreed, "permessage-deflate; server_no_context_takeover; client_no_context_takeover");
  await notify(texts);
  await page.waitForFunction((count) => /** @type {any} */ (globalThis).heard.length === count, 2 + texts.length);
  const heard = await page.evaluate(() => /** @type {any} */ (globalThis).heard);
  assert.deepEqual(heard.slice(2).map((/** @type {any} */ { d }) => d.note), texts);
  const frames = cutter.frames(first);
  assert.ok(frames.deflated > 0 && frames.plain > 0);

  // All of them once more, in one message of more than 64 KiB.
  const missed = await page.evaluate(
    ({ url, token, uid }) =>
      new Promise((resolve, reject) => {
        const socket = new WebSocket(url);
        socket.onclose = ({ code }) => reject(new Error(`closed with ${code}`));
        socket.onmessage = ({ data }) => {
          const frame = JSON.parse(data);
          if (frame.op === 0) socket.send(JSON.stringify({ op: 1, d: { token, uid } }));
          if (frame.op === 2) resolve(frame.d.missed_notifications);
        };
      }),
    { url: cutter.gateway, token: account.token, uid: account.uid },
  );
  assert.ok(Buffer.byteLength(JSON.stringify(missed)) > 65_536);
  assert.deepEqual(missed.map((/** @type {any} */ { note }) => note), texts);

  const closes = await page.evaluate(
    ({ url, closes }) =>
      Promise.all(
        closes.map(
          ([, text]) =>
            new Promise((resolve) => {
              const socket = new WebSocket(url);
              socket.onmessage = () => socket.send(text ?? new Uint8Array([1]));
              socket.onclose = ({ code, wasClean, reason }) => resolve([code, wasClean, reason !== ""]);
            }),
        ),
      ),
    { url: cutter.gateway, closes: CLOSES },
  );
  assert.deepEqual(closes, CLOSES.map(([, , code]) => [code, true, true]));

  const own = await page.evaluate(
    (url) =>
      Promise.all(
        [[1000], [3001, "bye ü"], []].map(
          (close) =>
            new Promise((resolve) => {
              const socket = new WebSocket(url);
              socket.onmessage = () => socket.close(.../** @type {[]} */ (close));
              socket.onclose = ({ code, wasClean }) => resolve([code, wasClean]);
            }),
        ),
      ),
    cutter.gateway,
  );
  assert.deepEqual(own, [[1000, true], [3001, true], [1005, true]]);
  await page.close();
});
