// The clock by which the processes of the fleet bench compare their times.

/** Milliseconds on the clock that all processes of this machine share. */
export function machineNowMs(): number {
  return Number(process.hrtime.bigint()) / 1e6;
}
