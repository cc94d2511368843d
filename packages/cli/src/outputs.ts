// The forms in which a client word prints an answer (SURFACE.md "Commands").

export const OUTPUTS = ['table', 'json', 'yaml', 'name'] as const
/** `table` for people, `json` and `yaml` for programs, `name` for the next command in a pipe. */
export type Output = (typeof OUTPUTS)[number]
