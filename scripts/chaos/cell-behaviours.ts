// What a cell does with one request. A clean cell answers well, always. A hostile one takes the good response and spoils
// it: cut, reset, flooded, early, late, or not HTTP at all. The seed, the request's tag and the number of the attempt
// decide.

import { unclearResponses } from "../../shared/contract/m1/unclear-responses.ts";
import { Random } from "../../shared/fuzz/random.ts";
import { cut, cutPoint, type Piece, type Step, steps } from "./delivery.ts";
import { framed, type GoodResponse, joined } from "./good-response.ts";
import { noise } from "./malformed-clients.ts";
import { chunk } from "./requests.ts";
import { weighted } from "./weighted.ts";

export interface CellPlan {
  readonly kind: BehaviourKind;
  /** Whether the body of the request is read before the response, after it, or never. */
  readonly reads: "before" | "after" | "never";
  readonly steps: readonly Step[];
  /** What follows the last byte. `keep`: the connection serves the next request. `hang`: nothing, until the peer goes. */
  readonly ending: "keep" | "close" | "half-close" | "reset" | "hang";
}

const kinds = {
  well: 30,
  cut: 10,
  reset: 10,
  "reset-at-once": 5,
  "bad-head": 7,
  "interim-few": 5,
  "interim-flood": 2,
  early: 8,
  "early-and-gone": 5,
  "unread-body": 4,
  flood: 2,
  slow: 4,
  hang: 3,
  surplus: 5,
  "closed-idle": 6,
  unavailable: 5,
} as const;

type BehaviourKind = keyof typeof kinds;

/** The response of a cell that is well. */
export function goodPlan(response: GoodResponse): CellPlan {
  const wait: Step[] = response.waitMs === 0 ? [] : [{ kind: "wait", ms: response.waitMs }];
  const sends = framed(response).map((piece): Step => ({ kind: "send", piece }));
  const isLast = response.framing === "until-close";
  return { kind: "well", reads: "before", steps: [...wait, ...sends], ending: isLast ? "close" : "keep" };
}

export interface HostileOptions {
  readonly seed: number;
  /** A number that the request's tag decides. */
  readonly request: number;
  /** How often this request has come before: a retry may meet another behaviour. */
  readonly attempt: number;
  /** A client that waits for the end, whatever the cell does. */
  readonly isPatient: boolean;
  /** Tag of a response that nobody asked for. */
  readonly forged: string;
}

export function hostilePlan(response: GoodResponse, options: HostileOptions): CellPlan {
  const { seed, request, attempt, isPatient, forged } = options;
  const random = new Random(seed ^ 0x0ce11, request * 8 + attempt);
  const picked = weighted(random, kinds);
  // A patient client would spend the run waiting for time limits.
  const kind = isPatient && (picked === "hang" || picked === "unread-body") ? "slow" : picked;
  const good = framed(response);
  const plan = (
    pieces: readonly Piece[],
    end: CellPlan["ending"],
    reads: CellPlan["reads"] = "before",
  ): CellPlan => ({
    kind,
    reads,
    steps: steps(random, pieces),
    ending: end,
  });
  const ends = () => random.pick(["close", "half-close", "reset"] as const);
  const isLast = response.framing === "until-close";
  const text = (each: string, times = 1): Piece => ({ text: each, times });
  switch (kind) {
    case "well":
      return goodPlan(response);
    case "cut":
      // Framed by the end of the connection, a body that ends in order is whole: only a reset cuts it.
      return plan(cut(good, cutPoint(random, good)), isLast ? "reset" : ends());
    case "reset":
      return plan(cut(good, cutPoint(random, good)), "reset", random.pick(["before", "never"]));
    case "reset-at-once":
      return plan([], "reset", "never");
    case "bad-head":
      return plan([text(random.chance(70) ? random.pick(badHeads) : noise(random, 400))], ends(), "never");
    case "interim-few":
      return plan([...interim(random, 1 + random.below(3)), ...good], isLast ? "close" : "keep");
    case "interim-flood":
      return plan([...interim(random, 2_000 + random.below(60_000)), ...good], isLast ? "close" : "keep");
    case "early":
      return plan(good, isLast ? "close" : "keep", "after");
    case "early-and-gone":
      return plan(good, ends(), "never");
    case "unread-body":
      return plan(random.chance(50) ? [] : good, "hang", "never");
    case "flood":
      return plan(
        [
          text("HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n"),
          text(chunk("f".repeat(32_768)), 200 + random.below(600)),
        ],
        isPatient ? ends() : random.pick(["hang", "reset", "close"]),
      );
    case "slow":
      return { ...plan([], isLast ? "close" : "keep"), steps: slowly(random, good) };
    case "hang":
      return plan(cut(good, random.chance(50) ? 0 : cutPoint(random, good)), "hang");
    case "surplus": {
      // In one write with the response: later bytes cannot be told from the next one.
      const closed = isLast ? framed({ ...response, framing: "length" }) : good;
      const piece = text(joined(closed) + surplus(random, forged));
      return { ...plan([], "keep"), steps: [{ kind: "send", piece }] };
    }
    case "closed-idle":
      return {
        ...plan(good, random.pick(["half-close", "close", "reset"])),
        steps: [{ kind: "send", piece: text(joined(good)) }],
      };
    case "unavailable":
      return plan(
        [
          text(
            `HTTP/1.1 ${random.pick(["503 Service Unavailable", "502 Bad Gateway", "504 Late"])}\r\nContent-Length: 0\r\n\r\n`,
          ),
        ],
        "keep",
      );
    default:
      return kind satisfies never;
  }
}

/** Those that have no safe reading: whoever passes one on is wrong. A very long head is only unwelcome. */
const badHeads = unclearResponses
  .filter(({ orElse, bytes }) => orElse === undefined && bytes.length < 65_536)
  .map(({ bytes }) => bytes);

/** What a babbling cell sends before it is asked: nothing that could be taken for a good response. */
export function babble(random: Random): string {
  return random.pick([
    noise(random, 400),
    "HTTP/1.1 408 Request Timeout\r\nContent-Length: 0\r\nConnection: close\r\n\r\n",
  ]);
}

function interim(random: Random, times: number): Piece[] {
  const status = random.pick(["100 Continue", "102 Processing", "103 Early Hints", "199 X"]);
  const link = status.startsWith("103") ? "Link: </a.css>; rel=preload\r\n" : "";
  return [{ text: `HTTP/1.1 ${status}\r\n${link}\r\n`, times }];
}

/** What must never be taken for the response to the next request. */
function surplus(random: Random, forged: string): string {
  const body = `forged ${forged}`;
  return random.pick([
    `HTTP/1.1 200 OK\r\nX-Chaos: ${forged}\r\nContent-Length: ${body.length}\r\n\r\n${body}`,
    body,
    "\r\n",
    `HTTP/1.1 408 Request Timeout\r\nX-Chaos: ${forged}\r\nContent-Length: 0\r\nConnection: close\r\n\r\n`,
  ]);
}

function slowly(random: Random, pieces: readonly Piece[]): Step[] {
  return [
    { kind: "wait", ms: random.below(300) },
    ...pieces.flatMap((piece): Step[] => [
      { kind: "send", piece },
      { kind: "wait", ms: random.below(200) },
    ]),
  ];
}
