// The m2 contract against the router that `npm run contract` names: a program that it starts, or one at a URL, whose routing
// file the suite writes and puts back.

import { readContractSettings } from "../target.ts";
import { describeM2Contract } from "./suite.ts";
import { reloadTargetFrom } from "./target.ts";

describeM2Contract(await reloadTargetFrom("m2", readContractSettings()));
