/** Loads an optional package. @returns `undefined` where it is not installed @throws what a package that is installed throws */
export async function ifInstalled<T>(name: string, load: () => Promise<T>): Promise<T | undefined> {
  try {
    return await load();
  } catch (error) {
    const { code, message } = error as { code?: unknown; message?: unknown };
    // A package whose own dependency is missing is installed; the error names what is missing.
    const missing = /^Cannot find (?:package|module) '([^']+)'/.exec(String(message))?.[1] ?? name;
    if (String(code).endsWith('MODULE_NOT_FOUND') && missing === name) return undefined;
    throw error;
  }
}
