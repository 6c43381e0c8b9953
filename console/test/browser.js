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

/**
 * A page with one account signed in and live, and what goes wrong in it.
 * @param {import("playwright-core").Browser} browser
 * @param {Demo} demo
 * @param {string} uid
 */
export async function signIn(browser, demo, uid) {
  const page = await browser.newPage({ viewport: { width: 1280, height: 900 } });
  /** @type {string[]} */
  const faults = [];
  page.on("pageerror", (error) => faults.push(String(error)));
  page.on("console", (message) => message.type() === "error" && faults.push(message.text()));
  await page.goto(demo.url);
  await page.selectOption("#account", uid);
  await page.click('#who button[type="submit"]');
  await page.waitForSelector('#link[data-state="live"]');
  await page.waitForFunction(() => /^\d+$/.test(document.querySelector("#count")?.textContent ?? ""));
  return { page, faults };
}
