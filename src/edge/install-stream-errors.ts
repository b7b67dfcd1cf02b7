/* Responds with a problem when the stream of a `StreamableFile` fails. Express's adapter passes such an error to the
 * file's own handler, which sends text; Fastify's adapter passes it to the exception filters. */
import type { IncomingMessage, ServerResponse } from 'node:http';
import { StreamableFile } from '@nestjs/common';
import type { AbstractHttpAdapter } from '@nestjs/core';
import { hasResponseEnded } from '../common/response-end.js';

type AnswerError = (request: IncomingMessage, response: ServerResponse, error: unknown) => void;
type Reply = (response: ServerResponse, body: unknown, status?: number) => unknown;

/** Each file has its own default function, so its source text is compared to see whether the app has set another. */
const DEFAULT_HANDLER = String(new StreamableFile(new Uint8Array()).errorHandler);

export function installStreamErrors(adapter: AbstractHttpAdapter, answer: AnswerError): void {
  if (adapter.getType() !== 'express') return;
  const methods = adapter as unknown as { reply: Reply };
  const reply = methods.reply.bind(adapter);
  methods.reply = (response, body, status) => {
    if (body instanceof StreamableFile) replaceDefault(body, response, answer);
    return reply(response, body, status);
  };
}

function replaceDefault(file: StreamableFile, response: ServerResponse, answer: AnswerError): void {
  const original = file.errorHandler;
  if (String(original) !== DEFAULT_HANDLER) return;
  file.setErrorHandler((error, handed) => {
    // A response that has begun is aborted, so that the file does not look complete.
    if (response.headersSent || hasResponseEnded(response)) original(error, handed);
    else answer(response.req, response, error);
  });
}
