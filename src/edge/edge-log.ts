export interface FrontLog {
  warn(message: string): void;
  error(message: string): void;
}
