import { IsString, Length } from 'class-validator';

export class NoteDto {
  /** @example "Buy milk" */
  @IsString()
  @Length(1, 500)
  text!: string;
}
