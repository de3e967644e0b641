// How one attempt to serve one request at one endpoint ended. The attempt itself is made on raw sockets, in
// `sockets/exchange.ts`; which endpoint, whether to try again and what an error looks like is decided elsewhere.

export type { AttemptResult } from "./sockets/exchange-handler.ts";
