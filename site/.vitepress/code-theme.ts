// How code is coloured, in the light scheme and in the dark one.

export const codeTheme = { light: "github-light-high-contrast", dark: "github-dark-high-contrast" } as const;
