// HAProxy's own words about a configuration: from `haproxy -c`, and from what a master has printed.

import { spawn } from "node:child_process";
import { readFileSync } from "node:fs";
import { HaproxyRefusal } from "./worker.ts";

/** Debian keeps servers in a folder that not every user's PATH names. */
export const haproxyEnvironment = {
  ...process.env,
  PATH: `${process.env["PATH"] ?? ""}:/usr/sbin:/usr/local/sbin`,
};

/** Checks a configuration as HAProxy does before it starts. @throws HaproxyRefusal with its words */
export async function checkConfiguration(file: string): Promise<void> {
  const check = spawn("haproxy", ["-c", "-f", file], {
    env: haproxyEnvironment,
    stdio: ["ignore", "pipe", "pipe"],
    // The terminal's Ctrl-C is no refusal.
    detached: true,
  });
  let said = "";
  for (const stream of [check.stdout, check.stderr])
    stream.setEncoding("utf8").on("data", (text: string) => {
      said = `${said}${text}`.slice(-16_384);
    });
  const code = await new Promise<number | string>((resolve) => {
    check.once("error", (error) => resolve(error.message));
    check.once("close", (exitCode, signal) => resolve(exitCode ?? signal ?? 1));
  });
  if (code !== 0) throw new HaproxyRefusal(faultLines(said) || `haproxy -c: ${code}`);
}

/** HAProxy's own words, without its notices and the numbers of its processes. */
function faultLines(text: string): string {
  const lines = text.split("\n").filter((line) => /^\[(ALERT|WARNING)\]/.test(line));
  const alerts = lines.filter((line) => line.startsWith("[ALERT]"));
  return (alerts.length > 0 ? alerts : lines)
    .map((line) => line.replace(/^\[\w+\]\s+\(\d+\) : /, ""))
    .slice(-8)
    .join("; ");
}

/** Why a master did not start or reload, as it has printed it. */
export function outputFaults(file: string): string {
  try {
    return faultLines(readFileSync(file, "utf8").slice(-16_384)) || "it printed no reason";
  } catch {
    return "it printed no reason";
  }
}
