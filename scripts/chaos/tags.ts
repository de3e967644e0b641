// Names that nobody can guess: every request of a run carries one, so that whatever arrives anywhere can be traced to the
// client that sent it, or to nobody. A tag is a function of the seed, so a replay uses the same ones.

import { hash } from "node:crypto";

/**
 * `request`: a request that a client sends. `decoy`: the same in the body of another request, or behind one that closes
 * its connection; it must never reach a cell. `forged`: a response that a cell sends although nobody asked for it.
 */
export type TagKind = "request" | "decoy" | "forged";

export interface Tag {
  readonly connection: number;
  readonly request: number;
}

/** One tag, or the id of a clean client's request, in text of any kind. */
const pattern = /(?:c\d{1,9}r|clean-\d{1,9}-)\d{1,9}-[0-9a-f]{12}/g;
/** No tag is longer: what a scanner keeps of the piece before. */
export const maxTagLength = 40;

export function tagOf(seed: number, { connection, request }: Tag, kind: TagKind): string {
  return `c${connection}r${request}-${macOf(`${seed} ${kind} ${connection} ${request}`)}`;
}

/** The request id of a clean client's request. */
export function cleanIdOf(seed: number, client: number, request: number): string {
  return `clean-${client}-${request}-${macOf(`${seed} clean ${client} ${request}`)}`;
}

/** Whether it is the id of a request that a clean client of this run sends. */
export function isCleanId(seed: number, id: string): boolean {
  const [, client = "", request = ""] = /^clean-(\d+)-(\d+)-[0-9a-f]{12}$/.exec(id) ?? [];
  return client !== "" && cleanIdOf(seed, Number(client), Number(request)) === id;
}

/** Every tag in a text, in order, one for each occurrence. */
export function tagsIn(text: string): string[] {
  return text.match(pattern) ?? [];
}

/** What a tag stands for; undefined for one that this run has never made. */
export function readTag(seed: number, tag: string): (Tag & { readonly kind: TagKind }) | undefined {
  const [, connection, request] = /^c(\d+)r(\d+)-/.exec(tag) ?? [];
  const facts = { connection: Number(connection), request: Number(request) };
  const kind = (["request", "decoy", "forged"] as const).find((each) => tagOf(seed, facts, each) === tag);
  return kind === undefined ? undefined : { ...facts, kind };
}

/** A number that a tag decides, for everything that happens to its request. */
export function numberOf(tag: string): number {
  return Number.parseInt(tag.slice(-8), 16);
}

function macOf(text: string): string {
  return hash("sha256", text).slice(0, 12);
}
