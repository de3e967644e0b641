// The m1 contract against the router at CONTRACT_URL; `npm run contract` sets the variables.

import { targetFromEnvironment } from "../target.ts";
import { describeM1Contract } from "./suite.ts";

describeM1Contract(targetFromEnvironment());
