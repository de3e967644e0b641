// The shape of every error response (RFC 9457), and what it must not tell.

import { expect } from "vitest";
import type { RawResponse } from "../../testkit/http-message.ts";
import { expectForm } from "../expect-form.ts";

/**
 * Asserts that the router itself answered with an error, and in form: with one of these statuses, in the one form of an
 * error. Where the cell is at fault, the client must not be blamed.
 */
export function expectProblem(response: RawResponse, ...statuses: number[]): void {
  const isOfCell = statuses.every((status) => status > 501);
  expect(response.status, `the status of ${JSON.stringify(response.text())}`).toBeGreaterThanOrEqual(
    isOfCell ? 500 : 400,
  );
  expect(response.ending).not.toBe("truncated");
  expectNothingInternal(response);
  expectForm(() => expectProblemForm(response, statuses));
}

function expectProblemForm(response: RawResponse, statuses: readonly number[]): void {
  expect(statuses, `the status of ${JSON.stringify(response.text())}`).toContain(response.status);
  expect(response.headers.one("content-type")).toMatch(/^application\/problem\+json\b/);
  expect(response.ending).toBe("complete");
  const problem = response.json();
  for (const member of ["type", "title", "detail", "code", "requestId"]) {
    expect(problem[member], member).toEqual(expect.any(String));
    expect(problem[member], member).not.toBe("");
  }
  expect(problem["status"]).toBe(response.status);
  expect(response.headers.one("x-request-id")).toBe(problem["requestId"]);
}

/** Addresses, error codes of the system, file names and stacks help an attacker and nobody else. */
export function expectNothingInternal(response: RawResponse): void {
  const said = [response.reason, ...response.headers.pairs.flat(), response.text()].join("\n");
  expect(said).not.toMatch(/127\.0\.0\.1|localhost|:\d{4,5}\b/);
  expect(said).not.toMatch(/\bE[A-Z]{4,}\b|UND_ERR|HPE_|ERR_[A-Z]+/);
  expect(said).not.toMatch(/node_modules|node:|\.ts\b|\.js\b|\bat .+:\d+|undici|llhttp/i);
}
