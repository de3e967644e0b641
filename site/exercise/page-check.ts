// Checks an answer from the page: starts the worker, ends it when it hangs, and judges what it says by the terminal's rules.

import {
  modulesBelow,
  type RunOutcome,
  stillRunning,
  type TraceEvent,
} from "../../scripts/exercise/run-outcome.ts";
import { saysTheSame } from "../../scripts/exercise/untouched.ts";
import {
  candidatesOf,
  judge,
  type Verdict,
  visibleValues,
  withTheSameValues,
} from "../../scripts/exercise/verdict.ts";
import {
  type AnswerFiles,
  type ExerciseAnswers,
  type ExerciseBundle,
  pageRoot,
  starterPath,
} from "./bundle.ts";
import type { FromWorker, ToWorker } from "./worker-messages.ts";

/** Longest time without a test starting or ending. */
export const stallMs = 3_000;

/** Thrown when another check has taken the place of this one. */
export class Superseded extends Error {
  override readonly name = "Superseded";
}

export class PageCheck {
  readonly #bundle: ExerciseBundle;
  readonly #answers: () => Promise<ExerciseAnswers>;
  readonly #makeWorker: () => Worker;
  /** Has loaded the tests and waits for an answer. */
  #spare: Worker | undefined;
  #round = 0;
  #isClosed = false;
  #end: () => void = () => {};

  constructor(bundle: ExerciseBundle, answers: () => Promise<ExerciseAnswers>, makeWorker: () => Worker) {
    this.#bundle = bundle;
    this.#answers = answers;
    this.#makeWorker = makeWorker;
    this.#spare = this.#prepared();
  }

  /**
   * Judges `answer`. A check that is under way ends.
   * @param onFirst Gets the verdict before it is known which misconception it shows: that takes runs of other answers.
   * @throws Superseded
   */
  async check(answer: AnswerFiles, onFirst: (verdict: Verdict) => void = () => {}): Promise<Verdict> {
    this.#round += 1;
    this.#end();
    const round = this.#round;
    const { spec, starter } = this.#bundle;
    const [outcome] = await this.#run([answer], round);
    if (outcome === undefined) throw new Superseded();
    const untouched = spec.files.filter((name) => saysTheSame(answer[name] ?? "", starter[name] ?? ""));
    const verdict = judge(this.#assembly(), outcome, [], untouched);
    if (verdict.kind !== "failed" || verdict.misconceptions.length === 0 || outcome.kind !== "finished") {
      onFirst(verdict);
      return verdict;
    }
    onFirst({ ...verdict, misconceptions: [] });
    const values = visibleValues(this.#modulesOf(outcome));
    const candidates = candidatesOf(spec, verdict.failing, untouched);
    const { wrong } = await this.#answers();
    const outcomes = await this.#run(
      candidates.map(({ file }) => wrong[file] ?? {}),
      round,
    );
    const theirs = outcomes.map((each) => visibleValues(this.#modulesOf(each)));
    const confirmed = withTheSameValues(candidates, theirs, values);
    return { ...verdict, misconceptions: confirmed.map(({ because }) => because) };
  }

  close(): void {
    this.#isClosed = true;
    this.#round += 1;
    this.#end();
    this.#spare?.terminate();
    this.#spare = undefined;
  }

  /** Runs of `answers`, one after the other, in one worker that is ended whatever comes of them. */
  #run(answers: readonly AnswerFiles[], round: number): Promise<RunOutcome[]> {
    if (round !== this.#round) return Promise.reject(new Superseded());
    const worker = this.#spare ?? this.#prepared();
    this.#spare = undefined;
    const outcomes: RunOutcome[] = [];
    let trace: TraceEvent[] = [];
    return new Promise<RunOutcome[]>((resolve, reject) => {
      let timer: ReturnType<typeof setTimeout> | undefined;
      const end = (settle: () => void) => {
        clearTimeout(timer);
        worker.terminate();
        this.#end = () => {};
        if (!this.#isClosed) this.#spare ??= this.#prepared();
        settle();
      };
      const endWith = (outcome: RunOutcome) => end(() => resolve([...outcomes, outcome]));
      const stalls = () => endWith({ kind: "stalled", stallMs, running: stillRunning(trace) });
      const crashes = (output: string) => endWith({ kind: "crashed", running: stillRunning(trace), output });
      const begin = () => {
        const answer = answers[outcomes.length];
        if (answer === undefined) return end(() => resolve(outcomes));
        trace = [];
        tell(worker, { kind: "check", answer });
      };
      worker.onmessage = ({ data }: MessageEvent<FromWorker>) => {
        clearTimeout(timer);
        if (data.kind === "results") {
          outcomes.push({ kind: "finished", results: data.results });
          return begin();
        }
        if (data.kind === "broken") return crashes(data.message);
        if (data.kind === "trace") trace.push(data.event);
        timer = setTimeout(stalls, stallMs);
      };
      worker.onerror = (event) => crashes(event.message);
      this.#end = () => end(() => reject(new Superseded()));
      begin();
    });
  }

  #prepared(): Worker {
    const { spec, modules, tests, externals } = this.#bundle;
    const worker = this.#makeWorker();
    tell(worker, { kind: "prepare", tests: { id: spec.id, modules, tests }, externals });
    return worker;
  }

  /** As the terminal assembles an answer, with the exercise's own folder in the place of a copy. */
  #assembly(): Parameters<typeof judge>[0] {
    const { spec } = this.#bundle;
    const folder = `${pageRoot}/exercises/${spec.id}`;
    const origins = new Map(
      spec.files.map((name) => [`${pageRoot}/${starterPath(spec.id, name)}`, `${pageRoot}/${name}`]),
    );
    const exercise = { spec, root: pageRoot, folder, solution: "", workspace: pageRoot };
    return { exercise, answer: { kind: "workspace" }, folder, origins };
  }

  #modulesOf(outcome: RunOutcome) {
    return outcome.kind === "finished" ? modulesBelow(outcome.results, this.#assembly().folder) : [];
  }
}

function tell(worker: Worker, message: ToWorker): void {
  worker.postMessage(message);
}
