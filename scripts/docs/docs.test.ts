// The site's own checks find what they are meant to find: each case plants the fault.

import { randomBytes } from "node:crypto";
import { readFileSync } from "node:fs";
import { createMarkdownRenderer, type MarkdownRenderer } from "vitepress";
import { afterAll, describe, expect, test } from "vitest";
import { codeTheme as theme } from "../../site/.vitepress/code-theme.ts";
import { readLadder } from "../../site/components/ladder.data.ts";
import { findingsOf, plantTree } from "../planted-tree.ts";
import { check as regionsCheck } from "../verify/docs-regions.ts";
import { check as commandsCheck } from "../verify/page-commands.ts";
import { findBrowser } from "./browser.ts";
import { validateBuiltSite } from "./built-site.ts";
import { excerptOf, fitComments } from "./code-excerpt.ts";
import { notedCode, readNotes } from "./code-notes.ts";
import { embedCode } from "./code-plugin.ts";
import { embeddedCode, readEmbeds, readRegions } from "./code-regions.ts";
import { stageDiffHtml } from "./diff-plugin.ts";
import { linkGlossary, readGlossary } from "./glossary-plugin.ts";
import { cardSize, pageHead } from "./page-head.ts";
import { linkProofs, proofSource } from "./proof-plugin.ts";

const source =
  "// head\n// #region outer\n  const a = 1;\n  // #region inner\n  const b = 2;\n  // #endregion inner\n// #endregion outer\n";

describe("regions", () => {
  test("are read with their names and lines, at the left margin and without markers", () => {
    expect(readRegions(source)).toEqual([
      { name: "inner", line: 4, text: "const b = 2;" },
      { name: "outer", line: 2, text: "const a = 1;\nconst b = 2;" },
    ]);
  });

  test.each([
    ["is never closed", "// #region a\n", "never closed"],
    ["closes another", "// #region a\n// #endregion b\n", "closes #region a"],
    ["has no beginning", "// #endregion a\n", "without #region"],
    ["is there twice", "// #region a\n// #endregion a\n// #region a\n// #endregion a\n", 'second region "a"'],
  ])("are refused where one %s", (_, text, words) => {
    expect(() => readRegions(text)).toThrow(words);
  });

  test("are embedded by pages, but not from inside a fence", () => {
    expect(readEmbeds("<<< stages/m1/src/a.ts#x\n```\n<<< stages/m1/src/b.ts#y\n```\n")).toEqual([
      { path: "stages/m1/src/a.ts", region: "x", caption: undefined, line: 1 },
    ]);
  });

  test("that are missing are named with those there are, and never become the whole file", () => {
    using tree = plantTree({ "stages/m1/src/a.ts": source });
    const fault = (path: string, region?: string) => embeddedCode(tree.root, { path, region });
    expect(fault("stages/m1/src/a.ts", "outr")).toMatchObject({
      ok: false,
      fault: expect.stringContaining("inner, outer"),
    });
    expect(fault("stages/m1/src/a.ts")).toMatchObject({
      ok: false,
      fault: expect.stringContaining("name one of"),
    });
    expect(fault("stages/m1/src/b.ts", "x")).toMatchObject({ ok: false });
    expect(fault("package.json")).toMatchObject({
      ok: false,
      fault: expect.stringContaining("not code of a stage"),
    });
  });

  test("turn verify red when a page names a missing one, and when no page shows one", async () => {
    using tree = plantTree({
      "stages/m1/src/main.ts": "",
      "stages/m1/src/a.ts": source,
      "site/m1.md": "<<< stages/m1/src/a.ts#outer\n\n<<< stages/m1/src/a.ts#lost\n",
    });
    expect(await findingsOf(regionsCheck, tree)).toEqual([
      expect.stringMatching(/^error site\/m1\.md:3: .* has no region "lost"/),
      "error stages/m1/src/a.ts:4: no page shows the region inner",
    ]);
  });
});

test("router code that is typed into a page turns verify red", async () => {
  using tree = plantTree({ "site/m1.md": "# m1\n\n```sh\nnpm test\n```\n\n```ts\nconst a = 1;\n```\n" });
  expect(await findingsOf(regionsCheck, tree)).toEqual([
    "error site/m1.md:7: code of a stage is embedded, never typed",
  ]);
});

describe("a page's commands", () => {
  test("turn verify red when their output is another one than the page shows", async () => {
    using tree = plantTree({
      "package.json": "{}",
      "site/page.md": "```sh run\necho right\n```\n\n```text\nwrong\n```\n",
    });
    const { findings } = await commandsCheck.run(tree.root);
    expect(findings).toHaveLength(1);
    expect(findings[0]).toMatchObject({ level: "error", where: "site/page.md:1" });
    expect(findings[0]?.what).toContain("got:   right");
  });
});

describe("a claim's proof", () => {
  const tests =
    'describe("x", () => {\n  test.each([\n    ["a", 1],\n  ])("serves %s", () => {\n    expect(1).toBe(1);\n  });\n\n  test("fails", () => {\n    throw 1;\n  });\n});\n';

  test("is the whole test, found in a folder by its title", () => {
    using tree = plantTree({ "shared/contract/m1/b.ts": tests });
    const table = proofSource(tree.root, { path: "shared/contract/m1", title: "serves %s" });
    expect(table).toMatchObject({ ok: true, path: "shared/contract/m1/b.ts", line: 2 });
    expect(table.ok && table.text.split("\n")).toHaveLength(5);
    const single = proofSource(tree.root, { path: "shared/contract/m1/b.ts", title: "fails" });
    expect(single.ok && single.text).toBe('test("fails", () => {\n  throw 1;\n});');
  });

  test("that does not exist is a fault", () => {
    using tree = plantTree({ "shared/contract/m1/b.ts": tests });
    expect(proofSource(tree.root, { path: "shared/contract/m1", title: "serves tea" }).ok).toBe(false);
    expect(proofSource(tree.root, { path: "shared/contract/m7", title: "fails" }).ok).toBe(false);
  });
});

describe("code on a page", () => {
  const statement = (index: number) => `  call(${index});`;
  const body = (count: number) => Array.from({ length: count }, (_, index) => statement(index));

  test("stands whole where it is short, and otherwise begins with 8 to 15 lines", () => {
    expect(excerptOf(body(18).join("\n"))).toBeUndefined();
    const lines = excerptOf(["function a() {", ...body(30), "}"].join("\n"))?.split("\n") ?? [];
    expect(lines).toHaveLength(16);
    expect(lines.at(-1)).toBe("  // …");
  });

  test("is cut before an empty line, and never behind a comment or a line that opens something", () => {
    const parted = ["function a() {", ...body(9), "", ...body(20), "}"].join("\n");
    expect(excerptOf(parted)?.split("\n").slice(-2)).toEqual([statement(8), "  // …"]);
    const opening = ["a() {", ...body(11), "  // why", "  if (b) {", "    // how", ...body(20)].join("\n");
    expect(excerptOf(opening)?.split("\n").at(-2)).toBe(statement(10));
  });

  test("has comments that fit beside it: their words are broken anew, code and lists are not", () => {
    const wide = `  // ${"word ".repeat(12).trim()}\n  // end\n  // - ${"item ".repeat(12).trim()}\n${"x".repeat(70)}`;
    const lines = fitComments(wide, 40).split("\n");
    expect(lines.slice(0, 2)).toEqual([
      "  // word word word word word word word",
      "  // word word word word word end",
    ]);
    expect(lines.at(-1)).toHaveLength(70);
    expect(fitComments(`/** ${"word ".repeat(9).trim()} */`, 40)).toBe(
      "/**\n * word word word word word word word\n * word word\n */",
    );
    expect(fitComments("// short\n// lines stay", 40)).toBe("// short\n// lines stay");
  });
});

describe("notes beside code", () => {
  const code = "first();\nif (a) {\n  second();\n}\nthird();\nfourth();\n}";
  const noted = (...lines: string[]) => notedCode(code, readNotes(lines));

  test("stand on the lines that they quote, among those that are shown", () => {
    const { text, marks } = noted(
      "= `if (a)` … `}`",
      "= `fourth`",
      "- `second` Why.",
      "- `fourth` How.",
      "",
      "More.",
    );
    expect(text.split("\n")).toEqual(["if (a) {", "  second();", "}", "// …", "fourth();", "}"]);
    expect(marks).toEqual([1, 4]);
    expect(noted("- `third` Why.").text).toBe(code);
    expect(noted("= `second`").text).toBe("second();\n// …");
    expect(readNotes(["- `third` Why,", "  and how.", "Words."])).toMatchObject({
      notes: [{ text: "third", words: "Why, and how." }],
      lineCount: 2,
    });
  });

  test.each([
    ["quote what no shown line has", ["= `first`", "- `third` Why."], 'on "third"'],
    ["begin with what is not there", ["= `zeroth`"], 'no line with "zeroth"'],
    ["end before they begin", ["= `third` … `first`"], 'no line with "first" to end'],
    ["are out of order", ["- `third` Why.", "- `first` How."], "in the order"],
    ["quote nothing", ["- third: why"], 'not "- third'],
  ])("stop the build where they %s", (_, lines, words) => {
    expect(() => noted(...lines)).toThrow(words);
  });

  test("stop the build where they are on more lines than one reads at once", () => {
    expect(() => notedCode("call();\n".repeat(40), readNotes(["- `call` Why."]))).toThrow("show at most 18");
  });
});

describe("a page that is built", () => {
  const glossary = [
    "# Glossary",
    "## cell {#cell}\n\nA copy of the [whole](/m1) application. → [m1](/m1)",
    "## circuit breaker {#breaker}\n\n<!-- forms: circuit breaker, breakers -->\n\nStops `asking`.\n\nMore.",
  ].join("\n\n");
  const proof = 'test.each([1])("serves %s", () => {\n  expect(1).toBe(1);\n});\n';
  const tree = plantTree({
    "stages/m1/src/a.ts": source,
    "stages/m1/src/long.ts": "call();\n".repeat(40),
    "shared/contract/m1/b.ts": proof,
    "site/glossary.md": glossary,
  });
  afterAll(() => tree[Symbol.dispose]());
  // VitePress keeps one renderer a process, so one tree serves both tests.
  const rendered = async (page: string) => {
    const config = (renderer: MarkdownRenderer) =>
      void renderer.use(embedCode(tree.root)).use(linkProofs(tree.root)).use(linkGlossary(tree.root));
    return (await createMarkdownRenderer(tree.root, { config, theme })).render(page, {
      relativePath: "m1.md",
    });
  };

  test("links the first use of each word of the glossary, with its definition", async () => {
    const html = await rendered("Cells here, cells there.\n\nTwo breakers, and a circuit breaker.\n");
    expect(
      [...html.matchAll(/<a href="([^"]+)" title="([^"]+)" class="term">(.+?)<\/a>/g)].map(([, ...of]) => of),
    ).toEqual([
      ["/glossary.html#cell", "A copy of the whole application.", "Cells"],
      ["/glossary.html#breaker", "Stops asking.", "breakers"],
    ]);
  });

  test("keeps the space between a linked word and what the next line begins with", async () => {
    expect(await rendered("A cell\n[or two](/m1).\n")).toContain("</a> <a");
  });

  test("leaves headings, code, links and parts of words as they are, and the words that it says are others", async () => {
    const html = await rendered(
      "# A cell\n\n`cell` [a cell](/m1) <a href='/m1'>cell</a> cell-based per-cell\n",
    );
    expect(html).not.toContain("term");
    expect(await rendered("---\nunlinked: [cell]\n---\n\nA cell.\n")).not.toContain("term");
  });

  test("is not built with an entry that leads nowhere", () => {
    expect(() => readGlossary("## cell\n\nA copy.\n")).toThrow('"cell" has no anchor');
    expect(() => readGlossary("## cell {#cell}\n\n## tier {#tier}\n\nB.\n")).toThrow(
      "has no anchor or no text",
    );
  });

  test("shows a region, and is not built where that is missing", async () => {
    expect(await rendered("<<< stages/m1/src/a.ts#inner\n")).toContain("<code>stages/m1/src/a.ts</code>");
    expect(await rendered("<<< stages/m1/src/long.ts\n")).toContain("<summary>Show all 40 lines</summary>");
    await expect(rendered("<<< stages/m1/src/a.ts#lost\n")).rejects.toThrow(
      'm1.md: "stages/m1/src/a.ts" has no region "lost"',
    );
    await expect(rendered("<<< stages/m1/src/a.ts {1,2}\n")).rejects.toThrow("Write <<< path#region");
  });

  test("has notes beside a region, and a region folded under its caption", async () => {
    const html = await rendered(
      "<<< stages/m1/src/a.ts#outer\n= `const b`\n- `const b` It is **two**.\n\nNext.\n",
    );
    expect(html).toMatch(
      /<span class="code-line is-noted note-1"><span class="note-mark" data-note="1"><\/span>.*?2/,
    );
    expect(html).toContain("It is <strong>two</strong>.");
    expect(html).toContain("<summary>Show all 2 lines</summary>");
    expect(html).toContain("<p>Next.</p>");
    expect(await rendered("<<< stages/m1/src/a.ts#inner | The `b`\n")).toContain(
      "<summary>The <code>b</code> <code>a.ts</code> <span>1 line</span></summary>",
    );
    await expect(rendered("<<< stages/m1/src/a.ts#inner\n- `lost` Why.\n")).rejects.toThrow(
      "m1.md: <<< stages/m1/src/a.ts#inner: a note is on",
    );
  });

  test("has the proof of a claim below it, under the words of the link, and is not built without", async () => {
    const page = (link: string) => rendered(`${link}\n\n<Proofs />\n`);
    const html = await page('[serves all of them](test:shared/contract/m1 "serves %s")');
    const id = /<a href="#([^"]+)"/.exec(html)?.[1];
    expect(html).toContain(`<pre id="${id}"`);
    expect(html).toContain("<summary>serves all of them <code>shared/contract/m1/b.ts:1</code></summary>");
    expect(html).not.toContain("title=");
    await expect(page("[serves tea](test:shared/contract/m1)")).rejects.toThrow('has no test "serves tea"');
  });
});

describe("a stage's diff on a page", () => {
  test("groups its files where there are many", () => {
    const many = Object.fromEntries(
      Array.from({ length: 14 }, (_, index) => [
        `stages/m2/src/${index < 9 ? "http/" : ""}f${index}.ts`,
        "// New.\n",
      ]),
    );
    using tree = plantTree({ "stages/m1/src/main.ts": "", "stages/m2/src/main.ts": "// New.\n", ...many });
    const html = stageDiffHtml("m1", "m2", tree.root);
    const heads = [...html.matchAll(/<summary><strong>(.*?)<\/strong> <span class="diff-counts">(.*?)</g)];
    expect(heads.map(([, name, count]) => `${name}: ${count}`).sort()).toEqual([
      "changed: 1 file",
      "new, in http/: 9 files",
      "new: 5 files",
    ]);
  });

  test("has the reason for each changed file, what changed, and nothing that Vue or a browser would run", () => {
    const readme =
      "| File | Change | Why |\n|---|---|---|\n| `a.ts` | changed | Because of `x<y`. |\n| `b.ts` | new | **New** idea. |\n";
    using tree = plantTree({
      "stages/m1/src/main.ts": "",
      "stages/m2/src/main.ts": "",
      "stages/m1/src/a.ts": "const one = 1;\n",
      "stages/m2/src/a.ts": "const two = `<b>{{ 2 }}</b>`;\n",
      "stages/m2/src/b.ts": "// What b is for.\n\nconst b = 1;\n",
      "stages/m2/README.md": readme,
    });
    const html = stageDiffHtml("m1", "m2", tree.root);
    expect(html).toContain("Because of <code>x&lt;y</code>.");
    expect(html).toContain("<del>-const one = 1;</del>");
    expect(html).toContain("<ins>+const two = `&lt;b&gt;&#123;&#123; 2 }}&lt;/b&gt;`;</ins>");
    expect(html).toContain("// What b is for.");
    expect(html).toContain("<strong>New</strong> idea.");
  });
});

describe("the ladder of m5", () => {
  const ladder = (...lines: string[]) =>
    readLadder(["# m5", "## The ladder", ...lines, "", "## Next", ""].join("\n"));

  test("is read from the README: headings, words and tables", () => {
    expect(ladder("Measured with `wrk`,", "on **two** cores: a < b.", "", "### Large bodies")).toEqual([
      { kind: "words", html: "Measured with <code>wrk</code>, on <strong>two</strong> cores: a &lt; b." },
      { kind: "heading", html: "Large bodies" },
    ]);
  });

  test("has the rows of a table, but not those of the steps, which the page has as a plot", () => {
    const table = (cell: string) => ["| Step | Saved |", "| ---- | ----- |", `| ${cell} | 3.0 % |`, ""];
    const steps = ["<!-- rungs: run this -->", "", ...table("onread"), "<!-- /rungs -->", ""];
    expect(ladder(...steps, ...table("`a`"))).toEqual([
      {
        kind: "table",
        rows: [
          ["Step", "Saved"],
          ["<code>a</code>", "3.0 %"],
        ],
      },
    ]);
  });

  test("that is not there stops the build", () => {
    expect(() => readLadder("# m5\n\n## Files\n")).toThrow("no section");
  });
});

describe("what a page says of itself", () => {
  const context = { title: "Bench", description: "What it costs.", pageData: { relativePath: "annex/a.md" } };
  const fields = (origin?: string) =>
    Object.fromEntries(
      pageHead(context, origin, "/book/").map(([, of]) => [
        of?.["property"] ?? of?.["name"],
        of?.["content"],
      ]),
    );

  test("has a picture with its whole address where the site is published, and none elsewhere", () => {
    expect(fields("https://example.org")).toMatchObject({
      "og:title": "Bench",
      "og:url": "https://example.org/book/annex/a",
      "og:image": "https://example.org/book/card.png",
    });
    expect(Object.keys(fields())).toEqual(["og:type", "og:site_name", "og:title", "og:description"]);
  });

  test("names the size that the picture has", () => {
    const png = readFileSync(new URL("../../site/public/card.png", import.meta.url));
    expect({ width: png.readUInt32BE(16), height: png.readUInt32BE(20) }).toEqual(cardSize);
  });
});

describe("the built site", () => {
  const page = (body: string) => `<!doctype html><html><body>${body}</body></html>`;

  test("may link to its pages, their anchors and the world", () => {
    using tree = plantTree({
      "index.html": page(
        '<a href="/m1#run">1</a><a class="x" href="#here">2</a><i id="here"></i><a href="https://example.com">3</a>',
      ),
      "m1.html": page('<h2 id="run">Run</h2><a href="/">home</a><a href="./#here">here</a>'),
    });
    expect(validateBuiltSite(tree.root).faults).toEqual([]);
  });

  test.each([
    ["a page that is not there", '<a href="/m9">9</a>', "leads to no page"],
    ["an anchor that is not there", '<a href="/m1#nowhere">9</a>', "without the anchor #nowhere"],
    ["an anchor of its own that is not there", '<a href="#nowhere">9</a>', "without the anchor #nowhere"],
    [
      "a script of another machine",
      '<script src="https://cdn.example.com/a.js"></script>',
      "from another machine",
    ],
    [
      "a style of another machine",
      '<link rel="stylesheet" href="//fonts.example.com/a.css">',
      "from another machine",
    ],
  ])("is refused with %s", (_, body, words) => {
    using tree = plantTree({ "index.html": page(body), "m1.html": page("") });
    const { faults } = validateBuiltSite(tree.root);
    expect(faults).toHaveLength(1);
    expect(faults[0]).toContain(words);
  });

  test("may stand under a path of its host", () => {
    using tree = plantTree({
      "index.html": page('<a href="/book/m1">1</a><a href="/m1">out</a>'),
      "m1.html": page(""),
    });
    expect(validateBuiltSite(tree.root, "/book/").faults).toEqual([
      "index.html: the link /m1 leads out of the site",
    ]);
  });

  test("is refused when its first page is too heavy, whatever the other pages weigh", () => {
    const noise = randomBytes(250_000).toString("base64");
    const heavy = { "large.js": noise, "larger.js": noise + noise };
    using tree = plantTree({ ...heavy, "index.html": page('<script src="/larger.js"></script>') });
    expect(validateBuiltSite(tree.root).faults).toEqual([expect.stringContaining("more than 300 kB")]);
    using light = plantTree({ ...heavy, "index.html": page(""), "m1.html": page('<img src="/larger.js">') });
    expect(validateBuiltSite(light.root).faults).toEqual([]);
  });
});

describe("the browser", () => {
  test("is the one that CHROMIUM names, or none", () => {
    expect(findBrowser({ PATH: "" })).toBeUndefined();
    expect(findBrowser({ CHROMIUM: process.execPath, PATH: "" })).toBe(process.execPath);
    expect(findBrowser({ CHROMIUM: "/nowhere/chromium", PATH: process.env["PATH"] })).toBeUndefined();
  });
});
