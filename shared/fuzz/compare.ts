// The property: this parser may refuse more than Node's, but what it accepts it must frame the same. Where the two put
// the end of a message differently, a request can be hidden inside another one's body.

import type { Message, Reading } from "./reading.ts";

/** Returns how `ours` contradicts `node`, or undefined. */
export function disagreement(ours: Reading, node: Reading): string | undefined {
  for (let i = 0; i < ours.messages.length; i++) {
    const mine = ours.messages[i] as Message;
    const theirs = node.messages[i];
    if (theirs === undefined) return missing(i, mine, node);
    const headFault = headDifference(mine, theirs);
    if (headFault !== undefined) return `message ${i}: ${headFault}`;
    // Node takes framing fields in a trailer section for a fault, or for an order. Here they are read and dropped: behind
    // such a message the two may part, and nothing of it reaches the next parser.
    if (mine.complete && mine.trailers.some(isFraming)) return undefined;
    const bodyFault = bodyDifference(mine, theirs, i === ours.messages.length - 1, ours, node);
    if (bodyFault !== undefined) return `message ${i}: ${bodyFault}`;
  }
  const more = node.messages.length > ours.messages.length;
  if (more && ours.refusal === undefined && !ours.closed)
    return `message ${ours.messages.length}: only Node sees it`;
  return undefined;
}

function isFraming(nameOrValue: string, index: number): boolean {
  return index % 2 === 0 && /^(content-length|transfer-encoding|connection)$/i.test(nameOrValue);
}

function missing(index: number, mine: Message, node: Reading): string | undefined {
  // Node knows only the methods of its list; this router passes on any token.
  if (node.refusal?.rule.startsWith("HPE_INVALID_METHOD")) return undefined;
  const why = node.refusal === undefined ? "and sees no message" : `(${node.refusal.rule})`;
  return `message ${index}: accepted ${JSON.stringify(mine.firstLine)}, which Node does not ${why}`;
}

function headDifference(mine: Message, theirs: Message): string | undefined {
  if (mine.firstLine !== theirs.firstLine)
    return `first line ${quoted(mine.firstLine)} or ${quoted(theirs.firstLine)}`;
  const fields = quoted(mine.fields);
  return fields === quoted(theirs.fields) ? undefined : `fields ${fields} or ${quoted(theirs.fields)}`;
}

function bodyDifference(
  mine: Message,
  theirs: Message,
  isLast: boolean,
  ours: Reading,
  node: Reading,
): string | undefined {
  if (mine.complete) {
    if (!theirs.complete)
      return `complete, which Node does not find ${quoted(node.refusal?.rule ?? "it so")}`;
    if (mine.body !== theirs.body) return `body ${quoted(mine.body)} or ${quoted(theirs.body)}`;
    const trailers = quoted(mine.trailers);
    return trailers === quoted(theirs.trailers)
      ? undefined
      : `trailers ${trailers} or ${quoted(theirs.trailers)}`;
  }
  // Refused in the middle: nothing more is claimed than what was read until then.
  if (!theirs.body.startsWith(mine.body)) return `body so far ${quoted(mine.body)} or ${quoted(theirs.body)}`;
  if (theirs.complete && isLast && ours.refusal === undefined)
    return "complete for Node, and not finished here";
  return undefined;
}

function quoted(value: unknown): string {
  return JSON.stringify(value);
}
