// The small answer that every cell of the bench gives, and by which the guard knows which cell gave it.

/** The size of the body, in bytes: a small JSON document. */
export const responseBytes = 512;

export function responseBody(cell: string): string {
  const start = `{"cell":"${cell}","padding":"`;
  return `${start}${"x".repeat(responseBytes - start.length - 2)}"}`;
}
