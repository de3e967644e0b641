/** Breaks lines at spaces so that none is longer than `width`, where a space allows it; keeps indentation. */
export function wrap(text: string, width: number): string {
  return text
    .split("\n")
    .map((line) => wrapLine(line, width))
    .join("\n");
}

function wrapLine(line: string, width: number): string {
  const rows: string[] = [];
  let rest = line;
  while (rest.length > width) {
    const space = rest.lastIndexOf(" ", width);
    const cut = rest.slice(0, Math.max(space, 0)).trim() === "" ? rest.indexOf(" ", width) : space;
    if (cut === -1) break;
    rows.push(rest.slice(0, cut));
    rest = rest.slice(cut + 1);
  }
  return [...rows, rest].join("\n");
}
