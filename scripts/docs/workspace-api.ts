// Vite: while `npm run docs` serves the site, a page reads and writes the learner's files in `workspace/`, the same ones that
// `npm run exercise` checks. The built site has no server, and none of this.
//
//   GET /__workspace/m4-03-half-open   { "files": { "circuit-breaker.ts": "…" } }, or null when it was not opened yet
//   PUT /__workspace/m4-03-half-open   the same, and writes it
//
// A page of another site must neither read nor write here: the address has to be a loopback one by name and by socket (a
// foreign name could point here), a writer has to come from this very origin, and only files of known exercises exist.

import { existsSync, mkdirSync, readFileSync } from "node:fs";
import type { IncomingMessage, ServerResponse } from "node:http";
import { dirname, join } from "node:path";
import writeFileAtomic from "write-file-atomic";
import { z } from "zod";
import { type AnswerFiles, slugOf } from "../../site/exercise/bundle.ts";
import { canonicalName } from "../exercise/answer-source.ts";
import { type Exercise, listExerciseIds, loadExercise } from "../exercise/exercise-spec.ts";
import { relocateImports } from "../exercise/relocate-imports.ts";
import { openWorkspace } from "../exercise/workspace.ts";
import { answerFiles } from "./exercise-bundle.ts";

const maxBytes = 1_000_000;
const hostPattern = /^(?:127\.0\.0\.1|localhost|\[::1\])(?::\d+)?$/;
const loopback = /^(?:127\.|::1$|::ffff:127\.)/;
const bodySchema = z.strictObject({ files: z.record(z.string(), z.string()) });

type Next = () => void;

interface DevServer {
  readonly middlewares: {
    use(handler: (req: IncomingMessage, res: ServerResponse, next: Next) => void): void;
  };
}

export function workspaceApi(root: string) {
  return {
    name: "workspace",
    configureServer(server: DevServer) {
      server.middlewares.use((req, res, next) => {
        const slug = /^\/__workspace\/([a-z0-9-]+)$/.exec(req.url ?? "")?.[1];
        if (slug === undefined) return next();
        respond(root, slug, req).then(
          ({ status, body }) => {
            res.writeHead(status, { "content-type": "application/json", "cache-control": "no-store" });
            res.end(JSON.stringify(body));
          },
          (error: unknown) => {
            res.writeHead(500, { "content-type": "application/json" });
            res.end(JSON.stringify({ error: error instanceof Error ? error.message : String(error) }));
          },
        );
      });
    },
  };
}

interface Reply {
  readonly status: number;
  readonly body: object;
}

/** What one request gets. Exported for its tests. */
export async function respond(root: string, slug: string, req: IncomingMessage): Promise<Reply> {
  if (!isOurs(req)) return { status: 403, body: { error: "This is for the pages of this server only." } };
  const id = listExerciseIds(root).find((each) => slugOf(each) === slug);
  if (id === undefined) return { status: 404, body: { error: `There is no exercise ${slug}.` } };
  const exercise = loadExercise(root, id);
  if (req.method === "GET") {
    const isOpened = exercise.spec.files.every((name) => existsSync(join(exercise.workspace, name)));
    if (!isOpened) return { status: 200, body: { files: null } };
    return { status: 200, body: { files: answerFiles(exercise, { kind: "workspace" }) } };
  }
  if (req.method !== "PUT") return { status: 405, body: { error: "GET or PUT" } };
  const parsed = bodySchema.safeParse(parsedJson(await textOf(req)));
  if (!parsed.success) return { status: 400, body: { error: "This is not { files: { name: text } }." } };
  const unknown = Object.keys(parsed.data.files).find((name) => !exercise.spec.files.includes(name));
  if (unknown !== undefined) return { status: 400, body: { error: `${id} has no file ${unknown}.` } };
  await writeFiles(exercise, parsed.data.files);
  return { status: 200, body: { files: answerFiles(exercise, { kind: "workspace" }) } };
}

function isOurs({ headers, socket, method }: IncomingMessage): boolean {
  const { host = "", origin } = headers;
  if (!hostPattern.test(host) || !loopback.test(socket.remoteAddress ?? "")) return false;
  // A browser leaves `Origin` out of a page's own GET; of a PUT, never.
  return origin === undefined ? method === "GET" : origin === `http://${host}`;
}

async function textOf(req: IncomingMessage): Promise<string> {
  const chunks: Buffer[] = [];
  let bytes = 0;
  for await (const chunk of req as AsyncIterable<Buffer>) {
    bytes += chunk.length;
    if (bytes > maxBytes) return "";
    chunks.push(chunk);
  }
  return Buffer.concat(chunks).toString("utf8");
}

function parsedJson(text: string): unknown {
  try {
    return JSON.parse(text);
  } catch {
    return undefined;
  }
}

/** Texts as the page has them, whose imports are meant from the starter's folder. */
async function writeFiles(exercise: Exercise, files: AnswerFiles): Promise<void> {
  openWorkspace(exercise);
  for (const [name, text] of Object.entries(files)) {
    const from = join(exercise.folder, "starter", name);
    const to = join(exercise.workspace, name);
    const moved = relocateImports(text, from, to, (path) => {
      const sibling = canonicalName(exercise, path);
      return sibling === undefined ? path : join(exercise.workspace, sibling);
    });
    if (existsSync(to) && readFileSync(to, "utf8") === moved) continue;
    mkdirSync(dirname(to), { recursive: true });
    await writeFileAtomic(to, moved);
  }
}
