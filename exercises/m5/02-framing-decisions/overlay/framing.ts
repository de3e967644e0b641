// Stands in for the stage's `http1/framing.ts` while your two functions serve real traffic: it takes the values that they ask
// for out of the stage's field table.

import type { ConnectionOptions } from "../../../../stages/m5/src/http1/connection-options.ts";
import { Field } from "../../../../stages/m5/src/http1/field-names.ts";
import type { FieldSection } from "../../../../stages/m5/src/http1/field-section.ts";
import type { Refusal } from "../../../../stages/m5/src/http1/refusal.ts";
import type { MinorVersion } from "../../../../stages/m5/src/http1/version.ts";
import * as yours from "../starter/framing.ts";

export type { RequestBody, ResponseBody } from "../starter/framing.ts";

export function requestBody(fields: FieldSection, minorVersion: MinorVersion): yours.RequestBody | Refusal {
  return yours.requestBody(framingFields(fields), minorVersion);
}

export function responseBody(
  fields: FieldSection,
  minorVersion: MinorVersion,
  method: string,
  status: number,
): yours.ResponseBody | Refusal {
  return yours.responseBody(framingFields(fields), minorVersion, method, status);
}

/** As in the stage: it is the next exercise. */
export function persists(minorVersion: MinorVersion, connection: ConnectionOptions): boolean {
  if (connection.close) return false;
  return minorVersion === 1 || connection.keepAlive;
}

function framingFields(fields: FieldSection): yours.FramingFields {
  return {
    contentLength: fields.valuesOf(Field.contentLength),
    transferEncoding: fields.valuesOf(Field.transferEncoding),
  };
}
