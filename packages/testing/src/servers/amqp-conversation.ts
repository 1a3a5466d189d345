import { once } from "node:events";
import { connect } from "node:net";

/** Who asks a RabbitMQ whether it serves. */
export interface AmqpGreeting {
  readonly host: string;
  readonly port: number;
  readonly user: string;
  readonly password: string;
  readonly signal: AbortSignal;
}

interface MethodFrame {
  readonly classId: number;
  readonly methodId: number;
  readonly payload: Buffer;
}

const frameEnd = 0xce;
const connectionClass = 10;
const methods = { start: 10, startOk: 11, tune: 30, tuneOk: 31, open: 40, openOk: 41 } as const;

/**
 * Opens an AMQP connection as a client would, up to the point where the server has opened the virtual host, and answers
 * with what the server said of itself. Rejects when it does not get there.
 */
export async function greetRabbitmq({ host, port, user, password, signal }: AmqpGreeting): Promise<Buffer> {
  const socket = connect({ host, port, signal });
  const frames = readMethods(socket);
  try {
    await once(socket, "connect", { signal });
    socket.write(Buffer.from("AMQP\0\0\x09\x01", "latin1"));
    const start = await expectMethod(frames, methods.start);
    const credentials = longString(`\0${user}\0${password}`);
    socket.write(method(methods.startOk, emptyTable, shortString("PLAIN"), credentials, shortString("en_US")));
    const tune = await expectMethod(frames, methods.tune);
    // The same limits as the server offers, and no heartbeats.
    socket.write(method(methods.tuneOk, tune.payload.subarray(0, 6), Buffer.alloc(2)));
    socket.write(method(methods.open, shortString("/"), shortString(""), Buffer.alloc(1)));
    await expectMethod(frames, methods.openOk);
    return start.payload;
  } finally {
    socket.destroy();
  }
}

const emptyTable = Buffer.alloc(4);

function shortString(text: string): Buffer {
  return Buffer.concat([Buffer.from([Buffer.byteLength(text)]), Buffer.from(text)]);
}

function longString(text: string): Buffer {
  const length = Buffer.alloc(4);
  length.writeUInt32BE(Buffer.byteLength(text));
  return Buffer.concat([length, Buffer.from(text)]);
}

function method(methodId: number, ...fields: readonly Buffer[]): Buffer {
  const payload = Buffer.concat([Buffer.from([0, connectionClass, 0, methodId]), ...fields]);
  const head = Buffer.alloc(7);
  head.writeUInt8(1, 0);
  head.writeUInt32BE(payload.length, 3);
  return Buffer.concat([head, payload, Buffer.from([frameEnd])]);
}

async function* readMethods(socket: AsyncIterable<Buffer>): AsyncGenerator<MethodFrame, undefined> {
  let bytes = Buffer.alloc(0);
  for await (const chunk of socket) {
    bytes = Buffer.concat([bytes, chunk]);
    while (bytes.length >= 7 && bytes.length >= bytes.readUInt32BE(3) + 8) {
      const length = bytes.readUInt32BE(3);
      const payload = bytes.subarray(7, 7 + length);
      yield { classId: payload.readUInt16BE(0), methodId: payload.readUInt16BE(2), payload: payload.subarray(4) };
      bytes = bytes.subarray(length + 8);
    }
  }
  return undefined;
}

async function expectMethod(frames: AsyncGenerator<MethodFrame, undefined>, methodId: number): Promise<MethodFrame> {
  const { value } = await frames.next();
  if (value === undefined) throw new Error(`Expected method ${methodId} of the server, got the end of the connection.`);
  if (value.classId === connectionClass && value.methodId === methodId) return value;
  throw new Error(`Expected method ${methodId}, got ${value.methodId}: ${value.payload.toString("latin1")}`);
}
