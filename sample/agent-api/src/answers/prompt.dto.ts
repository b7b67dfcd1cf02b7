import { ApiProperty } from '@nestjs/swagger';
import { IsString, Length } from 'class-validator';

export class PromptDto {
  @ApiProperty({ description: 'A question.', example: 'What is 6 * 7?', minLength: 1, maxLength: 500 })
  @IsString()
  @Length(1, 500)
  prompt!: string;
}
