// One page for each exercise of the tree: /exercise/m4-03-half-open.

import { fileURLToPath } from "node:url";
import { exercisePages } from "../../scripts/docs/exercise-pages.ts";

const root = fileURLToPath(new URL("../..", import.meta.url)).replace(/[\\/]$/, "");

export default {
  watch: ["../../exercises/*/*/*.{md,json}", "../../solutions/*/*/*.md"],
  paths: () => exercisePages(root),
};
