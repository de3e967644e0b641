// Why a start failed, in one sentence that says what to change: the setting, its value, and what would be right.

import { readSettings } from "./settings.ts";

/** What is known of an attempt to listen that failed. */
export interface ListenError extends NodeJS.ErrnoException {
  readonly port?: number;
}

/** A setting and the value that it has. */
export interface Setting {
  readonly name: string;
  readonly value: string | number;
}

/** For the last words of a process. `environment` is what `readSettings` was given. */
export function startFault(
  error: ListenError,
  environment: Readonly<Record<string, string | undefined>>,
): string {
  if (!isOfListening(error)) return cannotStart(error.message);
  const { HOST, ADMIN_PORT, PORT } = readSettings(environment);
  const admin = { name: "ADMIN_PORT", value: ADMIN_PORT };
  // Two different ports: `readSettings` sees to it.
  if (error.port === ADMIN_PORT) return listenFault(error, { name: "HOST", value: HOST }, admin);
  return listenFault(error, { name: "HOST", value: HOST }, { name: "PORT", value: PORT });
}

export function listenFault({ code, message }: ListenError, host: Setting, port: Setting): string {
  const has = `${port.name}=${port.value}`;
  switch (code) {
    case "EADDRINUSE":
      return cannotStart(`${has} is in use; set ${port.name} to a free port.`);
    case "EACCES":
      return cannotStart(
        `${has} needs privileges that this user does not have; set ${port.name} to 1024 or higher.`,
      );
    case "ENOTFOUND":
    case "EAI_AGAIN":
    case "EADDRNOTAVAIL":
    case "EAFNOSUPPORT":
    case "EINVAL":
      return cannotStart(
        `${host.name}=${JSON.stringify(host.value)} is not an address of this machine; ` +
          `set ${host.name} to 127.0.0.1 or to one of its addresses.`,
      );
    default:
      return cannotStart(message);
  }
}

/** Whether a socket could not be opened. A worker process (m5) passes on only the code. */
export function isOfListening({ syscall, code }: ListenError): boolean {
  return code !== undefined && ["listen", "bind", "getaddrinfo", undefined].includes(syscall);
}

export function cannotStart(words: string): string {
  return words.startsWith("Cannot start: ") ? words : `Cannot start: ${words}`;
}
