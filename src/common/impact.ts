/** What a call of a tool can do: `'high'` for what cannot be undone, or costs money, or touches other people's data. */
export const IMPACTS = ['low', 'medium', 'high'] as const;
export type Impact = (typeof IMPACTS)[number];
