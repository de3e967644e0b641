// Opens what the m1 cases share: the four endpoints, the router between them and the client, and the check after every
// case that no endpoint got anything that nobody sent.

import { afterAll, afterEach, beforeAll, expect } from "vitest";
import type { RawResponse } from "../../testkit/http-message.ts";
import { RawClient, type ReadResponseOptions, sendRaw } from "../../testkit/raw-client.ts";
import { stopAtRouterEnd } from "../router-end.ts";
import { Endpoints, type Scene, type Script } from "../scenes.ts";
import type { ContractTarget, RunningRouter } from "../target.ts";

export class Contract {
  readonly #target: ContractTarget;
  #endpoints: Endpoints | undefined;
  #router: RunningRouter | undefined;
  /** Whether the router has ended, and the rest of the suite is not run. */
  isRouterLost: () => boolean = () => false;

  constructor(target: ContractTarget) {
    this.#target = target;
  }

  async open(): Promise<void> {
    this.#endpoints = await Endpoints.open(this.#target.ports);
    this.#router = await this.#target.start(this.#endpoints.urls());
  }

  async close(): Promise<void> {
    await this.#router?.close();
    await this.#endpoints?.[Symbol.asyncDispose]();
  }

  /** The router, once it has been started. */
  running(): RunningRouter[] {
    return this.#router === undefined ? [] : [this.#router];
  }

  get router(): RunningRouter {
    if (this.#router === undefined) throw new Error("The router has not been started");
    return this.#router;
  }

  get endpoints(): Endpoints {
    if (this.#endpoints === undefined) throw new Error("The endpoints have not been opened");
    return this.#endpoints;
  }

  get url(): string {
    return this.router.url;
  }

  /** Opens a scene: a path of its own, what the endpoint does with requests for it, and what arrived. */
  scene(script?: Script): Scene {
    return this.endpoints.scene(script);
  }

  /**
   * Waits until what the router had on its way to a cell has arrived there: later requests to the same placements have been
   * answered. Without it, a case could look before a smuggled request is there.
   */
  async settle(): Promise<void> {
    using scene = this.scene();
    for (const key of ["visa", "acme", "visa", "acme"]) await this.send(scene.request({ key }));
  }

  /** A client connection to the router. */
  connect(options: { readonly deadlineMs?: number } = {}): Promise<RawClient> {
    return RawClient.connect(this.url, options);
  }

  /** One request on a connection of its own. */
  send(bytes: string | Buffer, options: ReadResponseOptions = {}): Promise<RawResponse> {
    return sendRaw(this.url, bytes, options);
  }
}

/** Registers the hooks of a suite. Call it inside the suite's `describe`. */
export function useContract(target: ContractTarget): Contract {
  const contract = new Contract(target);
  beforeAll(() => contract.open());
  afterAll(() => contract.close());
  afterEach(() => {
    expect(contract.endpoints.takeProblems(), "what the endpoints got, that no client sent").toEqual([]);
  });
  contract.isRouterLost = stopAtRouterEnd(() => contract.running());
  return contract;
}
