// What HAProxy prints about an address that it cannot have, as the error that a stage's router would have got: so a start that
// fails names the setting to change.

import type { ListenError } from "../../stages/m4/src/start-fault.ts";

/** The words of the system, as HAProxy prints them: `cannot bind socket (Address already in use) [127.0.0.1:8080]`. */
const codes: readonly (readonly [words: string, code: string])[] = [
  ["Address already in use", "EADDRINUSE"],
  ["Permission denied", "EACCES"],
  ["Cannot assign requested address", "EADDRNOTAVAIL"],
];

/** The error of binding `port`, where HAProxy's words tell of one. */
export function listenErrorIn(words: string, port: number): ListenError | undefined {
  if (!words.includes("cannot bind socket")) return undefined;
  const code = codes.find(([text]) => words.includes(`(${text})`))?.[1];
  if (code === undefined) return undefined;
  return Object.assign(new Error(words), { code, syscall: "bind", port });
}
