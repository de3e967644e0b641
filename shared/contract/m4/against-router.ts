// The m4 contract against the router that `npm run contract` names: a program that it starts, or one at a URL, whose routing
// file the suite writes and puts back.

import { reloadTargetFrom } from "../m2/target.ts";
import { readContractSettings } from "../target.ts";
import { describeM4Contract } from "./suite.ts";

describeM4Contract(await reloadTargetFrom("m4", readContractSettings()));
