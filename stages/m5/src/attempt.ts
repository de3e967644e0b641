// How one attempt to serve one request at one endpoint ended. The attempt itself is made on raw sockets, in
// `http1/exchange.ts`; which endpoint, whether to try again and what an error looks like is decided elsewhere.

export type { AttemptResult } from "./http1/exchange-handler.ts";
