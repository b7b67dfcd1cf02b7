/** Whether a text is a `token`, as names of header fields and methods are (RFC 9110 section 5.6.2). */
export const isToken = (text: string): boolean => /^[!#$%&'*+.^_`|~0-9A-Za-z-]+$/.test(text);
