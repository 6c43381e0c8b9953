// @ts-check
/** Managers who come later: what waits, with its answers, and what a site's back end would show them. */
import assert from "node:assert/strict";
import { after, before, test } from "node:test";

import { says, signIn } from "./browser.js";
import { ADMIN_KEY, until } from "./demo.js";
import { close, open } from "./stage.js";

/** @type {import("./demo.js").Demo} */ let demo;
/** @type {import("playwright-core").Browser} */ let browser;
/** @type {Record<string, { uid: string }>} */ let people;
/** @type {string} */ let guild;

const ROLE_NEWCOMER = "1190000000000000106";

before(async () => {
  ({ demo, browser, guild, people } = await open());
});

after(() => close(browser, demo));

/** @param {string} name */
const as = (name) => signIn(browser, demo, people[name].uid);

/** @param {any} more */
const publish = (more) => {
  const fields = [{ id: "why", title: "Why you?", type: 1, length: [0, 100], required: true }];
  const document = { status: 1, sections: [{ title: "You", fields }], ...more };
  return demo.api("PUT", `/guilds/${guild}/form?actor=${people.olga.uid}`, document);
};

/** Submits as somebody, who goes away again. @param {string} name @param {string} why */
async function apply(name, why) {
  const { page } = await as(name);
  await page.click("#fill-in");
  await page.fill('[data-field="why"]', why);
  await page.click("#submit");
  await says(page, "#apply-state", "submitted");
  await page.close();
}

/** A manager who has given the page the admin key. @param {string} name */
async function reviewing(name) {
  const manager = await as(name);
  await manager.page.fill("#admin-key", ADMIN_KEY);
  await manager.page.getByRole("button", { name: "Show applications" }).click();
  await manager.page.waitForSelector("#records > details");
  return manager;
}

test("a manager who connects later reviews what waits, and a second one is told that it was too late", async () => {
  await publish({});
  await apply("ada", "I read every log\nline by line.");
  const [mia, max] = [await reviewing("mia"), await reviewing("max")];
  assert.ok(await mia.page.isHidden("#unlock"), "the key is asked for once, and not shown again");
  const [row, same] = [mia, max].map(({ page }) => page.locator("#submitted li"));
  assert.equal(await row.locator("dt").textContent(), "Why you?");
  assert.equal(await row.locator("dd").textContent(), "I read every log\nline by line.");
  assert.equal(await row.locator(".badge").textContent(), "pending");
  await row.locator("input").fill("Give us a week");
  await row.locator('[data-decision="2"]').click();
  await says(mia.page, "#submitted li .badge", "on hold");

  // Max saw it pending: what he decides rests on that, however long ago the hold was.
  await same.locator('[data-decision="1"]').click();
  await says(max.page, "#submitted [role=status]", "Somebody else was first: the application is on_hold by now");
  assert.equal(await same.locator(".badge").textContent(), "on hold");
  await same.locator('[data-decision="0"]').click();
  await says(max.page, "#submitted li .badge", "accepted");
  await row.locator('[data-decision="1"]').click();
  await says(mia.page, "#submitted [role=status]", "Somebody else was first: the application is accepted by now");
  assert.equal(await row.locator("button").count(), 0);
  const { submissions } = await demo.api("GET", `/guilds/${guild}/submissions`);
  assert.deepEqual([submissions[0].status, submissions[0].reviewer], ["accepted", people.max.uid]);

  const { page: ada } = await as("ada");
  await ada.waitForFunction(() => document.querySelectorAll("#inbox li[data-id]").length === 2);
  assert.match((await ada.textContent("#inbox")) ?? "", /put on hold: “Give us a week”/);
  await ada.close();
  assert.deepEqual([...mia.faults, ...max.faults], []);
  await mia.page.close();
  await max.page.close();
});

test("an application that comes in while the page is open brings its answers along", async () => {
  await publish({});
  const mia = await reviewing("mia");
  await apply("ben", "Straight to you");
  await says(mia.page, "#submitted dd", "Straight to you");
  assert.equal(await mia.page.locator("#submitted li").count(), 1);
  await mia.page.locator('[data-decision="1"]').click();
  await says(mia.page, "#submitted li .badge", "denied");
  assert.deepEqual(mia.faults, []);
  await mia.page.close();
});

test("an older version of the form is restored, and the audit trail says by whom", async () => {
  await publish({});
  const { apv } = await publish({ sections: [{ title: "Spoiled", fields: [] }] });
  const mia = await reviewing("mia");
  const { page } = mia;
  await page.click("#history summary");
  await page.waitForFunction((newest) => document.querySelector("#history li")?.textContent?.includes(`version ${newest}`), apv);
  const before = page.locator("#history li", { hasText: `version ${apv - 1},` });
  await before.getByRole("button", { name: "Restore" }).click();
  await says(page, "#history li", `version ${apv + 1}`);
  assert.equal((await demo.api("GET", `/guilds/${guild}/form`)).document.sections[0].title, "You");
  await page.click("#audit summary");
  await says(page, "#audit li", `form restored, by user ${people.mia.uid}`);
  assert.deepEqual(mia.faults, []);
  await page.close();
});

test("a role that could not be given is shown with why, and tried again", async () => {
  await publish({ role_on_accept: ROLE_NEWCOMER });
  await apply("ben", "I leave before you answer");
  const mia = await reviewing("mia");
  const { page } = mia;
  await demo.discord("DELETE", `/guilds/${guild}/members/${people.ben.uid}`);
  await page.locator('[data-decision="0"]').click();
  await says(page, "#submitted li .badge", "accepted");
  await until("the failure", async () => (await demo.api("GET", `/guilds/${guild}/role-grants?state=failed`)).role_grants.length === 1);
  await page.click("#grants summary");
  await says(page, "#grants li", `role ${ROLE_NEWCOMER} for user ${people.ben.uid}`);
  await demo.discord("PUT", `/guilds/${guild}/members/${people.ben.uid}`, { access_token: "x" });
  await page.getByRole("button", { name: "Try again" }).click();
  await until("the role", async () =>
    (await demo.discord("GET", `/guilds/${guild}/members/${people.ben.uid}`)).roles.includes(ROLE_NEWCOMER),
  );
  assert.deepEqual(mia.faults, []);
  await page.close();
});

test("a key that is not good shows nothing, and says so", async () => {
  const { page } = await as("mia");
  await page.fill("#admin-key", "not the key");
  await page.getByRole("button", { name: "Show applications" }).click();
  await says(page, "#reviews-state", "nothing is shown");
  assert.equal(await page.locator("#records > *").count(), 0);
  assert.ok(await page.isVisible("#unlock"));
  await page.close();
});
