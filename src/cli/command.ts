/** What a command is given, so that a test can give it something else. */
export interface Surroundings {
  readonly env: Readonly<Record<string, string | undefined>>;
  out(text: string): void;
  err(text: string): void;
}

/** @returns the exit status */
export type Command = (args: readonly string[], surroundings: Surroundings) => Promise<number>;
