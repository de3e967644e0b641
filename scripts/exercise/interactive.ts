// The interactive view: shows the task and the first failing test, checks again whenever a file changes, and
// obeys keys. It never goes on to another exercise by itself. It knows no terminal: keys come in through `key`,
// time through `poll`, and text goes out through `write`, so that a test can hold the keyboard.

import { existsSync, statSync } from "node:fs";
import { join } from "node:path";
import { typeScriptFiles } from "./answer-source.ts";
import type { Exercise } from "./exercise-spec.ts";
import { verdictText, type Ways } from "./failure-view.ts";
import {
  type Context,
  check,
  diff,
  hint,
  list,
  next,
  open,
  type Report,
  reset,
  solution,
  taskText,
} from "./verbs.ts";

/** The learner's hand is on the keys already. */
const keys: Ways = { hint: "press h", solution: "press s", next: "press n" };

export const keyLine = "[n] next  [h] hint  [d] diff  [s] solution  [r] reset  [l] list  [q] quit";

interface Question {
  readonly words: string;
  readonly act: () => Promise<Report>;
}

export class InteractiveView {
  readonly #context: Context;
  readonly #write: (text: string) => void;
  #exercise: Exercise;
  #signature = "";
  #question: Question | undefined;
  /** The check that is under way; further changes wait for it. */
  #checking: Promise<void> | undefined;

  private constructor(context: Context, exercise: Exercise, write: (text: string) => void) {
    this.#context = context;
    this.#exercise = exercise;
    this.#write = write;
  }

  /** Opens the wanted exercise, or resumes, and checks it once. */
  static async start(context: Context, wanted: string | undefined, write: (text: string) => void) {
    const view = new InteractiveView(context, await open(context, wanted), write);
    view.#show(taskText(view.#exercise, context));
    await view.poll();
    return view;
  }

  /** Checks again if a file of the learner's has changed since the last time. Resolves when that is shown. */
  async poll(): Promise<void> {
    if (this.#checking !== undefined) return this.#checking;
    const signature = signatureOf(this.#exercise);
    if (signature === this.#signature) return;
    this.#signature = signature;
    this.#checking = this.#check().finally(() => {
      this.#checking = undefined;
    });
    return this.#checking;
  }

  /** Obeys one key. Resolves to false when the learner quits. */
  async key(name: string): Promise<boolean> {
    if (this.#question !== undefined) {
      const { act } = this.#question;
      this.#question = undefined;
      if (name === "y") this.#show((await act()).text);
      else this.#show("Nothing was done.");
      await this.poll();
      return true;
    }
    switch (name) {
      case "q":
        return false;
      case "n":
        await this.#goOn();
        return true;
      case "h":
        this.#show((await hint(this.#context, this.#exercise)).text);
        return true;
      case "l":
        this.#show(list(this.#context).text);
        return true;
      case "d":
        this.#ask("Show the difference to the solution?", () => diff(this.#context, this.#exercise));
        return true;
      case "s":
        this.#ask("Show the solution and why it is so?", () => solution(this.#context, this.#exercise));
        return true;
      case "r":
        this.#ask("Begin again from the starter? Your files are archived first.", async () =>
          reset(this.#context, this.#exercise),
        );
        return true;
      default:
        return true;
    }
  }

  async #goOn(): Promise<void> {
    await this.#checking;
    const report = await next(this.#context);
    this.#exercise = await open(this.#context, undefined);
    this.#signature = "";
    this.#show(report.text);
    await this.poll();
  }

  async #check(): Promise<void> {
    const exercise = this.#exercise;
    this.#write(`\n${this.#context.colours.dim("checking …")}\n`);
    const { verdict } = await check(this.#context, exercise);
    if (exercise === this.#exercise) this.#show(verdictText(exercise, verdict, this.#context.colours, keys));
  }

  #ask(words: string, act: () => Promise<Report>): void {
    this.#question = { words, act };
    this.#write(`\n${words} [y/N] `);
  }

  #show(text: string): void {
    this.#write(`\n${text}\n\n${this.#context.colours.dim(keyLine)}\n`);
  }
}

/** Changes whenever a file of the learner's does. Time and size are enough, and work on every file system. */
export function signatureOf(exercise: Exercise): string {
  return typeScriptFiles(exercise.workspace)
    .map((name) => join(exercise.workspace, name))
    .filter((file) => existsSync(file))
    .map((file) => {
      const { mtimeMs, size } = statSync(file);
      return `${file} ${mtimeMs} ${size}`;
    })
    .join("\n");
}
