// @ts-check
/** What can go wrong with a command: it was refused, or its answer was lost with the line. */

/** A command that was refused; `code` is one of the protocol's error codes. */
export class CommandError extends Error {
  /**
   * @param {{ code: string, message: string, [detail: string]: any }} error
   * @param {string} [cmd] the command's name
   */
  constructor(error, cmd = "") {
    super(error.message);
    this.name = "CommandError";
    this.code = error.code;
    this.cmd = cmd;
    this.details = error;
  }
}

/** A command without an answer: the line was down, or went down. It may have taken effect. */
export class ConnectionLost extends Error {
  /** @param {string} message */
  constructor(message) {
    super(message);
    this.name = "ConnectionLost";
  }
}

/** Refusals that may come out otherwise a moment later. Source: docs/protocol.md, "Error codes". */
const PASSING = new Set(["unavailable", "rate_limited"]);

/**
 * Whether trying again soon may help: the refusal says so, or it was no refusal at all but, say,
 * a token that could not be fetched.
 * @param {unknown} error
 */
export function isPassing(error) {
  return !(error instanceof CommandError) || PASSING.has(error.code);
}

/**
 * The code of a refusal, or what else went wrong.
 * @param {unknown} error
 * @returns {string}
 */
export function reasonOf(error) {
  if (error instanceof CommandError) return error.code;
  return error instanceof Error ? error.message : String(error);
}
