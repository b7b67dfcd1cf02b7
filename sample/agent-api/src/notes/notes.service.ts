import { ConflictException, Injectable, NotFoundException } from '@nestjs/common';

export interface Note {
  readonly id: number;
  readonly text: string;
}

const MAX_NOTES = 1_000;

@Injectable()
export class NotesService {
  readonly #notes = new Map<number, Note>();
  #lastId = 0;

  constructor() {
    for (const text of ['Water the plants', 'Call the bank', 'Return the books']) this.add(text);
  }

  list(): Note[] {
    return [...this.#notes.values()];
  }

  add(text: string): Note {
    if (this.#notes.size >= MAX_NOTES) throw new ConflictException('There is no room for another note');
    const note = { id: ++this.#lastId, text };
    this.#notes.set(note.id, note);
    return note;
  }

  delete(id: number): Note {
    const note = this.#notes.get(id);
    if (note === undefined) throw new NotFoundException('There is no note of this number');
    this.#notes.delete(id);
    return note;
  }
}
