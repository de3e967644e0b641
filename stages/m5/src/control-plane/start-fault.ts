// Why a start of the control plane failed, in one sentence that says what to change.

import { cannotStart, isOfListening, type ListenError, listenFault } from "../start-fault.ts";
import { readControlPlaneSettings } from "./settings.ts";

/** For the last words of a process. `environment` is what `readControlPlaneSettings` was given. */
export function controlPlaneStartFault(
  error: ListenError,
  environment: Readonly<Record<string, string | undefined>>,
): string {
  // What the system refuses has a code; every other error says by itself what to change.
  if (error.code === undefined) return cannotStart(error.message);
  const settings = readControlPlaneSettings(environment);
  if (isOfListening(error)) {
    const port = { name: "CONTROL_PLANE_PORT", value: settings.CONTROL_PLANE_PORT };
    return listenFault(error, { name: "HOST", value: settings.HOST }, port);
  }
  const { path = "" } = error;
  // What failed may be the folder around it.
  const name = (["CONTROL_PLANE_TOKEN_FILE", "STATE_DIR"] as const).find((each) => {
    const value = settings[each];
    return value !== undefined && path !== "" && (path.startsWith(value) || value.startsWith(path));
  });
  if (name === undefined) return cannotStart(error.message);
  const value = JSON.stringify(settings[name]);
  return cannotStart(
    `${name}=${value} cannot be used: ${error.message}; set ${name} to a place of this user's own.`,
  );
}
