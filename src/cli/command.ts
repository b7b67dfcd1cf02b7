/** The environment and the output streams of a command, which tests replace. */
export interface CommandIo {
  readonly env: Readonly<Record<string, string | undefined>>;
  /** Writes to standard output. */
  out(text: string): void;
  /** Writes to standard error. */
  err(text: string): void;
}

/** @returns the exit status: 0 for success, 1 for a failure, 2 for wrong usage */
export type Command = (args: readonly string[], io: CommandIo) => Promise<number>;
