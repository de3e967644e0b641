// A throw is a fault of this router itself. It is contained where the system calls in, or where one part calls another's
// decisions: it costs one request or one connection, and this is how it becomes known.

/** Makes a fault known to the operators. Never throws. */
export type FaultReport = (error: unknown) => void;

/** `call`, which what it throws is reported for: whoever calls it has done nothing wrong and goes on. */
export function contained<Args extends unknown[]>(
  call: (...args: Args) => void,
  report: FaultReport,
): (...args: Args) => void {
  return (...args) => {
    try {
      call(...args);
    } catch (error) {
      report(error);
    }
  };
}
