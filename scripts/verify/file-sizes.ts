// A stage's file is read in one sitting. A long one is a warning: some ideas do need the room.

import { readFileSync } from "node:fs";
import { join } from "node:path";
import { type CheckResult, warning } from "../check.ts";
import { filesUnder, presentStages, stageFolder } from "../stages.ts";

export const check = {
  name: "file-sizes",
  title: "Files of a stage stay readable in one sitting",
  order: 50,
  fast: true,
  run,
};

const maxLines = 220;

async function run(root: string): Promise<CheckResult> {
  const files = presentStages(root).flatMap((stage) => {
    const src = join(stageFolder(stage, root), "src");
    return filesUnder(src).map((file) => ({
      where: `stages/${stage}/src/${file}`,
      lines: readFileSync(join(src, file), "utf8").split("\n").length - 1,
    }));
  });
  const findings = files
    .filter(({ lines }) => lines > maxLines)
    .map(({ where, lines }) => warning(where, `${lines} lines; over ${maxLines} it is worth cutting in two`));
  const longest = Math.max(0, ...files.map(({ lines }) => lines));
  return { findings, looked: `${files.length} files, the longest has ${longest} lines` };
}
