// After the last milestone: the same table and promises on a production engine, with a narrated demo.
//
//   npm run graduate                     the topics
//   npm run graduate haproxy             the demo, then the stack stays up until Ctrl-C
//   npm run graduate haproxy -- --demo   the demo only
//
// Exit codes: 0 good (also when the engine is not installed, which is said), 1 a wrong word or flag, 2 a promise does not hold.

import { existsSync, readdirSync } from "node:fs";
import { join } from "node:path";
import { pathToFileURL } from "node:url";
import { missingEngine, type Topic } from "../graduation/topic.ts";
import { runCommand, UsageError, type Values } from "./command-line.ts";
import { projectRoot } from "./stages.ts";

const usage = `Usage: npm run graduate [TOPIC] [-- flags]
  --demo   end after the demo instead of staying up until Ctrl-C
  --json   what the demo has seen, as one JSON object; implies --demo
  --help   this text
Without a topic: the list of topics.`;

const options = { demo: { type: "boolean" }, json: { type: "boolean" } } as const;
const folder = join(projectRoot, "graduation");

async function main(values: Values<typeof options>, words: readonly string[]): Promise<number> {
  const [name, ...others] = words;
  if (others.length > 0)
    throw new UsageError(`name one topic, not ${words.length}: ${topicNames().join(", ")}`);
  if (name === undefined) return await listTopics();
  if (!topicNames().includes(name))
    throw new UsageError(`there is no topic "${name}": one of ${topicNames().join(", ")}`);
  const topic = await loadTopic(name);
  const isJson = values.json === true;
  const missing = missingEngine(topic.engines);
  if (missing !== undefined) {
    console.log(
      isJson ? JSON.stringify({ topic: name, skipped: missing }) : `${name} is skipped: ${missing}`,
    );
    return 0;
  }
  const stop = new AbortController();
  const onSignal = () => stop.abort();
  process.on("SIGINT", onSignal).on("SIGTERM", onSignal);
  const facts = await topic.run({
    tell: isJson ? () => {} : (line) => console.log(line),
    signal: stop.signal,
    stays: values.demo !== true && !isJson,
  });
  if (isJson) console.log(JSON.stringify({ topic: name, ...facts }));
  return 0;
}

function topicNames(): string[] {
  const names = readdirSync(folder, { withFileTypes: true }).filter((entry) => entry.isDirectory());
  return names
    .map(({ name }) => name)
    .filter((name) => existsSync(join(folder, name, "demo.ts")))
    .sort();
}

async function loadTopic(name: string): Promise<Topic> {
  const file = pathToFileURL(join(folder, name, "demo.ts")).href;
  return ((await import(file)) as { readonly topic: Topic }).topic;
}

async function listTopics(): Promise<number> {
  for (const name of topicNames()) {
    const { title, engines } = await loadTopic(name);
    const missing = missingEngine(engines);
    console.log(`${name.padEnd(10)} ${title}${missing === undefined ? "" : `; skipped here: ${missing}`}`);
  }
  return 0;
}

await runCommand({ name: "graduate", usage, options }, main);
