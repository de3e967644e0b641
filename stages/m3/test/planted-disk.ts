// The system's disk, with a test between the store and each of its calls: there it puts a fault, a crash, or the edit of
// another program, at a moment that timing alone would hardly ever meet.

import { writeFileSync } from "node:fs";
import { basename } from "node:path";
import { type Disk, systemDisk } from "../src/control-plane/disk.ts";

/** One call, as `rename routing.json .routing.json.old`. */
export type Call = string;

/** Called before each call, with how many there were before it. What it throws, the call throws. */
export type Plant = (call: Call, index: number) => void;

/** The process is gone: no call happens any more. */
export class Crash extends Error {}

export class PlantedDisk implements Disk {
  readonly calls: Call[] = [];
  plant: Plant = () => {};
  #isGone = false;
  /** A file system without hard links. */
  readonly #hasLinks: boolean;

  constructor({ hasLinks = true } = {}) {
    this.#hasLinks = hasLinks;
  }

  /** Forgets the calls so far, so that the next one is number 0. */
  restart(plant: Plant = () => {}): void {
    this.calls.length = 0;
    this.plant = plant;
  }

  read: Disk["read"] = async (path, maxBytes) => {
    this.#before("read", path);
    return await systemDisk.read(path, maxBytes);
  };

  create: Disk["create"] = async (path, text, as) => {
    this.#before("create", path, () => writeFileSync(path, text.slice(0, text.length / 2)));
    await systemDisk.create(path, text, as);
  };

  syncFolder: Disk["syncFolder"] = async (path) => {
    this.#before("syncFolder", path);
    await systemDisk.syncFolder(path);
  };

  remove: Disk["remove"] = async (path) => {
    this.#before("remove", path);
    await systemDisk.remove(path);
  };

  follow: Disk["follow"] = (path) => {
    this.#before("follow", path);
    return systemDisk.follow(path);
  };

  stats: Disk["stats"] = (path) => {
    this.#before("stats", path);
    return systemDisk.stats(path);
  };

  rename: Disk["rename"] = (from, to) => {
    this.#before("rename", `${from} ${to}`);
    systemDisk.rename(from, to);
  };

  link: Disk["link"] = (from, to) => {
    this.#before("link", `${from} ${to}`);
    if (!this.#hasLinks) throw faultOf("EPERM");
    systemDisk.link(from, to);
  };

  /** @param halfDone What a crash in the middle of the call leaves. */
  #before(name: string, paths: string, halfDone = () => {}): void {
    if (this.#isGone) throw new Crash();
    const call = [name, ...paths.split(" ").map((path) => basename(path))].join(" ");
    this.calls.push(call);
    try {
      this.plant(call, this.calls.length - 1);
    } catch (error) {
      this.#isGone = error instanceof Crash;
      if (this.#isGone || codeOf(error) === "ENOSPC") halfDone();
      throw error;
    }
  }
}

/** As the system says it. */
export function faultOf(code: string): Error {
  return Object.assign(new Error(`${code}: planted`), { code });
}

function codeOf(error: unknown): unknown {
  return error instanceof Error && "code" in error ? error.code : undefined;
}
