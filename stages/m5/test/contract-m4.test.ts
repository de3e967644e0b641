// The m4 contract against this folder's stage. The same text in every later stage: the folder's name says which one it is.

import { basename, dirname } from "node:path";
import { fileURLToPath } from "node:url";
import { stageReloadTarget } from "../../../shared/contract/m2/target.ts";
import { describeM4Contract } from "../../../shared/contract/m4/suite.ts";
import type { Stage } from "../../../shared/testkit/router-process.ts";

const stage = basename(dirname(dirname(fileURLToPath(import.meta.url)))) as Stage;

describeM4Contract(stageReloadTarget(stage));
