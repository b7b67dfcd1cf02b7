declare module 'passport-http-bearer' {
  export class Strategy {
    constructor(verify: (token: string, done: (error: unknown, user?: unknown) => void) => void);
  }
}
