// The m1 contract against the router that `npm run contract` names: a program that it starts, or one at a URL.

import { readContractSettings, stageTarget, urlTarget } from "../target.ts";
import { describeM1Contract } from "./suite.ts";

const { command, url, ports } = readContractSettings();
if (command === undefined && url === undefined)
  throw new Error(
    "Use: npm run contract -- m1 http://127.0.0.1:8080, or npm run contract -- m1 --start COMMAND",
  );

describeM1Contract(url === undefined ? stageTarget("m1", command) : urlTarget(url, ports));
