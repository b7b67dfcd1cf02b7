/** What an agent can call: a text in, plain data out. */
export interface Tool {
  readonly name: string;
  readonly description: string;
  /** An input that works. */
  readonly example: string;
  /** @throws Error with a message for the caller, if the input is no good */
  run(input: string): Record<string, unknown>;
}
