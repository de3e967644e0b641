// VitePress's theme without its fonts, in the project's colours, and the components that many pages use.

import type { Theme } from "vitepress";
import DefaultTheme from "vitepress/theme-without-fonts";
import Predict from "../../components/Predict.vue";
import Quiz from "../../components/Quiz.vue";
import StageDiff from "../../components/StageDiff.vue";
import "./charts.css";
import "./colours.css";
import "./exercise-map.css";
import "./notes.css";
import "./pages.css";
import "./simulations.css";

export default {
  extends: DefaultTheme,
  enhanceApp({ app }) {
    app.component("Predict", Predict);
    app.component("Quiz", Quiz);
    app.component("StageDiff", StageDiff);
  },
} satisfies Theme;
