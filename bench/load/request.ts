// The request that every load generator sends: what a small API client sends, six fields, routed to a dedicated cell.

export const requestPath = "/orders/42?view=full";

export const requestKey = "visa";

export const requestHeaders: Readonly<Record<string, string>> = {
  "X-Routing-Key": requestKey,
  "User-Agent": "bench/1.0",
  Accept: "application/json",
  "Accept-Encoding": "gzip, br",
  "X-Client-Version": "2026.1",
};
