// @ts-check
/** What went wrong, in words for whoever uses the page, and what they can do about it. */
import { CommandError } from "../sdk/js/guildgate.js";

/** By close code. Source: docs/protocol.md, "Close codes". @type {Record<number, string>} */
const CLOSED = {
  4004: "The token is not good, or was withdrawn. Put in a fresh one and press Connect.",
  4005: "Another page has taken this session over. Press Connect for a new one.",
  4011: "The gateway does not allow pages of this site.",
};

/** By error code. Source: docs/protocol.md, "Error codes". @type {Record<string, string>} */
const REFUSED = {
  invalid_token: "its token is used up or no longer good. Put in a fresh guild token and press Connect.",
  unknown_guild: "the bot is not in it. Invite the bot, or choose another guild and press Connect.",
  rate_limited: "there were too many tries. The page tries again by itself in a few seconds.",
  unavailable: "something behind the gateway does not answer. The page tries again by itself in a few seconds.",
};

/**
 * Why the connection was closed for good.
 * @param {{ code: number, reason: string }} close
 */
export function closedFor({ code, reason }) {
  const words = CLOSED[code] ?? "The connection was closed for good. Press Connect to begin again.";
  return `${words} (${code} ${reason})`;
}

/**
 * Why the guild could not be connected again after a reconnect.
 * @param {Error} error
 */
export function guildRefused(error) {
  const known = error instanceof CommandError ? REFUSED[error.code] : undefined;
  const words = known ?? `${error.message}. Press Connect to try again.`;
  return `What you see of the guild is old: the line was lost, and the guild could not be connected again, since ${words}`;
}
