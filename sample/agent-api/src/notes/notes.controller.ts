import { Body, Controller, Delete, Get, Param, ParseIntPipe, Post } from '@nestjs/common';
import { ApiOperation, ApiParam, ApiTags } from '@nestjs/swagger';
import { AgentTool } from 'nestjs-agent-security';
import { NoteDto } from './note.dto.js';
import { type Note, NotesService } from './notes.service.js';

/** Tools with consequences: each call writes an audit record, a deletion writes it before it runs. */
@ApiTags('notes')
@Controller('notes')
export class NotesController {
  constructor(private readonly notes: NotesService) {}

  @ApiOperation({ summary: 'Lists the notes' })
  @Get()
  @AgentTool('list_notes', { impact: 'low', limit: '60/minute' })
  list(): { notes: Note[] } {
    return { notes: this.notes.list() };
  }

  @ApiOperation({ summary: 'Writes a note' })
  @Post()
  @AgentTool('write_note', { impact: 'medium', limit: '60/hour' })
  write(@Body() { text }: NoteDto): Note {
    return this.notes.add(text);
  }

  @ApiOperation({ summary: 'Deletes a note' })
  @ApiParam({ name: 'id', description: 'The number of the note.', example: 1 })
  @Delete(':id')
  @AgentTool('delete_note', { impact: 'high', limit: '5/hour', alertAt: [3, 1] })
  delete(@Param('id', ParseIntPipe) id: number): { deleted: Note } {
    return { deleted: this.notes.delete(id) };
  }
}
