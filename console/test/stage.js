// @ts-check
/** What the tests of the page play on. */
import { launch } from "./browser.js";
import { Demo } from "./demo.js";

/**
 * The demo, a browser, the demo's first guild, and its people by their names.
 * @returns {Promise<{
 *   demo: Demo,
 *   browser: import("playwright-core").Browser,
 *   guild: string,
 *   people: Record<string, { uid: string }>,
 * }>}
 */
export async function open() {
  const demo = await Demo.start();
  const browser = await launch().catch(async (error) => {
    await demo.stop();
    throw error;
  });
  const offer = await demo.offer();
  const people = Object.fromEntries(offer.accounts.map((/** @type {any} */ account) => [account.tag, account]));
  return { demo, browser, guild: offer.guilds[0].id, people };
}

/**
 * Puts away what {@link open} made, as far as it came.
 * @param {import("playwright-core").Browser | undefined} browser
 * @param {Demo | undefined} demo
 */
export async function close(browser, demo) {
  await browser?.close();
  await demo?.stop();
}
