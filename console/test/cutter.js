// @ts-check
/** A relay that cuts what it passes on anywhere, by a seed, and remembers what the server said. */
import { once } from "node:events";
import { connect, createServer } from "node:net";

/**
 * Numbers from 0 to 1, the same for the same seed.
 * @param {number} seed
 */
export function chance(seed) {
  let state = seed >>> 0;
  return () => {
    state = (state + 0x6d2b79f5) >>> 0;
    let mixed = Math.imul(state ^ (state >>> 15), state | 1);
    mixed ^= mixed + Math.imul(mixed ^ (mixed >>> 7), mixed | 61);
    return ((mixed ^ (mixed >>> 14)) >>> 0) / 2 ** 32;
  };
}

/**
 * Text of characters of one to four bytes.
 * @param {() => number} random
 * @param {number} characters
 */
export function someText(random, characters) {
  const alphabet = [..."abc {}\"\\:ßéЖ中文✓😀🦀"];
  return Array.from({ length: characters }, () => alphabet[Math.floor(random() * alphabet.length)]).join("");
}

export class Cutter {
  /** @type {import("node:net").Server} */ #server;
  #random;
  /** What the server said, one entry a connection. @type {Buffer[][]} */
  said = [];

  /**
   * @param {string} url an HTTP address to relay to
   * @param {number} seed
   */
  constructor(url, seed) {
    const { hostname, port } = new URL(url);
    this.#random = chance(seed);
    this.#server = createServer((near) => {
      const far = connect(Number(port), hostname);
      /** @type {Buffer[]} */
      const said = [];
      this.said.push(said);
      far.on("data", (bytes) => said.push(bytes));
      for (const socket of [near, far]) {
        socket.setNoDelay(true);
        // A socket that is reset has ended, and so must the other.
        socket.on("error", () => {});
      }
      this.#relay(near, far);
      this.#relay(far, near);
    });
  }

  /**
   * @param {string} url
   * @param {number} seed
   */
  static async start(url, seed) {
    const cutter = new Cutter(url, seed);
    cutter.#server.listen(0, "127.0.0.1");
    await once(cutter.#server, "listening");
    return cutter;
  }

  /** Where to dial it. */
  get gateway() {
    const { port } = /** @type {import("node:net").AddressInfo} */ (this.#server.address());
    return `ws://127.0.0.1:${port}/gateway`;
  }

  /**
   * @param {import("node:net").Socket} from
   * @param {import("node:net").Socket} to
   */
  async #relay(from, to) {
    try {
      for await (const bytes of from) {
        // Many small pieces first, where the headers are; then larger ones.
        for (let at = 0, cuts = 0; at < bytes.length; cuts += 1) {
          const length = 1 + Math.floor(this.#random() * (cuts < 40 ? 8 : 4_000));
          await new Promise((resolve) => to.write(bytes.subarray(at, at + length), resolve));
          at += length;
        }
      }
    } catch {
      // The one end was reset; the other is told below.
    }
    to.end();
  }

  /** How many frames of connection `index` the server sent deflated, and how many plain. */
  frames(index = this.said.length - 1) {
    const bytes = Buffer.concat(this.said[index]);
    const count = { deflated: 0, plain: 0 };
    for (let at = bytes.indexOf("\r\n\r\n") + 4; at + 2 <= bytes.length; ) {
      count[bytes[at] & 0x40 ? "deflated" : "plain"] += 1;
      const short = bytes[at + 1];
      if (short === 126) at += 4 + bytes.readUInt16BE(at + 2);
      else if (short === 127) at += 10 + Number(bytes.readBigUInt64BE(at + 2));
      else at += 2 + short;
    }
    return count;
  }

  stop() {
    this.#server.close();
  }
}
