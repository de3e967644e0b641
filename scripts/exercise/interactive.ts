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
  isSolved,
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

export const keyLine = "[n] next  [t] task  [h] hint  [d] diff  [s] solution  [r] reset  [l] list  [q] quit";

/** What is asked before something is given away or taken away: the same words behind a key and a verb. */
export const questionOf = {
  diff: "Show the difference to the solution?",
  solution: "Show the solution and why it is so?",
  reset: "Reset to the starter? Your files are archived first.",
} as const;

interface Question {
  readonly words: string;
  readonly act: () => Promise<Report>;
}

export class InteractiveView {
  readonly #context: Context;
  readonly #write: (text: string) => void;
  /** What clears a terminal; empty where everything should stay. */
  readonly #clear: string;
  readonly #notes: string[];
  #exercise: Exercise;
  #signature = "";
  #question: Question | undefined;
  /** The check that is under way; further changes wait for it. */
  #checking: Promise<void> | undefined;

  private constructor(
    context: Context,
    exercise: Exercise,
    write: (text: string) => void,
    clear: string,
    notes: string[],
  ) {
    this.#clear = clear;
    this.#notes = notes;
    this.#context = context;
    this.#exercise = exercise;
    this.#write = write;
  }

  /** Opens the wanted exercise, or resumes, and checks it once. */
  static async start(
    context: Context,
    wanted: string | undefined,
    write: (text: string) => void,
    clear = "",
  ): Promise<InteractiveView> {
    const notes: string[] = [];
    // What has to be said must not be wiped from the screen: it stands with whatever is shown next.
    const noting = { ...context, notice: (text: string) => void notes.push(text) };
    const view = new InteractiveView(noting, await open(noting, wanted), write, clear, notes);
    view.#showTask();
    await view.poll();
    return view;
  }

  /** Clears the screen and checks again. */
  async redraw(): Promise<void> {
    this.#write(this.#clear);
    this.#signature = "";
    await this.poll();
  }

  /** Checks again if a file of the learner's has changed since the last time. Resolves when that is shown. */
  async poll(): Promise<void> {
    if (this.#checking !== undefined) return this.#checking;
    const signature = signatureOf(this.#exercise);
    if (signature === this.#signature) return;
    const isFirst = this.#signature === "";
    this.#signature = signature;
    if (this.#question !== undefined) {
      // It was about files that are no longer the same; a key that comes now was not meant for it.
      this.#question = undefined;
      this.#write("\n");
    }
    this.#checking = this.#check(isFirst).finally(() => {
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
      case "t":
        this.#showTask();
        return true;
      case "d":
        await this.#reveal(questionOf.diff, () => diff(this.#context, this.#exercise));
        return true;
      case "s":
        await this.#reveal(questionOf.solution, () => solution(this.#context, this.#exercise));
        return true;
      case "r":
        this.#ask(questionOf.reset, async () => reset(this.#context, this.#exercise));
        return true;
      default:
        return true;
    }
  }

  async #goOn(): Promise<void> {
    await this.#checking;
    const report = await next(this.#context);
    if (report.data["exercise"] === null) return this.#show(report.text);
    this.#exercise = await open(this.#context, undefined);
    this.#signature = "";
    this.#write(this.#clear);
    this.#show(report.text);
    await this.poll();
  }

  /** The first verdict stands below the task; each later one takes the screen, under the exercise's title. */
  async #check(isFirst: boolean): Promise<void> {
    const exercise = this.#exercise;
    this.#write(`\n${this.#context.colours.dim("checking …")}\n`);
    const { verdict } = await check(this.#context, exercise);
    if (exercise !== this.#exercise) return;
    if (!isFirst) this.#write(this.#clear);
    this.#show(verdictText(exercise, verdict, this.#context.colours, keys));
  }

  #showTask(): void {
    this.#write(this.#clear);
    this.#show(taskText(this.#exercise, this.#context));
  }

  /** Asks first, unless there is nothing left to give away. */
  async #reveal(words: string, act: () => Promise<Report>): Promise<void> {
    if (isSolved(this.#context, this.#exercise)) this.#show((await act()).text);
    else this.#ask(words, act);
  }

  #ask(words: string, act: () => Promise<Report>): void {
    this.#question = { words, act };
    this.#write(`\n${words} [y/N] `);
  }

  #show(text: string): void {
    const { dim, yellow } = this.#context.colours;
    const notes = this.#notes.splice(0).map((note) => `${yellow(note)}\n\n`);
    this.#write(`\n${notes.join("")}${text}\n\n${dim(keyLine)}\n`);
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
