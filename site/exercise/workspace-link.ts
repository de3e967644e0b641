// The page's way to the learner's files in `workspace/`, where `npm run docs` serves it. The built site has no server: there
// it finds nothing, asks nobody, and the browser keeps the work.

import type { AnswerFiles } from "./bundle.ts";
import { parseKept } from "./kept-work.ts";

export interface WorkspaceLink {
  /** Undefined when the exercise was not opened yet. */
  read(): Promise<AnswerFiles | undefined>;
  write(files: AnswerFiles): Promise<void>;
}

/** @param isServed Whether a server of ours is there. */
export function workspaceLink(slug: string, isServed: boolean): WorkspaceLink | undefined {
  if (!isServed) return undefined;
  const url = `/__workspace/${slug}`;
  return {
    async read() {
      const response = await fetch(url);
      return response.ok ? filesIn(await response.text()) : undefined;
    },
    async write(files) {
      const response = await fetch(url, { method: "PUT", body: JSON.stringify({ files }) });
      if (!response.ok) throw new Error(`workspace/ could not be written: ${await response.text()}`);
    },
  };
}

function filesIn(text: string): AnswerFiles | undefined {
  return parseKept(`{"version":1,"exercises":{"it":${text}}}`)?.exercises["it"]?.files;
}
