// After the last milestone: the same table and promises on a production engine, with a narrated demo.
//
//   npm run graduate                     the topics
//   npm run graduate haproxy             the demo, then the stack stays up until Ctrl-C
//   npm run graduate haproxy -- --demo   the demo only
//
// Exit codes: 0 good (also when the engine is not installed, which is said), 1 a wrong word or flag, or stopped in mid-demo,
// 2 a promise does not hold.

import { existsSync, readdirSync } from "node:fs";
import { join } from "node:path";
import { pathToFileURL } from "node:url";
import { missingEngine, type Topic } from "../graduation/topic.ts";
import { runCommand, UsageError, type Values } from "./command-line.ts";
import { StopSignal } from "./stage-session.ts";
import { projectRoot } from "./stages.ts";

const usage = `Usage: npm run graduate [TOPIC] [-- flags]
  --demo   end after the demo instead of staying up until Ctrl-C
  --json   what the demo has seen, as one JSON object; implies --demo
  --help   this text
Without a topic: the list of topics.`;

const options = { demo: { type: "boolean" }, json: { type: "boolean" } } as const;
const folder = join(projectRoot, "graduation");
/** Of a demo that was told to stop, in milliseconds. */
const maxStopMs = 15_000;

async function main(values: Values<typeof options>, words: readonly string[]): Promise<number> {
  const [name, ...others] = words;
  if (others.length > 0)
    throw new UsageError(`name one topic, not ${words.length}: ${topicNames().join(", ")}`);
  if (name === undefined) return await listTopics();
  if (!topicNames().includes(name))
    throw new UsageError(`there is no topic "${name}": one of ${topicNames().join(", ")}`);
  // Before anything takes time: whoever started this may be gone by then, and nobody would notice.
  const stopSignal = new StopSignal();
  endInTime(stopSignal);
  const topic = await loadTopic(name);
  const isJson = values.json === true;
  const missing = missingFor(topic);
  if (missing !== undefined) {
    console.log(
      isJson ? JSON.stringify({ topic: name, skipped: missing }) : `${name} is skipped: ${missing}`,
    );
    return 0;
  }
  const stop = new AbortController();
  void stopSignal.raised.then(() => stop.abort());
  const running = topic.run({
    tell: isJson ? () => {} : (line) => console.log(line),
    signal: stop.signal,
    stays: values.demo !== true && !isJson,
  });
  try {
    const facts = await running;
    if (isJson) console.log(JSON.stringify({ topic: name, ...facts }));
    return 0;
  } catch (error) {
    // The terminal's Ctrl-C ends the engines, too, and what the demo waits for then never comes.
    if (!(await stopSignal.raisedWithin(500))) throw error;
    if (!isJson) console.log(`stopped: ${await stopSignal.raised}`);
    return 1;
  }
}

/** A stop always ends in time, whatever the topic waits for. What it has started goes with this process. */
function endInTime(stopSignal: StopSignal): void {
  void stopSignal.raised.then(() => setTimeout(() => process.exit(1), maxStopMs).unref());
}

function topicNames(): string[] {
  const names = readdirSync(folder, { withFileTypes: true }).filter((entry) => entry.isDirectory());
  return names
    .map(({ name }) => name)
    .filter((name) => existsSync(join(folder, name, "demo.ts")))
    .sort();
}

function missingFor({ engines, missing }: Topic): string | undefined {
  return missingEngine(engines) ?? missing?.();
}

async function loadTopic(name: string): Promise<Topic> {
  const file = pathToFileURL(join(folder, name, "demo.ts")).href;
  return ((await import(file)) as { readonly topic: Topic }).topic;
}

async function listTopics(): Promise<number> {
  for (const name of topicNames()) {
    const topic = await loadTopic(name);
    const missing = missingFor(topic);
    console.log(
      `${name.padEnd(10)} ${topic.title}${missing === undefined ? "" : `; skipped here: ${missing}`}`,
    );
  }
  return 0;
}

await runCommand({ name: "graduate", usage, options }, main);
