// @ts-check
/** A real browser, and people signed in on the page. */
import { chromium } from "playwright-core";

/** @typedef {import("./demo.js").Demo} Demo */

/** Debian's Chromium, kept from looking for hosts of its own. */
export function launch() {
  return chromium.launch({
    executablePath: process.env.CHROMIUM ?? "/usr/bin/chromium",
    args: [
      "--no-sandbox",
      "--disable-gpu",
      "--disable-quic",
      "--no-first-run",
      "--disable-background-networking",
      "--disable-component-update",
      "--disable-sync",
    ],
  });
}

/** How long a page may take to come to a state, on the slowest machine. */
const WITHIN_MS = 90_000;

/** @param {import("playwright-core").Browser} browser */
export async function newPage(browser) {
  const page = await browser.newPage({ viewport: { width: 1280, height: 900 } });
  page.setDefaultTimeout(WITHIN_MS);
  return page;
}

/**
 * Lets answers to commands be lost with the line: what is named in the returned set is, once.
 * @param {import("playwright-core").Page} page
 */
export async function losingAnswers(page) {
  /** @type {Set<string>} */
  const lost = new Set();
  await page.routeWebSocket(/\/gateway$/, (socket) => {
    const server = socket.connectToServer();
    server.onMessage((message) => {
      const { op, d } = JSON.parse(String(message));
      if (op !== 7 || !lost.delete(d.for)) return socket.send(message);
      server.close({ code: 4999 });
      socket.close({ code: 4999, reason: "an answer was lost" });
    });
  });
  return lost;
}

/**
 * A line that what the server says can be held back on, as on one that is slow.
 * @param {import("playwright-core").Page} page
 */
export async function slowLine(page) {
  let isHeld = false;
  /** @type {(() => void)[]} */
  let waiting = [];
  await page.routeWebSocket(/\/gateway$/, (socket) => {
    socket.connectToServer().onMessage((message) => {
      if (isHeld) waiting.push(() => socket.send(message));
      else socket.send(message);
    });
  });
  return {
    hold: () => void (isHeld = true),
    release() {
      isHeld = false;
      for (const send of waiting.splice(0)) send();
    },
  };
}

/**
 * Waits until what matches `selector` has this value.
 * @param {import("playwright-core").Page} page
 * @param {string} selector
 * @param {string} value
 */
export const hasValue = (page, selector, value) =>
  page.waitForFunction(([at, want]) => /** @type {any} */ (document.querySelector(at))?.value === want, [selector, value]);

/**
 * Waits until what matches `selector` says this, among other things.
 * @param {import("playwright-core").Page} page
 * @param {string} selector
 * @param {string} words
 */
export const says = (page, selector, words) =>
  page.waitForFunction(([at, want]) => document.querySelector(at)?.textContent?.includes(want), [selector, words]);

/**
 * A page with one account signed in and live, and what goes wrong in it.
 * @param {import("playwright-core").Browser} browser
 * @param {Demo} demo
 * @param {string} uid
 * @param {(page: import("playwright-core").Page) => Promise<void>} [prepare] before the page is opened
 */
export async function signIn(browser, demo, uid, prepare) {
  const page = await newPage(browser);
  /** @type {string[]} */
  const faults = [];
  page.on("pageerror", (error) => faults.push(String(error)));
  page.on("console", (message) => message.type() === "error" && faults.push(message.text()));
  await prepare?.(page);
  await page.goto(demo.url);
  await page.selectOption("#account", uid);
  await page.click('#who button[type="submit"]');
  await page.waitForSelector('#link[data-state="live"]');
  await page.waitForFunction(() => /^\d+$/.test(document.querySelector("#count")?.textContent ?? ""));
  return { page, faults };
}
