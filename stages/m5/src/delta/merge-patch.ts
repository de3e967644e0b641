// The difference between two JSON documents, and its application. Pure, without Node's API: both ends of a link and the browser
// run the same lines.

/** What `JSON.parse` may return. */
export type Json = null | boolean | number | string | readonly Json[] | JsonObject;
export interface JsonObject {
  readonly [key: string]: Json;
}

// #region merge-patch
/**
 * A patch with which `from` becomes `to`, or undefined where none can say it: in a patch, null means "remove", so a member
 * of an object cannot become null. Arrays are replaced whole.
 * @see https://www.rfc-editor.org/rfc/rfc7396 JSON Merge Patch
 */
export function diff(from: Json, to: Json): Json | undefined {
  if (!isObject(to)) return to;
  if (!isObject(from)) return hasNullMember(to) ? undefined : to;
  const changes: [string, Json][] = [];
  for (const key of Object.keys(from)) if (!Object.hasOwn(to, key)) changes.push([key, null]);
  for (const [key, after] of Object.entries(to)) {
    const before = Object.hasOwn(from, key) ? from[key] : undefined;
    if (before !== undefined && isSame(before, after)) continue;
    if (after === null) return undefined;
    const change = before === undefined ? diff(null, after) : diff(before, after);
    if (change === undefined) return undefined;
    changes.push([key, change]);
  }
  // Makes own members, even of `__proto__`, where an assignment would change the object's prototype.
  return Object.fromEntries(changes);
}

/** `document` with `patch` applied. Neither is changed. */
export function apply(document: Json, patch: Json): Json {
  if (!isObject(patch)) return patch;
  const members = new Map<string, Json>(isObject(document) ? Object.entries(document) : []);
  for (const [key, change] of Object.entries(patch)) {
    if (change === null) members.delete(key);
    else members.set(key, apply(members.get(key) ?? null, change));
  }
  return Object.fromEntries(members);
}
// #endregion merge-patch

function isObject(value: Json): value is JsonObject {
  return typeof value === "object" && value !== null && !Array.isArray(value);
}

/** Whether a merge would lose something: inside an array, null is a value like any other. */
function hasNullMember(value: JsonObject): boolean {
  return Object.values(value).some((each) => each === null || (isObject(each) && hasNullMember(each)));
}

function isSame(a: Json, b: Json): boolean {
  if (a === b) return true;
  if (Array.isArray(a))
    return Array.isArray(b) && a.length === b.length && a.every((each, at) => isSame(each, b[at]));
  if (typeof a !== "object" || a === null || !isObject(b)) return false;
  const members = Object.entries(a);
  return (
    members.length === Object.keys(b).length &&
    members.every(([key, value]) => Object.hasOwn(b, key) && isSame(value, b[key] ?? null))
  );
}
