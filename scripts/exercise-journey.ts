// A bot goes the way of a learner, in a fresh copy of this tree in a folder with spaces in its name: open, fail, a hint,
// a misconception, reset, solve, next, restart, resume. Through the commands only, with their output in a pipe.
//
//   node scripts/exercise-journey.ts                the first exercise of each milestone
//   node scripts/exercise-journey.ts m1/01-route-lookup m4/03-half-open
//
// Exit codes: 0 it arrived, 1 a step went otherwise than a learner is told.

import { BrokenPromiseError, runProgram } from "./command-line.ts";
import { takeJourney } from "./exercise/journey.ts";
import { projectRoot } from "./stages.ts";

await runProgram("exercise-journey", async () => {
  const journey = await takeJourney(projectRoot, process.argv.slice(2), (step) => console.log(step));
  if (journey.fault === undefined) return 0;
  if (journey.steps === 0) throw new BrokenPromiseError(journey.fault);
  console.log(`FAULT ${journey.fault}`);
  return 1;
});
