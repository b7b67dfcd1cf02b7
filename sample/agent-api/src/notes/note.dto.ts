import { ApiProperty } from '@nestjs/swagger';
import { IsString, Length } from 'class-validator';

export class NoteDto {
  @ApiProperty({ description: 'What to remember.', example: 'Buy milk', minLength: 1, maxLength: 500 })
  @IsString()
  @Length(1, 500)
  text!: string;
}
