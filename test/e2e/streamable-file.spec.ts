/* A file whose stream fails, on both platforms. */
import { Readable } from 'node:stream';
import { createReadStream } from 'node:fs';
import { Controller, Get, Header, StreamableFile } from '@nestjs/common';
import { PLATFORMS } from '../support/platforms.js';
import { start } from '../support/start.js';

const failing = (): Readable =>
  new Readable({
    read() {
      this.destroy(new Error('the secret reason'));
    },
  });

@Controller()
class Files {
  @Get('missing')
  @Header('Content-Encoding', 'gzip')
  @Header('Cache-Control', 'public, max-age=60')
  missing(): StreamableFile {
    const options = { type: 'image/png', disposition: 'attachment; filename="a.png"', length: 10 };
    return new StreamableFile(createReadStream('/nonexistent/secret.png'), options);
  }

  @Get('fails')
  fails(): StreamableFile {
    return new StreamableFile(failing());
  }

  @Get('failed')
  async failed(): Promise<StreamableFile> {
    // StreamableFile has a listener of its own only in the newest versions of Nest.
    const stream = failing()
      .on('error', () => undefined)
      .resume();
    const file = new StreamableFile(stream);
    await new Promise(resolve => stream.once('close', resolve));
    return file;
  }

  @Get('begun')
  begun(): StreamableFile {
    let reads = 0;
    const stream = new Readable({
      read() {
        if (reads++ === 0) this.push('x'.repeat(100_000));
        else this.destroy(new Error('the secret reason'));
      },
    });
    return new StreamableFile(stream);
  }

  @Get('own')
  own(): StreamableFile {
    return new StreamableFile(failing()).setErrorHandler((_error, response) => {
      response.statusCode = 410;
      response.send('gone');
    });
  }

  @Get('whole')
  whole(): StreamableFile {
    return new StreamableFile(Buffer.from('whole'), { type: 'text/plain' });
  }
}

describe.each(PLATFORMS)('a StreamableFile on %s', (_platform, platform) => {
  it.each(['/missing', '/fails', '/failed'])('is a problem where its stream fails: %s', async path => {
    const { send, logger } = await start(platform, { controllers: [Files] });
    const answer = await send(path);
    expect([answer.status, answer.header('content-type'), answer.header('cache-control')]).toEqual([
      500,
      'application/problem+json',
      'no-store',
    ]);
    expect(answer.json()).toMatchObject({
      status: 500,
      code: 'internal_error',
      requestId: answer.header('x-request-id'),
    });
    expect(answer.body).not.toContain('secret');
    expect(['content-disposition', 'content-encoding'].map(name => answer.header(name))).toEqual([
      undefined,
      undefined,
    ]);
    expect(logger.find('secret', 'error')).toHaveLength(1);
    expect((await send('/whole')).body).toBe('whole');
  });

  it('is cut off where its stream fails in the middle', async () => {
    const { send } = await start(platform, { controllers: [Files] });
    await expect(send('/begun')).rejects.toThrow();
    expect((await send('/whole')).body).toBe('whole');
  });

  if (platform.name === 'Express') {
    it('keeps an error handler of its own', async () => {
      const { send } = await start(platform, { controllers: [Files] });
      const answer = await send('/own');
      expect([answer.status, answer.body]).toEqual([410, 'gone']);
    });

    it("is Nest's affair under errors: false", async () => {
      const { send } = await start(platform, { controllers: [Files], options: { errors: false } });
      const answer = await send('/fails');
      expect(answer.status).toBe(400);
      expect(answer.header('content-type')).not.toBe('application/problem+json');
    });
  }
});
