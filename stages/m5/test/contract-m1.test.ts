// The m1 contract against this folder's stage. The same text in every stage: the folder's name says which one it is.

import { basename, dirname } from "node:path";
import { fileURLToPath } from "node:url";
import { describeM1Contract } from "../../../shared/contract/m1/suite.ts";
import { stageTarget } from "../../../shared/contract/target.ts";
import type { Stage } from "../../../shared/testkit/router-process.ts";

const stage = basename(dirname(dirname(fileURLToPath(import.meta.url)))) as Stage;

describeM1Contract(stageTarget(stage));
