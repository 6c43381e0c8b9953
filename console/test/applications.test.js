// @ts-check
/** A staff application from form to acceptance, in real browsers side by side. */
import assert from "node:assert/strict";
import { after, before, test } from "node:test";

import { losingAnswers, signIn } from "./browser.js";
import { until } from "./demo.js";
import { close, open } from "./stage.js";

/** @type {import("./demo.js").Demo} */ let demo;
/** @type {import("playwright-core").Browser} */ let browser;
/** @type {Record<string, { uid: string }>} */ let people;
/** @type {string} */ let guild;

before(async () => {
  ({ demo, browser, guild, people } = await open());
});

after(() => close(browser, demo));

/** @param {string} name */
const as = (name) => signIn(browser, demo, people[name].uid);

/** @param {import("playwright-core").Page} page */
async function beginEditing(page) {
  await page.click("#edit");
  await page.waitForSelector('#sheet [data-key="add-section"]');
}

test("what one manager types, the other sees", async () => {
  const [mia, max] = await Promise.all([as("mia"), as("max")]);
  await beginEditing(mia.page);
  await beginEditing(max.page);
  await mia.page.waitForFunction(() => document.querySelector("#editor-state")?.textContent?.includes("max"));

  const sections = await mia.page.locator("#sheet > fieldset").count();
  await mia.page.click('[data-key="add-section"]');
  await mia.page.waitForFunction((had) => document.querySelectorAll("#sheet > fieldset").length === had + 1, sections);
  const title = `[data-path="/sections/${sections}/title"]`;
  await mia.page.fill(title, "About you");
  await max.page.waitForFunction((at) => /** @type {any} */ (document.querySelector(at))?.value === "About you", title);

  await max.page.click(`#sheet > fieldset:nth-of-type(${sections + 1}) > .row > button:first-child`);
  const question = `[data-path="/sections/${sections}/fields/0/title"]`;
  await max.page.waitForSelector(question);
  await max.page.fill(question, "Why you?");
  await mia.page.waitForFunction((at) => /** @type {any} */ (document.querySelector(at))?.value === "Why you?", question);
  await mia.page.selectOption('[data-path="/status"]', "1");
  await max.page.waitForFunction(() => /** @type {any} */ (document.querySelector('[data-path="/status"]'))?.value === "1");

  if (process.env.EDITOR_PICTURE) await mia.page.screenshot({ path: process.env.EDITOR_PICTURE, fullPage: true, animations: "disabled" });
  assert.deepEqual([...mia.faults, ...max.faults], []);
  await mia.page.close();
  await max.page.close();
});

test("what is typed as the line drops is kept, and both managers end on the same form", async () => {
  const [mia, max] = await Promise.all([as("mia"), as("max")]);
  await beginEditing(mia.page);
  await beginEditing(max.page);
  const sections = await mia.page.locator("#sheet > fieldset").count();
  await mia.page.click('[data-key="add-section"]');
  const title = `[data-path="/sections/${sections}/title"]`;
  const description = `[data-path="/sections/${sections}/description"]`;
  await Promise.all([mia.page.waitForSelector(title), max.page.waitForSelector(title)]);
  for (let round = 0; round < 3; round++) {
    // Patches are under way when the line goes, and others come while it is down.
    await mia.page.locator(title).fill("");
    await Promise.all([
      mia.page.locator(title).pressSequentially(`Typed through drop ${round}`),
      mia.page.evaluate(() => /** @type {HTMLElement} */ (document.querySelector("#drop")).click()),
      max.page.locator(description).fill(`Meanwhile ${round}`),
    ]);
    for (const page of [mia.page, max.page]) {
      await page.waitForFunction(
        ([at, want, other, said]) =>
          /** @type {any} */ (document.querySelector(at))?.value === want &&
          /** @type {any} */ (document.querySelector(other))?.value === said,
        [title, `Typed through drop ${round}`, description, `Meanwhile ${round}`],
      );
    }
  }
  const { document: kept } = await demo.api("GET", `/guilds/${guild}/form`);
  assert.deepEqual([kept.sections[sections].title, kept.sections[sections].description], ["Typed through drop 2", "Meanwhile 2"]);
  assert.deepEqual([...mia.faults, ...max.faults], []);
  await mia.page.close();
  await max.page.close();
});

test("a start and a patch whose answers are lost with the line are taken once, and the document stays in step", async () => {
  /** @type {Set<string>} */
  let lost = new Set();
  const mia = await signIn(browser, demo, people.mia.uid, async (page) => void (lost = await losingAnswers(page)));
  const max = await as("max");
  await beginEditing(max.page);
  const sections = await max.page.locator("#sheet > fieldset").count();
  lost.add("APPLICATION_SESSION");
  await beginEditing(mia.page);
  assert.equal(lost.size, 0, "the answer was lost");
  lost.add("APPLICATION_SESSION_PATCH");
  await mia.page.click('[data-key="add-section"]');
  for (const page of [max.page, mia.page]) {
    await page.waitForFunction((want) => document.querySelectorAll("#sheet > fieldset").length === want, sections + 1);
  }
  assert.equal(lost.size, 0, "the answer was lost");
  const title = `[data-path="/sections/${sections}/title"]`;
  await max.page.fill(title, "By the other");
  await mia.page.waitForFunction((at) => /** @type {any} */ (document.querySelector(at))?.value === "By the other", title);
  const { document: kept } = await demo.api("GET", `/guilds/${guild}/form`);
  assert.equal(kept.sections.length, sections + 1, "added once");
  assert.deepEqual([...mia.faults, ...max.faults], []);
  await mia.page.close();
  await max.page.close();
});

test("an editor goes on by itself where its session is lost with the server", async () => {
  const { page } = await as("mia");
  await beginEditing(page);
  await page.click('[data-key="add-section"]');
  const sections = await page.locator("#sheet > fieldset").count();
  const title = `[data-path="/sections/${sections - 1}/title"]`;
  await demo.kill("SIGKILL");
  await page.waitForSelector('#link[data-state="waiting"]');
  await page.fill(title, "Typed while the server was away");
  await demo.restart();
  await until("the change in the form", async () => {
    const { document } = await demo.api("GET", `/guilds/${guild}/form`);
    return document.sections[sections - 1].title === "Typed while the server was away";
  }, 90_000);
  await page.waitForFunction(() => document.querySelector("#editor-state")?.textContent?.startsWith("version"));
  await page.close();
});

test("a manager who loses the role is put out of the editor", async () => {
  const { page } = await as("mia");
  await beginEditing(page);
  const { roles } = await demo.discord("GET", `/guilds/${guild}/members/${people.mia.uid}`);
  for (const role of roles) {
    await demo.discord("DELETE", `/guilds/${guild}/members/${people.mia.uid}/roles/${role}`);
  }
  await page.waitForFunction(() => document.querySelector("#editor-state")?.textContent === "the session is over: forbidden");
  assert.equal(await page.locator("#sheet > *").count(), 0);
  for (const role of roles) {
    await demo.discord("PUT", `/guilds/${guild}/members/${people.mia.uid}/roles/${role}`);
  }
  await page.close();
});

test("an application is filled in, submitted, accepted, and the applicant hears of it at once", async () => {
  const [mia, ada] = await Promise.all([as("mia"), as("ada")]);
  await ada.page.click("#fill-in");
  await ada.page.waitForSelector("#submit");
  for (const field of await ada.page.locator("#answers input:not([type=checkbox]), #answers textarea").all()) {
    await field.fill("Because I am here every day.");
  }
  for (const field of await ada.page.locator("#answers select").all()) await field.selectOption({ index: 1 });
  for (const group of await ada.page.locator("#answers fieldset").all()) await group.locator("input").first().check();
  await ada.page.click("#submit");
  await ada.page.waitForFunction(() => document.querySelector("#apply-state")?.textContent?.startsWith("submitted"));

  const row = mia.page.locator("#submitted li");
  await row.waitFor();
  await row.locator("input").fill("Welcome to the team");
  await row.locator('[data-decision="0"]').click();
  await ada.page.waitForSelector("#inbox li[data-id]");
  assert.match((await ada.page.textContent("#inbox")) ?? "", /accepted: “Welcome to the team”/);

  assert.equal(await row.locator(".badge").textContent(), "accepted");
  assert.equal(await row.locator("button").count(), 0, "nothing is left to decide");
  assert.deepEqual([...mia.faults, ...ada.faults], []);
  await mia.page.close();
  await ada.page.close();
});
