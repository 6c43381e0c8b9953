// @ts-check
/** The real binary's demo, started for a test and stopped after it. */
import { spawn } from "node:child_process";
import { once } from "node:events";
import { mkdtemp, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { fileURLToPath } from "node:url";

const ROOT = fileURLToPath(new URL("../..", import.meta.url));
const BINARY = process.env.TESTED_BINARY ?? join(ROOT, "target/debug/guildgate");
/** What the demo prints, and the page is given. */
export const ADMIN_KEY = "an admin key for this test alone";
const READY_WITHIN_MS = 60_000;
/** Where both listen, as the greeting says. */
const GATEWAY = /http:\/\/([\d.]+:\d+)\//;
const SIMULATOR = /Discord: http:\/\/([\d.]+:\d+)\//;

/** That what is waited for cannot come any more. */
class Hopeless extends Error {}

/**
 * Asks `probe` again and again until it gives something, or says that it is hopeless.
 * @template T
 * @param {string} what
 * @param {() => Promise<T | null | undefined | false>} probe
 * @returns {Promise<T>}
 */
export async function until(what, probe, withinMs = 15_000) {
  const end = Date.now() + withinMs;
  for (;;) {
    const found = await probe().catch((error) => {
      if (error instanceof Hopeless) throw error;
      return null;
    });
    if (found) return found;
    if (Date.now() > end) throw new Error(`${what} did not come to be within ${withinMs} ms`);
    await new Promise((resolve) => setTimeout(resolve, 25));
  }
}

export class Demo {
  /** @type {import("node:child_process").ChildProcess} */ #process;
  #log = "";
  #greeting = "";
  // Any free port at first; the same again after a restart.
  #listen = "127.0.0.1:0";
  #simulator = "127.0.0.1:0";

  /**
   * @param {string} data
   * @param {Record<string, string>} settings
   */
  constructor(data, settings) {
    this.data = data;
    this.settings = settings;
    this.#process = this.#spawn();
  }

  /**
   * A still world on free ports, with its data in a folder of its own.
   * @param {Record<string, string>} [settings] configuration, as variables
   */
  static async start(settings = {}) {
    const demo = new Demo(await mkdtemp(join(tmpdir(), "guildgate-test-")), settings);
    await demo.#ready();
    return demo;
  }

  async restart() {
    this.#process = this.#spawn();
    await this.#ready();
  }

  get url() {
    return `http://${this.#listen}`;
  }

  get simulator() {
    return `http://${this.#simulator}/api/v10`;
  }

  #spawn() {
    const args = ["demo", "--still", "--data", this.data];
    args.push("--listen", this.#listen, "--simulator", this.#simulator);
    const env = { ...process.env, GUILDGATE_ADMIN_KEY: ADMIN_KEY, ...this.settings };
    const child = spawn(BINARY, args, { env, stdio: ["ignore", "pipe", "pipe"] });
    this.#greeting = "";
    child.stdout.on("data", (chunk) => (this.#greeting += chunk));
    for (const stream of [child.stdout, child.stderr]) {
      stream.on("data", (chunk) => (this.#log += chunk));
    }
    child.on("error", (error) => (this.#log += error));
    return child;
  }

  /** Waits until it has greeted and answers. One that does not come up is stopped, since the test would wait for its end. */
  async #ready() {
    try {
      await until("a ready gateway", () => this.#isReady(), READY_WITHIN_MS);
    } catch (error) {
      await this.stop();
      throw new Error(`${/** @type {Error} */ (error).message}\n${this.#log}`);
    }
  }

  async #isReady() {
    if (this.#ended()) throw new Hopeless("the gateway has ended");
    const gateway = GATEWAY.exec(this.#greeting)?.[1];
    const simulator = SIMULATOR.exec(this.#greeting)?.[1];
    if (!gateway || !simulator) return false;
    [this.#listen, this.#simulator] = [gateway, simulator];
    return (await fetch(`${this.url}/readyz`, { signal: AbortSignal.timeout(READY_WITHIN_MS) })).ok;
  }

  #ended() {
    const { pid, exitCode, signalCode } = this.#process;
    return pid === undefined || exitCode !== null || signalCode !== null;
  }

  /** What the page is offered. */
  async offer() {
    return (await fetch(`${this.url}/demo.json`)).json();
  }

  /**
   * Calls Discord's REST, as played by the simulator.
   * @param {string} method
   * @param {string} path
   * @param {unknown} [body]
   */
  discord(method, path, body) {
    return call(method, this.simulator + path, "Bot simulator", body);
  }

  /**
   * Calls the gateway's own HTTP API.
   * @param {string} method
   * @param {string} path
   * @param {unknown} [body]
   */
  api(method, path, body) {
    return call(method, `${this.url}/api/v1${path}`, `Bearer ${ADMIN_KEY}`, body);
  }

  /** @param {NodeJS.Signals} signal */
  async kill(signal = "SIGKILL") {
    if (this.#ended()) return;
    const exit = once(this.#process, "exit");
    this.#process.kill(signal);
    await exit;
  }

  async stop() {
    await this.kill();
    await rm(this.data, { recursive: true, force: true });
  }
}

/**
 * @param {string} method
 * @param {string} url
 * @param {string} authorization
 * @param {unknown} body
 */
async function call(method, url, authorization, body) {
  const answer = await fetch(url, {
    method,
    headers: { authorization, "content-type": "application/json" },
    body: body === undefined ? undefined : JSON.stringify(body),
  });
  const text = await answer.text();
  if (!answer.ok) throw new Error(`${method} ${url}: ${answer.status} ${text}`);
  return text ? JSON.parse(text) : null;
}
