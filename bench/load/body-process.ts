// Moves large bodies through a proxy for a while, over a few connections at once. A transfer that has begun is finished, and
// every one is checked to the byte. Prints {"bytes","transfers","errors","seconds"} as JSON.
import { Agent, type IncomingMessage, request } from "node:http";
import { requestHeaders } from "./request.ts";
import { sendBytes } from "./send-bytes.ts";

type Job = {
  readonly url: string;
  readonly direction: "down" | "up";
  readonly bodyBytes: number;
  readonly streams: number;
  readonly seconds: number;
};

const job = JSON.parse(process.argv[2] ?? "{}") as Job;
const agent = new Agent({ keepAlive: true, maxSockets: job.streams });

/** One transfer; resolves with the bytes that arrived at its far end. */
function transfer(): Promise<number> {
  return new Promise((resolve, reject) => {
    const up = job.direction === "up";
    const path = up ? "/up" : `/down/${job.bodyBytes}`;
    const headers = up ? { ...requestHeaders, "content-length": job.bodyBytes } : requestHeaders;
    const sent = request(`${job.url}${path}`, { method: up ? "POST" : "GET", headers, agent }, onResponse);
    sent.once("error", reject);
    if (up) sendBytes(sent, job.bodyBytes);
    else sent.end();
    function onResponse(response: IncomingMessage): void {
      let [bytes, text] = [0, ""];
      response.on("data", (chunk: Buffer) => {
        bytes += chunk.length;
        if (up) text += chunk.toString("latin1");
      });
      response.once("error", reject);
      response.once("end", () => {
        if (response.statusCode !== 200) reject(new Error(`status ${response.statusCode}`));
        else resolve(up ? (JSON.parse(text) as { bytes: number }).bytes : bytes);
      });
    }
  });
}

let [transfers, errors] = [0, 0];
const startMs = performance.now();
async function stream(): Promise<void> {
  // A proxy that refuses everything at once must not turn this into a busy loop.
  while (performance.now() - startMs < job.seconds * 1000 && errors < 10) {
    const bytes = await transfer().catch((error: Error) => {
      console.error(error.message);
      return -1;
    });
    if (bytes === job.bodyBytes) transfers += 1;
    else errors += 1;
  }
}
await Promise.all(Array.from({ length: job.streams }, stream));
const seconds = (performance.now() - startMs) / 1000;
agent.destroy();
console.log(JSON.stringify({ bytes: transfers * job.bodyBytes, transfers, errors, seconds }));
