// The m3 contract against a program that `npm run contract` starts: its cases start and end routers by the dozen. The control
// plane is the one of this repository.

import { readContractSettings } from "../target.ts";
import { describeM3Contract } from "./suite.ts";
import { stagePushTarget } from "./target.ts";

const { command } = readContractSettings();
if (command === undefined) throw new Error("Use: npm run contract -- m3 --start COMMAND");

describeM3Contract(stagePushTarget("m3", command));
