// WebSocket frames (RFC 6455) by hand, over any duplex stream: enough to prove that bytes pass both ways unchanged.
import { createHash, randomBytes } from 'node:crypto';

export const TEXT = 1, BINARY = 2, CLOSE = 8, PING = 9, PONG = 10;

export function acceptFor(key) {
  return createHash('sha1').update(`${key}258EAFA5-E914-47DA-95CA-C5AB0DC85B11`).digest('base64');
}

export function frame(opcode, payload, masked) {
  const data = Buffer.from(payload);
  const length = data.length < 126 ? Buffer.from([data.length])
    : data.length < 65536 ? Buffer.from([126, data.length >> 8, data.length & 255])
      : Buffer.concat([Buffer.from([127, 0, 0, 0, 0]), Buffer.from([data.length >>> 24, data.length >> 16 & 255, data.length >> 8 & 255, data.length & 255])]);
  length[0] |= masked ? 0x80 : 0;
  if (!masked) {
    return Buffer.concat([Buffer.from([0x80 | opcode]), length, data]);
  }
  const mask = randomBytes(4);
  for (let i = 0; i < data.length; i++) {
    data[i] ^= mask[i % 4];
  }
  return Buffer.concat([Buffer.from([0x80 | opcode]), length, mask, data]);
}

// Takes whole frames from bytes as they come: onFrame({opcode, data, masked}).
export function frames(onFrame) {
  let rest = Buffer.alloc(0);
  return (chunk) => {
    rest = Buffer.concat([rest, chunk]);
    for (;;) {
      if (rest.length < 2) {
        return;
      }
      const masked = Boolean(rest[1] & 0x80);
      let length = rest[1] & 0x7f, at = 2;
      if (length >= 126) {
        const wide = length === 127;
        if (rest.length < (wide ? 10 : 4)) {
          return;
        }
        length = wide ? Number(rest.readBigUInt64BE(2)) : rest.readUInt16BE(2);
        at = wide ? 10 : 4;
      }
      const mask = masked ? rest.subarray(at, at + 4) : null;
      at += masked ? 4 : 0;
      if (rest.length < at + length) {
        return;
      }
      const data = Buffer.from(rest.subarray(at, at + length));
      for (let i = 0; mask && i < length; i++) {
        data[i] ^= mask[i % 4];
      }
      const opcode = rest[0] & 15;
      rest = rest.subarray(at + length);
      onFrame({ opcode, data, masked });
    }
  };
}

// Makes an http.Server answer upgrades and echo every frame. `seen` gets {headers, url, frames, closed}.
export function echoWebSockets(server, seen = []) {
  server.on('upgrade', (request, socket, head) => {
    const one = { url: request.url, headers: request.headers, rawHeaders: request.rawHeaders, frames: [], closed: false, socket };
    seen.push(one);
    socket.write('HTTP/1.1 101 Switching Protocols\r\nConnection: Upgrade\r\nUpgrade: websocket\r\n'
      + `Sec-WebSocket-Accept: ${acceptFor(request.headers['sec-websocket-key'])}\r\n\r\n`);
    const take = frames((f) => {
      one.frames.push(f);
      if (f.opcode === CLOSE) {
        socket.end(frame(CLOSE, f.data, false));
      } else {
        socket.write(frame(f.opcode === PING ? PONG : f.opcode, f.data, false));
      }
    });
    take(head);
    socket.on('data', take);
    socket.on('error', () => {});
    socket.on('end', () => socket.end());
    socket.on('close', () => { one.closed = true; });
  });
  return seen;
}

// A client's end on a stream that is already open for frames: {send(opcode, data), next(): Promise<frame>, closed}.
export class Endpoint {
  constructor(stream) {
    this.stream = stream;
    this.queue = [];
    this.waiting = [];
    this.ended = new Promise((resolve) => {
      stream.on('close', resolve);
      stream.on('end', resolve);
    });
    this.take = frames((f) => {
      const waiter = this.waiting.shift();
      if (waiter) {
        waiter(f);
      } else {
        this.queue.push(f);
      }
    });
    stream.on('data', this.take);
    stream.on('error', () => {});
  }

  send(opcode, data) {
    this.stream.write(frame(opcode, data, true));
  }

  next() {
    return this.queue.length ? Promise.resolve(this.queue.shift()) : new Promise((resolve) => { this.waiting.push(resolve); });
  }
}

export function handshake(host, path, headers = {}, key = randomBytes(16).toString('base64')) {
  const lines = Object.entries({ Host: host, Connection: 'Upgrade', Upgrade: 'websocket', 'Sec-WebSocket-Version': '13',
    'Sec-WebSocket-Key': key, ...headers }).filter(([, value]) => value !== null).map(([name, value]) => `${name}: ${value}\r\n`);
  return { key, text: `GET ${path} HTTP/1.1\r\n${lines.join('')}\r\n` };
}
