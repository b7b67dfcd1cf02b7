/* Controllers that several specs need. */
import { Controller, Get } from '@nestjs/common';

/** `GET /` answers `{}`. */
@Controller()
export class HelloController {
  @Get()
  read(): object {
    return {};
  }
}

/** `GET /` answers `served`. */
@Controller()
export class HomeController {
  @Get()
  get(): string {
    return 'served';
  }
}

/** `GET /me` answers `me`. */
@Controller()
export class MeController {
  @Get('me')
  me(): string {
    return 'me';
  }
}
