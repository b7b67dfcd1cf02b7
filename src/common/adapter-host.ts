/* Tells when an app has its HTTP adapter. */
import type { AbstractHttpAdapter, HttpAdapterHost } from '@nestjs/core';

/**
 * Calls `install` once the app has its adapter: at once, or later with `Test.createTestingModule()`, which sets it after the providers are
 * constructed. An app without HTTP has none.
 */
export function whenAdapterIsSet(
  host: HttpAdapterHost,
  install: (adapter: AbstractHttpAdapter) => void,
): void {
  const installIfSet = (): void => {
    if (host.httpAdapter) install(host.httpAdapter);
  };
  if (host.httpAdapter) installIfSet();
  else host.init$.subscribe(installIfSet);
}
