/* One replica of an app that has grown: its own guard, filter, static files, GraphQL and gateway beside this module. whole.spec.ts compiles
 * it and starts it as a process of its own. The settings of the deployment come from the environment. */
import 'reflect-metadata';
import { ApolloDriver, type ApolloDriverConfig } from '@nestjs/apollo';
import {
  type ArgumentsHost,
  Body,
  Catch,
  Controller,
  Delete,
  Get,
  HttpException,
  Injectable,
  type MessageEvent,
  Module,
  Param,
  Post,
  Req,
  Sse,
  UseGuards,
} from '@nestjs/common';
import { APP_FILTER, NestFactory } from '@nestjs/core';
import { GraphQLModule, Int, Query, Resolver, Subscription } from '@nestjs/graphql';
import { AuthGuard, PassportModule, PassportStrategy } from '@nestjs/passport';
import { ExpressAdapter } from '@nestjs/platform-express';
import { FastifyAdapter } from '@nestjs/platform-fastify';
import { IoAdapter } from '@nestjs/platform-socket.io';
import { ServeStaticModule } from '@nestjs/serve-static';
import { DocumentBuilder, SwaggerModule } from '@nestjs/swagger';
import { MessageBody, SubscribeMessage, WebSocketGateway } from '@nestjs/websockets';
import {
  type Agent,
  AgentSecurityModule,
  AgentTool,
  ClientAddress,
  CurrentAgent,
  ProblemDetailsFilter,
  Public,
  RateLimit,
  Scopes,
} from 'nestjs-agent-security';
import { Strategy } from 'passport-http-bearer';
import { map, type Observable, take, timer } from 'rxjs';

const { PLATFORM, PORT, REPLICA, STATIC_FILES } = process.env as Record<string, string>;
const isExpress = PLATFORM === 'Express';

/** As an error reporter's: it reports what no handler expected, and leaves the response to the module. */
@Catch()
class ReportingFilter extends ProblemDetailsFilter {
  override catch(exception: unknown, host: ArgumentsHost): unknown {
    if (!(exception instanceof HttpException)) process.send!({ reported: (exception as Error).message });
    // oxlint-disable-next-line promise/valid-params -- an exception filter's catch(), not a promise's
    return super.catch(exception, host);
  }
}

@Injectable()
class BearerStrategy extends PassportStrategy(Strategy, 'bearer') {
  validate(token: string): object | false {
    return token === process.env['PASSPORT_TOKEN'] ? { user: 'ada' } : false;
  }
}

@Controller()
class ApiController {
  @Public()
  @Get('client')
  client(@ClientAddress() address: string): object {
    return { address, replica: REPLICA };
  }

  @Public()
  @RateLimit('6/minute')
  @Get('limited')
  limited(): object {
    return { replica: REPLICA };
  }

  @Public()
  @Post('forms')
  form(@Body() body: { name: string }): object {
    return { name: body.name };
  }

  @Scopes('data:read')
  @Get('data')
  data(@CurrentAgent() agent: Agent): object {
    return { agent: agent.id };
  }

  @AgentTool('delete_user', { scopes: ['users:delete'], limit: '4/minute', impact: 'high' })
  @Delete('users/:id')
  deleteUser(@Param('id') id: string): object {
    return { deleted: id };
  }

  @Public()
  @Sse('events')
  events(): Observable<MessageEvent> {
    return timer(0, 20).pipe(
      take(3),
      map(index => ({ data: String(index) })),
    );
  }

  @Public()
  @Get('broken')
  broken(): never {
    throw new Error('a secret of the database');
  }
}

@Public()
@UseGuards(AuthGuard('bearer'))
@Controller('people')
class PassportController {
  @Get('me')
  me(@Req() request: { user: object }): object {
    return request.user;
  }
}

@Public()
@Controller('healthz')
class HealthController {
  @Get()
  check(): object {
    return { status: 'ok' };
  }
}

@Resolver()
class CountResolver {
  @Query(() => String)
  replica(): string {
    return REPLICA!;
  }

  @RateLimit('3/minute')
  @Query(() => Int)
  limited(): number {
    return 1;
  }

  @Subscription(() => Int, { resolve: (value: number) => value })
  async *ticks(): AsyncGenerator<number> {
    for (let tick = 1; tick <= 3; tick++) yield tick;
  }
}

@WebSocketGateway({ maxHttpBufferSize: 65_536 })
class ChatGateway {
  @RateLimit('3/minute')
  @SubscribeMessage('ask')
  ask(@MessageBody() text: string, @CurrentAgent() agent: Agent): object {
    return { event: 'answer', data: `${text} ${agent.id}` };
  }
}

@Module({
  imports: [
    AgentSecurityModule.forRoot({
      hosts: { exemptPaths: ['/healthz'] },
      rateLimit: { limits: ['50/second', '500/minute'], exemptPaths: ['/healthz'] },
      auth: true,
      headers: {
        htmlContentSecurityPolicy: {
          styleSrc: ["'self'", "'unsafe-inline'"],
          imgSrc: ["'self'", 'data:'],
        },
      },
    }),
    PassportModule,
    ServeStaticModule.forRoot({ rootPath: STATIC_FILES!, serveRoot: '/app' }),
    // Apollo's driver for Fastify needs one more package; the driver of Express stands for both.
    ...(isExpress
      ? [
          GraphQLModule.forRoot<ApolloDriverConfig>({
            driver: ApolloDriver,
            autoSchemaFile: true,
            graphiql: false,
            subscriptions: { 'graphql-ws': true },
          }),
        ]
      : []),
  ],
  controllers: [ApiController, PassportController, HealthController],
  providers: [
    BearerStrategy,
    ChatGateway,
    ...(isExpress ? [CountResolver] : []),
    { provide: APP_FILTER, useClass: ReportingFilter },
  ],
})
class AppModule {}

const app = await NestFactory.create(AppModule, isExpress ? new ExpressAdapter() : new FastifyAdapter());
app.enableShutdownHooks();
app.useWebSocketAdapter(new IoAdapter(app));
SwaggerModule.setup('docs', app, () => SwaggerModule.createDocument(app, new DocumentBuilder().build()));
await app.listen(PORT!, '127.0.0.1');
process.send!({ listening: true });
