import { setTimeout as delay } from 'node:timers/promises';
import { Injectable } from '@nestjs/common';
import { readWholeNumber } from '../settings.js';
import { ToolsService } from '../tools/tools.service.js';

export interface AnswerPart {
  /** Where the part stands in the answer, from 1. */
  readonly position: number;
  readonly text: string;
}

/** An agent in small: it picks a tool for the prompt and says what came out, word by word. */
@Injectable()
export class AnswersService {
  readonly #delayMs = readWholeNumber('TOKEN_DELAY_MS', process.env['TOKEN_DELAY_MS'], 40, 10_000);

  constructor(private readonly tools: ToolsService) {}

  /**
   * The parts after position `after`. The same prompt has the same parts, so that a broken stream can be resumed.
   * @throws BadRequestException at once, not in the middle of a stream, for a prompt that cannot be answered
   */
  answer(prompt: string, after = 0): AsyncGenerator<AnswerPart> {
    return this.stream(this.compose(prompt).split(/(?<= )/), after);
  }

  private async *stream(words: readonly string[], after: number): AsyncGenerator<AnswerPart> {
    for (let position = after + 1; position <= words.length; position++) {
      if (position > after + 1) await delay(this.#delayMs);
      yield { position, text: words[position - 1]! };
    }
  }

  private compose(prompt: string): string {
    const expression = /\d[\d\s.+*/()-]*[+*/-][\d\s.+*/()-]*[\d)]/.exec(prompt)?.[0];
    if (expression !== undefined) {
      const { result } = this.tools.run('calculator', expression) as { result: number };
      return `I asked the calculator: ${expression} is ${result}.`;
    }
    const { words, characters } = this.tools.run('text-statistics', prompt);
    return `I found nothing to calculate, so I counted: your prompt has ${words} words in ${characters} characters.`;
  }
}
