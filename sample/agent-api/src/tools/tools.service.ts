import { BadRequestException, Injectable, NotFoundException } from '@nestjs/common';
import { calculator } from './calculator.js';
import { currentTime } from './current-time.js';
import { textStatistics } from './text-statistics.js';
import type { Tool } from './tool.js';

export type ToolSummary = Pick<Tool, 'name' | 'description' | 'example'>;

@Injectable()
export class ToolsService {
  readonly #tools = new Map([calculator, textStatistics, currentTime].map(tool => [tool.name, tool]));

  list(): ToolSummary[] {
    return Array.from(this.#tools.values(), ({ name, description, example }) => ({
      name,
      description,
      example,
    }));
  }

  run(name: string, input: string): Record<string, unknown> {
    const tool = this.#tools.get(name);
    if (tool === undefined) throw new NotFoundException('There is no tool of this name');
    try {
      return tool.run(input);
    } catch (error) {
      throw new BadRequestException(`The tool rejected its input: ${(error as Error).message}`);
    }
  }
}
