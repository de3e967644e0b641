// What this process says: JSON lines on standard output, and the reason for a failed start on standard error. A log that cannot
// be written (full disk, closed terminal, stalled reader) loses lines and counts them; it stops neither traffic nor the stop.
// pino makes the lines. Its own destination does not write them, because a full disk or pipe would keep it from exiting.

import pino, { type Logger } from "pino";
import type { Clock } from "./clock.ts";
import { openTarget } from "./log-target.ts";
import { LogWriter } from "./log-writer.ts";

/** How long the last lines may take. */
const endMs = 300;

/** Lines to file descriptor `fd`. */
export function openLog(fd: number, clock: Clock): LogWriter {
  return new LogWriter({ target: openTarget(fd), clock, notice });
}

export function createLogger(log: LogWriter, level: string): Logger {
  const formatters = { level: (label: string) => ({ level: label }) };
  const logger = pino({ level, base: null, timestamp: pino.stdTimeFunctions.isoTime, formatters }, log);
  // Node prints warnings on standard error, and waits for its reader.
  process.removeAllListeners("warning");
  process.on("warning", ({ name, message }) => logger.warn({ event: "warning", name, message }));
  return logger;
}

/** The line in place of those that were dropped; written whatever the level is. */
function notice(dropped: number): string {
  const time = pino.stdTimeFunctions.isoTime();
  return `{"level":"warn"${time},"event":"log-lines-dropped","lines":${dropped}}\n`;
}

/** Ends the process with `code`, after what has been logged is out or has had its time. */
export async function endProcess(code: number, ...logs: readonly LogWriter[]): Promise<never> {
  const ended = await Promise.all(logs.map((log) => log.end(endMs)));
  // Exiting joins all threads, and one that writes to a dead disk does not return. Becoming another program ends it.
  if (ended.includes(false))
    process.execve?.(process.execPath, [process.execPath, "-e", `process.exitCode = ${code}`], {});
  process.exit(code);
}
