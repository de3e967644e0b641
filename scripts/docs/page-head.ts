// What a page says of itself to those who link to it: title, description and picture (Open Graph).
// https://ogp.me

import type { HeadConfig, TransformContext } from "vitepress";

export const cardSize = { width: 1200, height: 630 } as const;

/**
 * @param origin Where the site is published, as `https://example.org`. Whoever reads these fields wants whole addresses, so without an
 *   origin, as on a reader's own machine, the picture is left out.
 */
export function pageHead(
  {
    title,
    description,
    pageData,
  }: Pick<TransformContext, "title" | "description"> & {
    readonly pageData: { readonly relativePath: string };
  },
  origin: string | undefined,
  base: string,
): HeadConfig[] {
  const property = (name: string, content: string): HeadConfig => [
    "meta",
    { property: `og:${name}`, content },
  ];
  const words = [
    property("type", pageData.relativePath === "index.md" ? "website" : "article"),
    property("site_name", "Cell Routing from Scratch"),
    property("title", title),
    property("description", description),
  ];
  if (origin === undefined || origin === "") return words;
  const path = pageData.relativePath.replace(/(?:(?<=^|\/)index)?\.md$/, "");
  return [
    ...words,
    property("url", `${origin}${base}${path}`),
    property("image", `${origin}${base}card.png`),
    property("image:width", String(cardSize.width)),
    property("image:height", String(cardSize.height)),
    property(
      "image:alt",
      "A router in front of four cells, one of which is down. When one tenant breaks, only that tenant should notice.",
    ),
    ["meta", { name: "twitter:card", content: "summary_large_image" }],
  ];
}
