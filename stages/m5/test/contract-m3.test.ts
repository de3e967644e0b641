// The m3 contract against this folder's stage. The same text in every later stage: the folder's name says which one it is.

import { basename, dirname } from "node:path";
import { fileURLToPath } from "node:url";
import { describeM3Contract } from "../../../shared/contract/m3/suite.ts";
import { stagePushTarget } from "../../../shared/contract/m3/target.ts";
import type { Stage } from "../../../shared/testkit/router-process.ts";

const stage = basename(dirname(dirname(fileURLToPath(import.meta.url)))) as Stage;

describeM3Contract(stagePushTarget(stage));
