// An engine, or a router, must end with the demo or the test that started it, also when that is killed and has no chance to tidy up.

import { spawnSync } from "node:child_process";

/**
 * Words that start a program which gets `signal` when its parent ends; without a program, the words to put in front of one.
 * Linux only; elsewhere the words as they are.
 * @see https://man7.org/linux/man-pages/man1/setpriv.1.html
 */
export function endingWithParent(words: readonly string[], signal: "TERM" | "KILL"): readonly string[] {
  if (spawnSync("setpriv", ["--version"]).status !== 0) return words;
  return ["setpriv", "--pdeathsig", signal, ...words];
}
