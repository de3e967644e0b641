// One of HAProxy's command sockets: the Runtime API of a worker, or the master's. One connection per command: the end of the
// connection is the end of what HAProxy says, so nothing has to be guessed from blank lines.
// https://docs.haproxy.org/2.6/management.html#9.3

import { once } from "node:events";
import { connect } from "node:net";

export interface RuntimeApiLimits {
  /** From connecting to the last byte, in milliseconds. @default 5000 */
  readonly timeoutMs?: number;
  /** A longer output ends the command with an error. @default 67108864 */
  readonly maxBytes?: number;
}

/** The command did not get through, or its output did not come whole. Nothing is known of its effect. */
export class RuntimeApiError extends Error {
  override readonly name = "RuntimeApiError";
  /** Somebody listens, but has not said everything in time. */
  readonly isSilent: boolean;

  constructor(message: string, isSilent: boolean, cause: unknown) {
    super(message, { cause });
    this.isSilent = isSilent;
  }
}

export class RuntimeApi {
  readonly path: string;
  readonly #timeoutMs: number;
  readonly #maxBytes: number;

  /** @param path The Unix socket. */
  constructor(path: string, { timeoutMs = 5_000, maxBytes = 64 * 1024 * 1024 }: RuntimeApiLimits = {}) {
    this.path = path;
    this.#timeoutMs = timeoutMs;
    this.#maxBytes = maxBytes;
  }

  /**
   * Sends one command, with its payload where it has one, and returns what HAProxy says, without the blank line at the end.
   * Many commands say nothing when they have succeeded.
   *
   * @throws RuntimeApiError
   */
  async send(command: string): Promise<string> {
    const socket = connect(this.path);
    const signal = AbortSignal.timeout(this.#timeoutMs);
    const pieces: Buffer[] = [];
    let bytes = 0;
    socket.on("data", (piece: Buffer) => {
      bytes += piece.length;
      if (bytes > this.#maxBytes) socket.destroy(new Error(`more than ${this.#maxBytes} bytes of output`));
      else pieces.push(piece);
    });
    try {
      // Half-closed: HAProxy still replies, and closes when it has.
      socket.end(`${command}\n`);
      await once(socket, "close", { signal });
      return Buffer.concat(pieces).toString("utf8").trimEnd();
    } catch (error) {
      const cause = signal.aborted ? `no end of output within ${this.#timeoutMs} ms` : messageOf(error);
      const words = `Cannot run ${JSON.stringify(verbOf(command))}: ${cause}`;
      throw new RuntimeApiError(words, signal.aborted, error);
    } finally {
      socket.destroy();
    }
  }
}

/** The first line, cut: a payload does not belong into a message. */
function verbOf(command: string): string {
  return (command.split("\n", 1)[0] ?? "").slice(0, 80);
}

function messageOf(error: unknown): string {
  return error instanceof Error ? error.message : String(error);
}
