// What m1's simulation and its picture both name.

/** Stands for all cells in the world without them. */
export const sharedName = "shared";
