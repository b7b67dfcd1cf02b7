import { ApiProperty } from '@nestjs/swagger';
import { IsString, Length } from 'class-validator';

export class PromptDto {
  @ApiProperty({ example: 'What is 6 * 7?' })
  @IsString()
  @Length(1, 500)
  prompt!: string;
}
