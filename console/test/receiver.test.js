// @ts-check
/**
 * The edge's decoder beside that of `ws`: the streams of `testdata/websocket/streams.json` and
 * the fuzzer's corpus, whose readings by the edge's decoder its own tests hold.
 */
import assert from "node:assert/strict";
import { readFile } from "node:fs/promises";
import { test } from "node:test";

import * as ws from "ws";

const ROOT = new URL("../../", import.meta.url);
const MESSAGE_BYTES_MAX = 4096;
/** The streams with a block after one that is marked last: "Hello" and "Hello". */
const AFTER_LAST = ["deflated, a block after one marked last", "deflated-after-last"];

/** The parts of `ws` that it exports without types. */
const { Receiver, PerMessageDeflate } = /** @type {any} */ (ws);

/**
 * @typedef {"pong" | { text?: string, ping?: string, binary?: string }} Said
 * @typedef {"open" | { closed?: number | null, refused?: string }} End
 * @typedef {{ name: string, deflate: boolean, bytes: Buffer, said: Said[], end: End }} Stream
 */

/** @returns {Promise<Stream[]>} */
async function streams() {
  const file = JSON.parse(await readFile(new URL("testdata/websocket/streams.json", ROOT), "utf8"));
  const written = file.streams.map((/** @type {any} */ stream) => ({
    ...stream,
    bytes: Buffer.from(stream.bytes, "hex"),
  }));
  const corpus = await Promise.all(
    file.corpus.map(async (/** @type {any} */ stream) => {
      const bytes = await readFile(new URL(`fuzz/corpus/edge_codec/${stream.name}`, ROOT));
      return { ...stream, deflate: bytes[1] % 2 === 1, bytes: bytes.subarray(2) };
    }),
  );
  return [...written, ...corpus];
}

/**
 * What `ws` makes of it, in pieces of `piece` bytes.
 * @param {Stream} stream
 * @param {number} piece
 * @returns {Promise<{ said: Said[], end: End }>}
 */
async function read({ bytes, deflate }, piece) {
  const extensions = {};
  if (deflate) {
    const agreed = new PerMessageDeflate({ isServer: true, maxPayload: MESSAGE_BYTES_MAX });
    agreed.accept([{ client_no_context_takeover: [true], server_no_context_takeover: [true] }]);
    Object.assign(extensions, { "permessage-deflate": agreed });
  }
  const receiver = new Receiver({ isServer: true, maxPayload: MESSAGE_BYTES_MAX, extensions });
  /** @type {Said[]} */
  const said = [];
  /** @type {End} */
  let end = "open";
  receiver.on("message", (/** @type {Buffer} */ data, /** @type {boolean} */ binary) =>
    said.push(binary ? { binary: data.toString("hex") } : { text: data.toString() }),
  );
  receiver.on("ping", (/** @type {Buffer} */ data) => said.push({ ping: data.toString("hex") }));
  receiver.on("pong", () => said.push("pong"));
  receiver.on("conclude", (/** @type {number} */ code) => (end = { closed: code === 1005 ? null : code }));
  receiver.on("error", () => {});
  for (let at = 0; at < bytes.length && end === "open"; at += piece) {
    // Copied, since it is unmasked in place.
    const part = Buffer.from(bytes.subarray(at, at + piece));
    const error = await new Promise((resolve) => receiver.write(part, resolve));
    if (error) end = { refused: refusal(error) };
  }
  return { said, end };
}

/** @param {any} error */
function refusal(error) {
  const code = error[Object.getOwnPropertySymbols(error).find((key) => String(key).includes("status-code")) ?? ""];
  if (!error.code?.startsWith("WS_ERR")) return "inflate";
  return { 1002: "frames", 1007: "utf8", 1009: "size" }[/** @type {1002} */ (code)] ?? `${code}`;
}

/**
 * What is allowed to differ; null if nothing does that may not.
 * @param {Stream} ours
 * @param {{ said: Said[], end: End }} theirs
 */
function fault(ours, theirs) {
  const same = JSON.stringify(ours.said) === JSON.stringify(theirs.said);
  const begins = (/** @type {Said[]} */ whole, /** @type {Said[]} */ start) =>
    JSON.stringify(whole.slice(0, start.length)) === JSON.stringify(start);
  const refused = (/** @type {End} */ end) => (typeof end === "object" ? end.refused : undefined);
  const [we, they] = [refused(ours.end), refused(theirs.end)];
  if (same && JSON.stringify(ours.end) === JSON.stringify(theirs.end)) return null;
  // Stricter by the wire protocol: there are no binary messages.
  if (we === "binary" && begins(theirs.said, ours.said)) return null;
  const { longForm, cut } = walk(ours.bytes);
  // RFC 6455, 5.2: the shortest form of a length "MUST" be used; ws takes any.
  if (we === "frames" && longForm && begins(theirs.said, ours.said)) return null;
  // We see bad UTF-8 as soon as it is there, ws when the message is whole: until then it hears
  // of control frames, or of another fault.
  if (we === "utf8" && begins(theirs.said, ours.said)) {
    const more = theirs.said.slice(ours.said.length);
    if (more.every((said) => said === "pong" || said.ping !== undefined)) return null;
  }
  // A close frame's reason that is not UTF-8: RFC 6455 names no code.
  if (same && we === "frames" && they === "utf8") return null;
  // A header that lacks its end: ws judges it by what is there, we wait for the whole of it.
  if (same && ours.end === "open" && cut && (they === "size" || they === "frames")) return null;
  // What cannot be inflated to its end, ws judges by what came out before.
  if (same && ours.deflate && we === "inflate" && they === "utf8") return null;
  // RFC 7692, 7.2.1, lets blocks follow one that is marked last; ws leaves them out.
  if (AFTER_LAST.includes(ours.name)) {
    assert.deepEqual([ours.said, theirs.said], [[{ text: "HelloHello" }], [{ text: "Hello" }]]);
    return null;
  }
  // ws inflates fragments as they come, we the whole message.
  if (ours.deflate && (they === "inflate" || they === "size") && begins(ours.said, theirs.said)) {
    if (we === "inflate" || we === "size" || ours.end === "open") return null;
  }
  return `${ours.name}\n  ours   ${JSON.stringify([ours.said, ours.end])}\n  theirs ${JSON.stringify([theirs.said, theirs.end])}`;
}

/**
 * Whether a frame says its length in more bytes than it needs, and whether the last is cut off.
 * @param {Buffer} bytes
 */
function walk(bytes) {
  let longForm = false;
  let at = 0;
  while (at + 2 <= bytes.length) {
    const [short, key] = [bytes[at + 1] & 0x7f, bytes[at + 1] & 0x80 ? 4 : 0];
    let [length, header] = [short, 2];
    if (short === 126 && at + 4 <= bytes.length) {
      [length, header] = [bytes.readUInt16BE(at + 2), 4];
      longForm ||= length < 126;
    } else if (short === 127 && at + 10 <= bytes.length) {
      [length, header] = [Number(bytes.readBigUInt64BE(at + 2)), 10];
      longForm ||= length < 65_536;
    }
    at += header + key + length;
  }
  return { longForm, cut: at !== bytes.length };
}

test("ws reads every stream as the edge does, but where a rule says otherwise", async () => {
  const faults = [];
  const all = await streams();
  assert.ok(all.length > 150);
  for (const stream of all) {
    for (const piece of [Infinity, 1, 7]) {
      const found = fault(stream, await read(stream, piece));
      if (found) faults.push(`in pieces of ${piece}: ${found}`);
    }
  }
  assert.equal(faults.join("\n"), "");
});
