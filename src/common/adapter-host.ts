/* Tells when an app has its HTTP adapter, in every supported version of Nest. */
import type { AbstractHttpAdapter, HttpAdapterHost } from '@nestjs/core';
import type { Observable } from 'rxjs';

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
  const { init$ } = host as { readonly init$?: Observable<void> };
  if (host.httpAdapter) installIfSet();
  else if (init$ === undefined) observeSetter(host, installIfSet);
  else init$.subscribe(installIfSet);
}

/** Nest 11.0 does not tell when it sets the adapter. */
function observeSetter(host: HttpAdapterHost, then: () => void): void {
  const { get, set } =
    Object.getOwnPropertyDescriptor(host, 'httpAdapter') ??
    Object.getOwnPropertyDescriptor(Object.getPrototypeOf(host), 'httpAdapter')!;
  Object.defineProperty(host, 'httpAdapter', {
    configurable: true,
    get: get!,
    set: (adapter: unknown) => {
      set!.call(host, adapter);
      then();
    },
  });
}
