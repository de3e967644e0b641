// The small response of every cell of the bench. The guard knows by it which cell responded.

/** The size of the body, in bytes: a small JSON document. */
export const responseBytes = 512;

export function responseBody(cell: string): string {
  const start = `{"cell":"${cell}","padding":"`;
  return `${start}${"x".repeat(responseBytes - start.length - 2)}"}`;
}
