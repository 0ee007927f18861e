/** UTC days as YYYY-MM-DD, which compare as text. */
const dayMs = 86_400_000;

export const dayOf = (ms: number): string => new Date(ms).toISOString().slice(0, 10);

/** The day `count` days after `day`; before it when negative. */
export const addDays = (day: string, count: number): string => dayOf(Date.parse(day) + count * dayMs);
