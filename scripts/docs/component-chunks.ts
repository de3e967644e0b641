// Vite: each component of a page gets a file of its own. VitePress ships every page twice, once without its text; what is
// bundled into a page is shipped twice along with it, and a simulation is larger than most pages.

/** The part of Rollup's output options that is changed here. */
interface OutputOptions {
  manualChunks?: unknown;
}

type Assign = (id: string, context: unknown) => string | undefined;

export const componentChunks = {
  name: "component-chunks",
  outputOptions(options: OutputOptions): OutputOptions | null {
    const vitepress = options.manualChunks;
    // The build for the server has none, and is thrown away after the pages are rendered.
    if (typeof vitepress !== "function") return null;
    const assign: Assign = (id, context) => vitepress(id, context) ?? chunkOf(id);
    return { ...options, manualChunks: assign };
  },
};

const players =
  /\/site\/(?:components\/(?:Sim\w+|CanBreak|DotCanvas|TimelineHead|use-\w+|dots|scene|layouts)|simulations\/(?:simulation|random|event-queue|faults|trips|timeline|route-scenario))\.(?:ts|vue)/;

function chunkOf(id: string): string | undefined {
  if (players.test(id)) return "player";
  if (id.includes("/node_modules/zod/")) return "zod";
  const stage = /\/stages\/(m\d)\/src\//.exec(id)?.[1];
  // The home page shows this scene, and not what else stands on the page of m1.
  if (/RoutingScene|HomeSim|route-lab/.test(id)) return "route-lab";
  return stage ?? /\/site\/components\/([A-Z]\w+)\.vue$/.exec(id)?.[1];
}
