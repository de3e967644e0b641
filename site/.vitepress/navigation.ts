// The order in which the pages are read.

import type { DefaultTheme } from "vitepress";

const start = [
  { text: "What cell routing is, and when not to", link: "/what-cell-routing-is" },
  { text: "Set up", link: "/set-up" },
];

const milestones = [
  { text: "m1 · Static routing, streaming proxy", link: "/m1" },
  { text: "m2 · Hot reload", link: "/m2" },
  { text: "m3 · A control plane that pushes", link: "/m3" },
  { text: "m4 · Resilience that stays local", link: "/m4" },
  { text: "m5 · The optimised rewrite", link: "/m5" },
];

/** They follow m5 in the order of reading, and would be too many in the menu at the top. */
const partsOfM5 = [
  { text: "1 · A strict parser", link: "/m5-parser" },
  { text: "2 · Sockets", link: "/m5-sockets" },
  { text: "3 · Workers", link: "/m5-workers" },
  { text: "4 · Delta pushes", link: "/m5-deltas" },
];

const practice = [
  { text: "The eight invariants", link: "/invariants" },
  { text: "Exercises", link: "/exercises" },
  { text: "Bench", link: "/bench" },
  { text: "Two ports: Pingora and Go", link: "/ports" },
  { text: "After the last milestone", link: "/after-the-last-milestone" },
  { text: "In production", link: "/in-production" },
  { text: "Glossary", link: "/glossary" },
];

const annexes = [
  { text: "Request pipelines", link: "/annex/request-pipelines" },
  { text: "Authentication and routing keys", link: "/annex/authentication" },
  { text: "Distributed rate limiting", link: "/annex/distributed-rate-limiting" },
  { text: "Shuffle sharding", link: "/annex/shuffle-sharding" },
  { text: "Caching", link: "/annex/caching" },
  { text: "Where a WAF stands", link: "/annex/waf-placement" },
  { text: "Edge workers", link: "/annex/edge-workers" },
  { text: "What Pingora does differently", link: "/annex/pingora" },
];

export const nav: DefaultTheme.NavItem[] = [
  { text: "Start", link: "/what-cell-routing-is" },
  { text: "Milestones", items: milestones },
  {
    text: "Exercises",
    items: [
      { text: "All exercises", link: "/exercises" },
      { text: "Do the first one in the page", link: "/exercise/m1-01-route-lookup" },
    ],
  },
  { text: "Bench", link: "/bench" },
  { text: "Glossary", link: "/glossary" },
];

export const sidebar: DefaultTheme.Sidebar = [
  { text: "Start", items: start },
  { text: "Milestones", items: milestones },
  { text: "m5 in parts", items: partsOfM5 },
  { text: "Practice and measure", items: practice },
  { text: "Annexes", items: annexes },
];
