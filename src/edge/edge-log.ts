export interface EdgeLog {
  warn(message: string): void;
  error(message: string): void;
}
