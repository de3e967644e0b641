// How the control plane responds when it refuses a request: code → status, title and a sentence for people.

// #region problems
export const problems = {
  "invalid-json": [400, "Bad Request", "The body is not JSON in UTF-8 that can be read; faults says why."],
  "invalid-patch": [
    400,
    "Bad Request",
    'Send {"placement": "<name>"}, or {"placement": null} to remove the key.',
  ],
  "bad-handshake": [400, "Bad Request", "The WebSocket handshake is not one of version 13."],
  "malformed-path": [400, "Bad Request", "The path's percent-encoding is broken."],
  unauthorized: [401, "Unauthorized", "Send the control plane's token: Authorization: Bearer <token>."],
  "origin-refused": [403, "Forbidden", "Requests from browser pages are not served here."],
  "not-found": [404, "Not Found", "There is nothing at this path."],
  "unknown-routing-key": [404, "Not Found", "The table does not list this routing key."],
  "method-not-allowed": [405, "Method Not Allowed", "See the Allow field."],
  "revision-changed": [
    412,
    "Precondition Failed",
    "The table has changed meanwhile: read it again, then decide.",
  ],
  "routing-file-invalid": [
    412,
    "Precondition Failed",
    "Somebody has edited the routing file, and it is not valid now: mend the file first. Nothing was written.",
  ],
  "content-too-large": [
    413,
    "Content Too Large",
    "The body, or the routing table, is larger than this control plane takes.",
  ],
  "host-refused": [421, "Misdirected Request", "Address the control plane by its IP address."],
  "invalid-routing-table": [
    422,
    "Unprocessable Content",
    "The routing table is not valid; faults names everything.",
  ],
  "upgrade-required": [426, "Upgrade Required", "Routers open a WebSocket here."],
  "if-match-required": [
    428,
    "Precondition Required",
    "Send If-Match with the ETag of the table that you changed.",
  ],
  "control-plane-fault": [
    500,
    "Internal Server Error",
    "The control plane failed: read the table again, then decide.",
  ],
  "outcome-unknown": [
    503,
    "Service Unavailable",
    "The change may have been made, and the store did not confirm it: read the table again, then decide.",
  ],
  "store-unwritable": [
    503,
    "Service Unavailable",
    "The change could not be written: the table is as it was. faults says why.",
  ],
  "too-busy": [503, "Service Unavailable", "The limit of requests in progress is reached: try again."],
  "too-many-connections": [503, "Service Unavailable", "The limit of open connections is reached."],
  "too-many-links": [503, "Service Unavailable", "The limit of linked routers is reached."],
} as const satisfies Record<string, readonly [status: number, title: string, detail: string]>;
// #endregion problems

export type ProblemCode = keyof typeof problems;
