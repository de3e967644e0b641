// The site: serves it while it is written and read, or builds it as plain files.
//
//   npm run docs                       on http://127.0.0.1:5173, follows every change
//   npm run docs -- --port 5200        on another port
//   npm run docs:build                 builds site/.vitepress/dist and holds its links, anchors and size to account
//
// DOCS_BASE is the path under which the built site will stand, such as /name/. DOCS_ORIGIN is its host, as https://example.org, and
// DOCS_SOURCE the address of the repository; where they are not known, a page names no picture and no address to clone from.
//
// Exit codes: 0 good, 1 the request or a page is at fault, 2 ours.

import { colours, runCommand, UsageError, wholeNumber } from "./command-line.ts";
import { builtSiteFolder, validateBuiltSite } from "./docs/built-site.ts";
import { firstBusyPort, portHolder } from "./ports.ts";
import { packageFile, runHere } from "./run-tool.ts";
import { projectRoot } from "./stages.ts";

const usage = `Usage: npm run docs [-- flags]
  --port N   port of the site (5173)
  --build    build the site and check its links; npm run docs:build is the same
  --help     this text`;

const options = {
  port: { type: "string" },
  build: { type: "boolean" },
} as const;

const defaultPort = 5173;

async function serve(text: string): Promise<number> {
  const port = wholeNumber("--port", text, 1, 65_535);
  if ((await firstBusyPort([{ port, name: "site" }])) !== undefined) {
    const holder = portHolder(port);
    throw new UsageError(
      `port ${port} is busy${holder === undefined ? "" : `, held by ${holder}`}: end that, or choose another one with --port`,
    );
  }
  console.log(`The site: http://127.0.0.1:${port}/   (Ctrl-C ends it)`);
  const { code, stopped } = await vitepress(
    "dev",
    "site",
    "--host",
    "127.0.0.1",
    "--port",
    text,
    "--strictPort",
  );
  // Ended by the reader's own Ctrl-C: that is how a server ends.
  return stopped ? 0 : code;
}

async function build(): Promise<number> {
  const { code, stopped } = await vitepress("build", "site");
  if (stopped || code !== 0) return 1;
  const { faults, summary } = validateBuiltSite(
    builtSiteFolder(projectRoot),
    process.env["DOCS_BASE"] ?? "/",
  );
  const c = colours();
  for (const fault of faults) console.error(`${c.red("error")} ${fault}`);
  console.log(summary);
  return faults.length === 0 ? 0 : 1;
}

const vitepress = (...args: string[]) => runHere(packageFile("vitepress/bin/vitepress.js"), args);

await runCommand({ name: "docs", usage, options, flagsOnly: true }, (values) =>
  values.build === true ? build() : serve(values.port ?? String(defaultPort)),
);
