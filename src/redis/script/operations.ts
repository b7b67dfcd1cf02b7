/** What the script does with the charges of a call. */
export const CONSUME = 0;
export const SETTLE = 1;
export const RENEW = 2;
export const RESET = 3;
/** Gives the costs back, because another part of the same request was denied. */
export const RETURN = 4;
