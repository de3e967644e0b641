// Your hand on the control plane: reads the routing table, changes it, and shows who runs what.
//
//   npm run ctl get                      the whole table, as JSON
//   npm run ctl get acme                 who serves acme
//   npm run ctl set acme visa            acme is served by the placement visa from now on
//   npm run ctl unset acme               acme goes to the default placement again
//   npm run ctl put table.json           replaces the whole table
//   npm run ctl routers                  the fleet: who is linked, what each one runs
//   npm run ctl watch                    prints what changes, until Ctrl-C
//
// Options: --url URL --token TOKEN --if-match ETAG --json. Exit codes: 0 good, 1 the request is at fault or there is no
// control plane, 2 ours.

import { readJson } from "../stages/m3/src/json-document.ts";
import { readBounded } from "./bounded-file.ts";
import { colours, readArguments, runProgram, UsageError } from "./command-line.ts";
import { ControlPlaneClient } from "./ctl/client.ts";
import { removeKey, setKey } from "./ctl/key-change.ts";
import { fleetLines } from "./ctl/render.ts";
import { findTokens } from "./ctl/token.ts";
import { watchFleet } from "./ctl/watch.ts";

const usage = `Usage: npm run ctl VERB [-- options]
  get [KEY]            the whole table, or who serves KEY
  set KEY PLACEMENT    KEY is served by PLACEMENT from now on
  unset KEY            KEY goes to the default placement again
  put FILE             replaces the whole table with FILE's content
  routers              the fleet: who is linked, what each one runs
  watch                prints what changes, until Ctrl-C
Options
  --url URL            the control plane (CONTROL_PLANE_URL, or http://127.0.0.1:8081)
  --token TOKEN        for writes (CONTROL_PLANE_TOKEN, or the one of the stack that runs here)
  --if-match ETAG      put only if the table is still this revision; ctl get tells it
  --json               one JSON document, or with watch one line an event
  --help               this text`;

/** As much as a control plane reads of its own file. */
const maxTableBytes = 32 * 1024 * 1024;

const options = {
  url: { type: "string" },
  token: { type: "string" },
  "if-match": { type: "string" },
  json: { type: "boolean" },
  help: { type: "boolean" },
} as const;

interface Call {
  readonly client: ControlPlaneClient;
  readonly operands: readonly string[];
  readonly json: boolean;
  readonly ifMatch: string | undefined;
}

/** How many operands each verb takes: at least, at most, and their names for a message. */
const operandsOf = {
  get: [0, 1, "get [KEY]"],
  set: [2, 2, "set KEY PLACEMENT"],
  unset: [1, 1, "unset KEY"],
  put: [1, 1, "put FILE"],
  routers: [0, 0, "routers"],
  watch: [0, 0, "watch"],
} as const;

type Verb = keyof typeof operandsOf;

const verbs: Readonly<Record<Verb, (call: Call) => Promise<number>>> = {
  get,
  set,
  unset,
  put,
  routers,
  watch,
};

async function main(): Promise<number> {
  const { values, positionals } = readArguments(options);
  if (values.help === true || positionals.length === 0) {
    console.log(usage);
    return values.help === true ? 0 : 1;
  }
  const [word = "", ...operands] = positionals;
  if (!Object.hasOwn(operandsOf, word)) {
    throw new UsageError(`unknown verb "${word}": one of ${Object.keys(operandsOf).join(", ")}`);
  }
  const [least, most, form] = operandsOf[word as Verb];
  if (operands.length < least || operands.length > most) throw new UsageError(`write: npm run ctl ${form}`);
  const setting = values.url === undefined ? "CONTROL_PLANE_URL" : "--url";
  const url = controlPlaneUrl(setting, values.url ?? nonEmpty(process.env["CONTROL_PLANE_URL"]));
  const client = new ControlPlaneClient(url, findTokens(url, values.token));
  return await verbs[word as Verb]({
    client,
    operands,
    json: values.json === true,
    ifMatch: values["if-match"],
  });
}

async function get({ client, operands: [key], json }: Call): Promise<number> {
  if (key === undefined) {
    const { table, etag } = await client.table();
    console.log(JSON.stringify(json ? { etag, table } : table, null, 2));
    // Beside the table and not in it: `ctl get > table.json` must give what `ctl put` takes.
    if (!json) console.error(`revision ${etag}`);
    return 0;
  }
  const found = await client.key(key);
  if (json) console.log(JSON.stringify(found));
  else
    console.log(
      `${key} is served by ${found.placement}${found.listed ? "" : ", the default: it is not listed"}`,
    );
  return 0;
}

async function set({ client, operands: [key = "", placement = ""], json }: Call): Promise<number> {
  tell(await setKey(client, key, placement), json);
  return 0;
}

async function unset({ client, operands: [key = ""], json }: Call): Promise<number> {
  tell(await removeKey(client, key), json);
  return 0;
}

function tell<Result extends { readonly words: string }>(result: Result, json: boolean): void {
  console.log(json ? JSON.stringify(result) : result.words);
}

async function put({ client, operands: [file = ""], json, ifMatch }: Call): Promise<number> {
  const table = readTable(file);
  const etag = ifMatch ?? (await client.table()).etag;
  const { revision, changed } = await client.put(table, etag);
  const words = changed
    ? `revision ${revision}`
    : `nothing to change: the table is that of revision ${revision}`;
  tell({ words, revision, changed }, json);
  return 0;
}

async function routers({ client, json }: Call): Promise<number> {
  const fleet = await client.fleet();
  if (json) console.log(JSON.stringify(fleet));
  else console.log(fleetLines(fleet, colours()).join("\n"));
  return 0;
}

async function watch({ client, json }: Call): Promise<number> {
  const stop = new AbortController();
  for (const signal of ["SIGINT", "SIGTERM"] as const) process.once(signal, () => stop.abort());
  await watchFleet(client, stop.signal, (event) => {
    console.log(json ? JSON.stringify(event) : event.words);
  });
  return 0;
}

function readTable(file: string): unknown {
  const read = readJson(readBounded(file, maxTableBytes));
  if (read.ok) return read.value;
  throw new UsageError(`cannot read ${file}: ${read.faults.join("; ")}`);
}

/** The API's address; an address for routers (`ws://…/v1/connect`) will do as well. */
function controlPlaneUrl(setting: string, text = "http://127.0.0.1:8081"): string {
  const url = URL.parse(text.replace(/^ws/, "http"));
  if (url === null || !/^https?:$/.test(url.protocol)) {
    throw new UsageError(`write ${setting}, the control plane's address, as http://host:port; got "${text}"`);
  }
  return url.origin;
}

function nonEmpty(text: string | undefined): string | undefined {
  return text === "" || text === "off" ? undefined : text;
}

await runProgram("ctl", main);
