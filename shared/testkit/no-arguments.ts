// For a program that takes no arguments, such as one that is set by environment variables. Without this, `--help` and a flag that
// does not exist would start it. Call it before anything is opened: it may end the process.

/** Returns where there are no arguments. `--help` prints the usage and ends the process; anything else is a fault. */
export function takeNoArguments(usage: string, [first] = process.argv.slice(2)): void {
  if (first === undefined) return;
  if (first === "--help") {
    console.log(usage);
    process.exit(0);
  }
  const kind = first.startsWith("-") ? "flag" : "word";
  console.error(`unknown ${kind} "${first}": this program takes no arguments; see --help`);
  process.exit(1);
}
