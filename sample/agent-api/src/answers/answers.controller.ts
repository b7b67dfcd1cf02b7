import { Readable } from 'node:stream';
import {
  Body,
  Controller,
  Headers,
  HttpCode,
  type MessageEvent,
  Post,
  Query,
  Sse,
  StreamableFile,
} from '@nestjs/common';
import { ApiOperation, ApiTags } from '@nestjs/swagger';
import { Public } from 'nestjs-agent-security';
import { concat, from, map, of, type Observable } from 'rxjs';
import { type AnswerPart, AnswersService } from './answers.service.js';
import { PromptDto } from './prompt.dto.js';

/** Behind every part. */
const LAST_ID = '999999';

@ApiTags('answers')
@Public()
@Controller('answers')
export class AnswersController {
  constructor(private readonly answers: AnswersService) {}

  /** For EventSource: each event carries its position as ID, and a reconnect goes on behind the last one received. */
  @ApiOperation({ summary: 'Streams an answer as server-sent events' })
  @Sse('stream')
  stream(
    @Query() { prompt }: PromptDto,
    @Headers('last-event-id') lastEventId: string | undefined,
  ): Observable<MessageEvent> {
    const after = /^\d{1,6}$/.test(lastEventId ?? '') ? Number(lastEventId) : 0;
    return concat(
      from(this.answers.answer(prompt, after)).pipe(
        map(({ position, text }) => ({ id: String(position), data: { text } })),
      ),
      // An EventSource reconnects when a stream ends; at this event its page closes it. Without an ID of ours Nest would
      // number it, and a page that reconnects nevertheless would hear the answer again.
      of({ id: LAST_ID, type: 'done', data: {} }),
    );
  }

  /** For fetch: the same parts, one JSON text a line. */
  @ApiOperation({ summary: 'Streams an answer as JSON lines' })
  @Post()
  @HttpCode(200)
  answer(@Body() { prompt }: PromptDto): StreamableFile {
    const lines = toLines(this.answers.answer(prompt));
    return new StreamableFile(Readable.from(lines, { objectMode: false }), { type: 'application/x-ndjson' });
  }
}

async function* toLines(parts: AsyncIterable<AnswerPart>): AsyncGenerator<string> {
  for await (const part of parts) yield `${JSON.stringify(part)}\n`;
}
