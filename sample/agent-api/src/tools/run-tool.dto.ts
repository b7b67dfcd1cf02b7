import { ApiProperty } from '@nestjs/swagger';
import { IsString, Length } from 'class-validator';

export class RunToolDto {
  @ApiProperty({ example: '2 * (3 + 4)' })
  @IsString()
  @Length(1, 2000)
  input!: string;
}
