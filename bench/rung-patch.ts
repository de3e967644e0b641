// Takes one step out of m5: copies its source and applies the step's patch. Leaves out starting it (rung-contenders.ts).
import { cpSync, existsSync, mkdirSync, readFileSync, rmSync, symlinkSync, writeFileSync } from "node:fs";
import { dirname, join } from "node:path";
import { applyPatch, parsePatch } from "diff";
import type { Rung } from "./rungs.ts";

type RungPatches = Pick<Rung, "name" | "after">;

export type PatchedFile = {
  /** Relative to m5's src. */
  readonly file: string;
  /** Undefined: the patch deletes it. */
  readonly text: string | undefined;
};

export type Patched = {
  readonly files: readonly PatchedFile[];
  /** A file and why its part of the patch does not fit, for each one that does not. */
  readonly faults: readonly { readonly file: string; readonly why: string }[];
};

/** @param read the text of a file of m5's src, or undefined when there is none */
export function patchFiles(patch: string, read: (file: string) => string | undefined): Patched {
  const files: PatchedFile[] = [];
  const faults: Patched["faults"][number][] = [];
  const parts = patch.trim() === "" ? [] : parsePatch(patch);
  for (const part of parts) {
    const [before, after] = [nameOf(part.oldFileName), nameOf(part.newFileName)];
    const file = after ?? before ?? "";
    const found = read(file);
    const fault = (why: string) => faults.push({ file, why });
    if (before !== undefined && before !== file) fault(`a patch must not rename ("${before}")`);
    else if (before === undefined && found !== undefined) fault("the patch adds it, and m5 has one by now");
    else if (before !== undefined && found === undefined) fault("m5 has no such file any more");
    else {
      const text = applyPatch(found ?? "", part);
      if (text === false) fault("the patch does not fit it any more");
      else files.push({ file, text: after === undefined ? undefined : text });
    }
  }
  if (parts.length === 0) faults.push({ file: "", why: "the patch changes nothing" });
  return { files, faults };
}

/** `b/sockets/pool.ts` → `sockets/pool.ts`; undefined for `/dev/null`. */
function nameOf(file: string | undefined): string | undefined {
  return file === undefined || file === "/dev/null" ? undefined : file.replace(/^[ab]\//, "");
}

/** Where the patch of a rung lies. */
export function rungPatch(name: string, root: string): string {
  return join(root, "bench", "rungs", `${name}.patch`);
}

/** What the patches of a rung make of the m5 under `root`, one after the other. */
export function patchRung({ name, after = [] }: RungPatches, root: string): Patched {
  const patched = new Map<string, PatchedFile>();
  const read = (file: string) => {
    const changed = patched.get(file);
    if (changed !== undefined) return changed.text;
    const path = join(root, "stages", "m5", "src", file);
    return existsSync(path) ? readFileSync(path, "utf8") : undefined;
  };
  const faults = [...after, name].flatMap((each) => {
    const result = patchFiles(readFileSync(rungPatch(each, root), "utf8"), read);
    for (const file of result.files) patched.set(file.file, file);
    return result.faults;
  });
  return { files: [...patched.values()], faults };
}

/**
 * Writes m5 without the step into `folder`/src, with the project's packages beside it.
 * @param rung undefined: takes nothing out
 * @throws Error naming the rung and the files that its patch does not fit
 */
export function writeRung(rung: RungPatches | undefined, root: string, folder: string): void {
  const { files, faults } = rung === undefined ? { files: [], faults: [] } : patchRung(rung, root);
  if (faults.length > 0) {
    const where = faults.map(({ file, why }) => `${file}: ${why}`).join("; ");
    throw new Error(`bench/rungs/${rung?.name}.patch does not fit m5: ${where}`);
  }
  const src = join(folder, "src");
  cpSync(join(root, "stages", "m5", "src"), src, { recursive: true });
  for (const { file, text } of files) {
    if (text === undefined) rmSync(join(src, file), { force: true });
    else {
      mkdirSync(dirname(join(src, file)), { recursive: true });
      writeFileSync(join(src, file), text);
    }
  }
  cpSync(join(root, "package.json"), join(folder, "package.json"));
  symlinkSync(join(root, "node_modules"), join(folder, "node_modules"), "junction");
}
