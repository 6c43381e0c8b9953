// @ts-check
/** The real binary's demo, started for a test and stopped after it. */
import { spawn } from "node:child_process";
import { once } from "node:events";
import { mkdtemp, rm } from "node:fs/promises";
import { createServer } from "node:net";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { fileURLToPath } from "node:url";

const ROOT = fileURLToPath(new URL("../..", import.meta.url));
const BINARY = process.env.TESTED_BINARY ?? join(ROOT, "target/debug/guildgate");
const ADMIN_KEY = "an admin key for this test alone";
const READY_WITHIN_MS = 60_000;

/** A port that was free a moment ago. */
async function freePort() {
  const server = createServer().listen(0, "127.0.0.1");
  await once(server, "listening");
  const { port } = /** @type {import("node:net").AddressInfo} */ (server.address());
  server.close();
  await once(server, "close");
  return port;
}

/**
 * Asks `probe` again and again until it gives something.
 * @template T
 * @param {string} what
 * @param {() => Promise<T | null | undefined | false>} probe
 * @returns {Promise<T>}
 */
export async function until(what, probe, withinMs = 15_000) {
  const end = Date.now() + withinMs;
  for (;;) {
    const found = await probe().catch(() => null);
    if (found) return found;
    if (Date.now() > end) throw new Error(`${what} did not come to be within ${withinMs} ms`);
    await new Promise((resolve) => setTimeout(resolve, 25));
  }
}

export class Demo {
  /** @type {import("node:child_process").ChildProcess} */ #process;
  #log = "";

  /**
   * @param {string} data
   * @param {number} port
   * @param {number} simulatorPort
   * @param {Record<string, string>} settings
   */
  constructor(data, port, simulatorPort, settings) {
    this.data = data;
    this.settings = settings;
    this.url = `http://127.0.0.1:${port}`;
    this.simulator = `http://127.0.0.1:${simulatorPort}/api/v10`;
    this.#process = this.#spawn(port, simulatorPort);
    this.restart = async () => {
      this.#process = this.#spawn(port, simulatorPort);
      await this.ready();
    };
  }

  /**
   * A still world on free ports, with its data in a folder of its own.
   * @param {Record<string, string>} [settings] configuration, as variables
   */
  static async start(settings = {}) {
    const data = await mkdtemp(join(tmpdir(), "guildgate-test-"));
    const demo = new Demo(data, await freePort(), await freePort(), settings);
    await demo.ready();
    return demo;
  }

  /**
   * @param {number} port
   * @param {number} simulatorPort
   */
  #spawn(port, simulatorPort) {
    const args = ["demo", "--still", "--data", this.data];
    args.push("--listen", `127.0.0.1:${port}`, "--simulator", `127.0.0.1:${simulatorPort}`);
    const env = { ...process.env, GUILDGATE_ADMIN_KEY: ADMIN_KEY, ...this.settings };
    const child = spawn(BINARY, args, { env, stdio: ["ignore", "pipe", "pipe"] });
    for (const stream of [child.stdout, child.stderr]) {
      stream?.on("data", (chunk) => (this.#log += chunk));
    }
    return child;
  }

  async ready() {
    await until(
      "a ready gateway",
      async () => {
        if (this.#process.exitCode !== null) throw new Error("it ended");
        return (await fetch(`${this.url}/readyz`)).ok;
      },
      READY_WITHIN_MS,
    ).catch((error) => {
      throw new Error(`${error.message}\n${this.#log}`);
    });
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
    if (this.#process.exitCode !== null || this.#process.signalCode !== null) return;
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
