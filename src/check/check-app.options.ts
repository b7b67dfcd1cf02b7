/* The options of `AgentSecurityModule.check()`. */

/**
 * The second argument of `AgentSecurityModule.check()`.
 * @example
 * const report = await AgentSecurityModule.check(app, { deploy: true, env: { NODE_ENV: 'production' } });
 */
export interface CheckAppOptions {
  /** Whether the checks of a deployment run too. @default false */
  deploy?: boolean;
  /** The environment variables that the checks of a deployment read: `NODE_ENV`, `DEBUG`. @default process.env */
  env?: Readonly<Record<string, string | undefined>>;
  /** The folder of the app's package.json. @default the working directory */
  folder?: string;
  /** The vulnerable packages that `npm audit --json` has named; the command `check --deploy` passes them. @default none */
  vulnerable?: readonly { readonly name: string; readonly severity: string }[];
}
