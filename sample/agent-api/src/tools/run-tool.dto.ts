import { ApiProperty } from '@nestjs/swagger';
import { IsString, Length } from 'class-validator';

export class RunToolDto {
  @ApiProperty({
    description: 'What the tool works on.',
    example: '2 * (3 + 4)',
    minLength: 1,
    maxLength: 2000,
  })
  @IsString()
  @Length(1, 2000)
  input!: string;
}
