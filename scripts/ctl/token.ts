// Finds the token of a control plane that runs on this machine, so that `ctl` needs no configuration beside a stack.

import { existsSync, readdirSync } from "node:fs";
import { join } from "node:path";
import { readSmallFile } from "../bounded-file.ts";
import { projectRoot } from "../stages.ts";

const fileName = "control-plane-token";
const maxTokenBytes = 4_096;

/**
 * Tokens to try, the likeliest first: the one given, else the one in the environment, else those of the stacks of this
 * project, the newest first. Those are for this machine only: what is kept in a file here is sent to nobody else.
 */
export function findTokens(
  url: string,
  given: string | undefined,
  env = process.env,
  root = projectRoot,
): string[] {
  if (given !== undefined) return [given];
  const named = env["CONTROL_PLANE_TOKEN"];
  if (named !== undefined && named !== "") return [named];
  const file = env["CONTROL_PLANE_TOKEN_FILE"];
  if (file !== undefined && file !== "") return tokensIn([file]);
  if (!["127.0.0.1", "localhost", "[::1]"].includes(new URL(url).hostname)) return [];
  const folders = [...childrenOf(join(root, ".state")), ...childrenOf(join(root, "stages"), ".state")];
  return tokensIn(folders.map((folder) => join(folder, fileName)));
}

function childrenOf(folder: string, inside = ""): string[] {
  if (!existsSync(folder)) return [];
  return readdirSync(folder).map((name) => join(folder, name, inside));
}

function tokensIn(files: readonly string[]): string[] {
  const dated = files.flatMap((file) => {
    try {
      const { text, modifiedAtMs } = readSmallFile(file, maxTokenBytes);
      return [{ token: text.trim(), madeAtMs: modifiedAtMs }];
    } catch {
      // No token there.
      return [];
    }
  });
  dated.sort((a, b) => b.madeAtMs - a.madeAtMs);
  return [...new Set(dated.map(({ token }) => token))];
}
