// The editor: CodeMirror with TypeScript, one document for each file. Tab leaves it, as it leaves every field of a page;
// Ctrl-] and Ctrl-[ indent, and a new line is indented by itself.

import { defaultKeymap, history, historyKeymap } from "@codemirror/commands";
import { javascript } from "@codemirror/lang-javascript";
import {
  bracketMatching,
  HighlightStyle,
  indentOnInput,
  indentUnit,
  syntaxHighlighting,
} from "@codemirror/language";
import { EditorState, type Extension, Transaction } from "@codemirror/state";
import { drawSelection, EditorView, highlightActiveLine, keymap, lineNumbers } from "@codemirror/view";
import { tags } from "@lezer/highlight";
import type { AnswerFiles } from "./bundle.ts";

/** The classes have the colours of the code on all other pages: see `exercise.css`. */
const colours = HighlightStyle.define([
  { tag: [tags.keyword, tags.modifier, tags.operatorKeyword], class: "cm-k1" },
  { tag: [tags.function(tags.variableName), tags.function(tags.propertyName)], class: "cm-k2" },
  { tag: [tags.number, tags.bool, tags.null, tags.typeName, tags.self], class: "cm-k3" },
  { tag: [tags.string, tags.regexp, tags.special(tags.string)], class: "cm-k4" },
  { tag: tags.className, class: "cm-k5" },
  { tag: tags.comment, class: "cm-k6" },
]);

/** Where the code begins: what stands above it says what is given. */
const codeBegins = /^(?:export )?(?:async )?(?:function|class) /m;

export interface Editor {
  /** Shows a file, from where its code begins. */
  show(file: string): void;
  /** Takes the place of all texts; what was typed before is forgotten. */
  replace(files: AnswerFiles): void;
  /** Shows a line of the file that is shown, counted from 1, and puts the cursor there. */
  goTo(line: number): void;
  close(): void;
}

/** @param onTyped Gets the file and its text after each change by the learner. */
export function openEditor(
  parent: HTMLElement,
  files: AnswerFiles,
  onTyped: (file: string, text: string) => void,
): Editor {
  const states = new Map<string, EditorState>();
  let shown = Object.keys(files)[0] ?? "";
  const view = new EditorView({ parent });
  const replace = (next: AnswerFiles) => {
    for (const [file, text] of Object.entries(next)) states.set(file, stateOf(file, text, onTyped));
    view.setState(states.get(shown) ?? EditorState.create());
  };
  const scrollToCode = () => {
    const at = codeBegins.exec(view.state.doc.toString())?.index;
    if (at === undefined) return;
    // CodeMirror's own way of scrolling would move the page as well. A few lines of what stands above stay in sight.
    view.requestMeasure({
      read: () => view.lineBlockAt(at).top - 4 * view.defaultLineHeight,
      write: (top) => {
        view.scrollDOM.scrollTop = top;
      },
    });
  };
  replace(files);
  scrollToCode();
  return {
    show(file) {
      states.set(shown, view.state);
      shown = file;
      view.setState(states.get(file) ?? EditorState.create());
      scrollToCode();
    },
    replace,
    goTo(line) {
      const { from } = view.state.doc.line(Math.min(Math.max(line, 1), view.state.doc.lines));
      view.dispatch({
        selection: { anchor: from },
        effects: EditorView.scrollIntoView(from, { y: "center" }),
      });
      view.focus();
    },
    close: () => view.destroy(),
  };
}

function stateOf(file: string, doc: string, onTyped: (file: string, text: string) => void): EditorState {
  const extensions: Extension[] = [
    lineNumbers(),
    history(),
    drawSelection(),
    indentOnInput(),
    bracketMatching(),
    highlightActiveLine(),
    indentUnit.of("  "),
    EditorView.lineWrapping,
    javascript({ typescript: true }),
    syntaxHighlighting(colours),
    keymap.of([...defaultKeymap, ...historyKeymap]),
    EditorView.contentAttributes.of({
      "aria-label": `${file}: your code. Tab leaves the editor.`,
      // As it is without this; said aloud for tools that look for what scrolls and can be reached.
      tabindex: "0",
    }),
    EditorView.updateListener.of(({ docChanged, transactions, state }) => {
      if (docChanged && transactions.some((each) => each.annotation(Transaction.userEvent) !== undefined))
        onTyped(file, state.doc.toString());
    }),
  ];
  return EditorState.create({ doc, extensions });
}
