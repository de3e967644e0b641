// Whether a learner has begun to write. Pure, because the page asks too.

/** Whether two texts say the same, whatever became of spaces, line ends and comments. */
export function saysTheSame(text: string, starter: string): boolean {
  return essence(text) === essence(starter);
}

function essence(source: string): string {
  return source.replace(/\/\*[\s\S]*?\*\/|(?<!:)\/\/.*$/gm, "").replace(/\s+/g, "");
}
