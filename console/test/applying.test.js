// @ts-check
/** The applicant's sheet: it follows the draft and the form, and shows why something was refused. */
import assert from "node:assert/strict";
import { after, before, beforeEach, test } from "node:test";

import { hasValue, says, signIn } from "./browser.js";
import { until } from "./demo.js";
import { close, open } from "./stage.js";

/** @type {import("./demo.js").Demo} */ let demo;
/** @type {import("playwright-core").Browser} */ let browser;
/** @type {Record<string, { uid: string }>} */ let people;
/** @type {string} */ let guild;

const WHY = '#answers [data-field="why"]';
const AGE = '#answers [data-field="age"]';
const PATH = '#answers [data-field="path"]';

const why = { id: "why", title: "Why you?", description: "A sentence.", type: 1, length: [5, 40], required: true };
const path = { id: "path", title: "Which path?", type: 2, options: ["Left", "Right"], required: false };
const age = { id: "age", title: "How old are you?", type: 0, length: [1, 3], required: true };

before(async () => {
  ({ demo, browser, guild, people } = await open());
});

after(() => close(browser, demo));

/** @param {any} more */
const publish = (more) =>
  demo.api("PUT", `/guilds/${guild}/form?actor=${people.olga.uid}`, { status: 1, sections: [{ title: "You", fields: [why, path] }], ...more });

beforeEach(() => publish({}));

/** @param {string} name */
async function answering(name) {
  const { page, faults } = await signIn(browser, demo, people[name].uid);
  await page.click("#fill-in");
  await page.waitForSelector("#submit");
  await says(page, "#apply-state", "what you type is kept");
  return { page, faults };
}

/** @param {...{ page: import("playwright-core").Page, faults: string[] }} all */
async function done(...all) {
  for (const { page, faults } of all) {
    assert.deepEqual(faults, []);
    await page.close();
  }
}

/** The fault that is shown beside a field. @param {string} id */
const fault = (id) => `#answers .control:has([data-field="${id}"]) > .fault:not([hidden])`;

test("a draft that is changed in another tab changes here", async () => {
  const [one, other] = [await answering("ben"), await answering("ben")];
  await one.page.fill(WHY, "Written in the first tab");
  await hasValue(other.page, WHY, "Written in the first tab");
  await other.page.selectOption(PATH, { label: "Right" });
  await one.page.waitForFunction((at) => /** @type {any} */ (document.querySelector(at)).selectedOptions[0].text === "Right", PATH);
  await done(one, other);
});

test("why an answer is refused stands beside its field", async () => {
  const ada = await answering("ada");
  const { page } = ada;
  await page.click("#submit");
  await says(page, fault("why"), "this field must be answered");
  assert.match((await page.textContent("#apply-state")) ?? "", /not submitted: see what is marked/);
  const described = await page.getAttribute(WHY, "aria-describedby");
  assert.equal(await page.textContent(`#${described}`), "missing: this field must be answered");
  await page.fill(WHY, "Me");
  assert.equal(await page.locator(fault("why")).count(), 0, "what was mended is said no more");
  await page.click("#submit");
  await says(page, fault("why"), "2 characters: expected 5 to 40");
  await page.fill(WHY, "This is longer than what the form takes, by far");
  await says(page, fault("why"), "47 characters");
  assert.equal(await page.inputValue(WHY), "This is longer than what the form takes, by far");
  await page.click("#submit");
  await says(page, "#apply-state", "not submitted");
  await done(ada);
});

test("an applicant who comes back to the page sees the form as it is by now", async () => {
  const ben = await answering("ben");
  const { page } = ben;
  await page.fill(WHY, "Kept over the change");
  await until("the draft", async () => (await page.locator("#frames").textContent())?.includes('"for":"APPLICATION_SESSION_PATCH"'));
  await publish({ status: 0, sections: [{ title: "You", fields: [{ ...why, title: "Why not you?" }] }] });
  await page.evaluate(() => document.dispatchEvent(new Event("visibilitychange")));
  await page.getByLabel("Why not you?").waitFor();
  assert.match((await page.textContent("#intake")) ?? "", /Applications are closed/);
  assert.equal(await page.inputValue(WHY), "Kept over the change");
  await page.click("#submit");
  await says(page, "#apply-state", "takes no applications now");
  await done(ben);
});

test("a form that changes under the draft is followed, and a submitted draft is empty again", async () => {
  const [ada, other] = [await answering("ada"), await answering("ada")];
  const { page } = ada;
  await page.fill(WHY, "Because I am here.");
  await publish({ sections: [{ title: "You", fields: [why, age] }] });
  // It fitted the form that it was written for, and does not fit the newest.
  await page.click("#submit");
  await page.waitForSelector(AGE);
  await says(page, fault("age"), "this field must be answered");
  await says(page, "#apply-state", "the form has changed: see what is marked");
  assert.equal(await page.locator(PATH).count(), 0);
  assert.equal(await page.inputValue(WHY), "Because I am here.");
  await page.fill(AGE, "42");
  await page.click("#submit");
  await says(page, "#apply-state", "submitted");
  await hasValue(page, WHY, "");
  await hasValue(page, AGE, "");
  await hasValue(other.page, WHY, "");
  const { submissions } = await demo.api("GET", `/guilds/${guild}/submissions`);
  assert.deepEqual(submissions[0].answers, { age: "42", why: "Because I am here." });
  await done(ada, other);
});
