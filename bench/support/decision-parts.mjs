/** What a decision of ours consists of, each part with all that stand before it. */
export const OURS_IN_PARTS = ['key', 'clock', 'find', 'available', 'charge'];
