// The colours of code on the pages, computed from what the highlighter writes.

import { readFileSync } from "node:fs";
import { join } from "node:path";
import { createMarkdownRenderer } from "vitepress";
import { describe, expect, test } from "vitest";
import { codeTheme as theme } from "../../site/.vitepress/code-theme.ts";
import { projectRoot } from "../stages.ts";

describe("the colours of code", () => {
  const channel = (hex: string) => {
    const value = Number.parseInt(hex, 16) / 255;
    return value <= 0.04045 ? value / 12.92 : ((value + 0.055) / 1.055) ** 2.4;
  };
  const luminance = (colour: string) => {
    const [r = 0, g = 0, b = 0] = (colour.match(/[0-9a-f]{2}/gi) ?? []).map(channel);
    return 0.2126 * r + 0.7152 * g + 0.0722 * b;
  };
  /** @see https://www.w3.org/TR/WCAG22/#dfn-contrast-ratio */
  const contrast = (a: string, b: string) => {
    const [dark = 0, light = 0] = [luminance(a), luminance(b)].sort((x, y) => x - y);
    return (light + 0.05) / (dark + 0.05);
  };

  test("stand out from their ground by at least 4.5 to 1, light and dark", async () => {
    const styles = readFileSync(join(projectRoot, "site/.vitepress/theme/colours.css"), "utf8");
    const [light = "", dark = ""] = [...styles.matchAll(/--vp-code-block-bg: (#\w+)/g)].map(([, hex]) => hex);
    // As much code as has every kind of word in it.
    const files = ["src/proxy.ts", "src/circuit-breaker.ts", "src/validation.ts", "routing.json"];
    const fences = files.map((file) => {
      const code = readFileSync(join(projectRoot, "stages/m4", file), "utf8");
      return `\`\`\`\`${file.split(".")[1]}\n${code}\n\`\`\`\`\n`;
    });
    const html = await (await createMarkdownRenderer(projectRoot, { theme })).render(
      [...fences, "```sh\nFOO=1 npm run stage m1 -- --port 8180 | head\n```\n"].join("\n"),
    );
    const ratios = (name: string, ground: string) => {
      const used = new Set(
        [...html.matchAll(new RegExp(`--shiki-${name}:(#\\w+)`, "g"))].map(([, hex]) => hex),
      );
      return [...used].map((hex = "") => contrast(hex, ground));
    };
    for (const each of [ratios("light", light), ratios("dark", dark)]) {
      expect(each.length).toBeGreaterThanOrEqual(7);
      expect(Math.min(...each)).toBeGreaterThanOrEqual(4.5);
    }
  });
});
