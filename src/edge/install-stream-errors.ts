/* Answers a `StreamableFile` whose stream fails as a problem. Express's adapter hands such an error to the file itself, which sends text
 * and passes no exception filter; Fastify's hands it to the filters. */
import type { IncomingMessage, ServerResponse } from 'node:http';
import { StreamableFile } from '@nestjs/common';
import type { AbstractHttpAdapter } from '@nestjs/core';
import { hasResponseEnded } from '../common/response-end.js';

type AnswerError = (request: IncomingMessage, response: ServerResponse, error: unknown) => void;
type Reply = (response: ServerResponse, body: unknown, status?: number) => unknown;

/** Each file has a function of its own as its default, so the text tells whether the app has set another. */
const DEFAULT_HANDLER = String(new StreamableFile(new Uint8Array()).errorHandler);

export function installStreamErrors(adapter: AbstractHttpAdapter, answer: AnswerError): void {
  if (adapter.getType() !== 'express') return;
  const slots = adapter as unknown as { reply: Reply };
  const reply = slots.reply.bind(adapter);
  slots.reply = (response, body, status) => {
    if (body instanceof StreamableFile) replaceDefault(body, response, answer);
    return reply(response, body, status);
  };
}

function replaceDefault(file: StreamableFile, response: ServerResponse, answer: AnswerError): void {
  const byDefault = file.errorHandler;
  if (String(byDefault) !== DEFAULT_HANDLER) return;
  file.setErrorHandler((error, handed) => {
    // What has begun is cut off, so that the file does not look whole.
    if (response.headersSent || hasResponseEnded(response)) byDefault(error, handed);
    else answer(response.req, response, error);
  });
}
