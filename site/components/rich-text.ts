// Text from a page's front matter, where `code` may stand between backticks.

import { type FunctionalComponent, h } from "vue";

export const RichText: FunctionalComponent<{ text: string }> = ({ text }) =>
  text.split("`").map((part, index) => (index % 2 === 1 ? h("code", part) : part));
RichText.props = ["text"];
