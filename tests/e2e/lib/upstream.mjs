// Upstreams that keep what they received, byte by byte.
import { spawn } from 'node:child_process';
import { createHash } from 'node:crypto';
import http from 'node:http';
import https from 'node:https';
import net from 'node:net';

const KEEP = 1 << 20; // bytes kept of each connection and of each body; more is counted and hashed

// One connection as an upstream saw it: {bytes, received, open, socket}.
function watch(connections, socket) {
  const connection = { socket, parts: [], kept: 0, received: 0, open: true,
    get bytes() { return Buffer.concat(this.parts); },
    get text() { return this.bytes.toString('latin1'); } };
  connections.push(connection);
  socket.on('close', () => { connection.open = false; });
  socket.on('error', () => {});
  return connection;
}

function note(connection, chunk) {
  connection.received += chunk.length;
  if (connection.kept < KEEP) {
    connection.parts.push(Buffer.from(chunk));
    connection.kept += chunk.length;
  }
}

async function listen(server, port, host = '127.0.0.1') {
  await new Promise((resolve, reject) => server.once('error', reject).listen(port, host, resolve));
}

function finish(server, made) {
  made.port = server.address().port;
  made.url ??= `http://127.0.0.1:${made.port}`;
  made.close = () => new Promise((resolve) => {
    server.close(() => resolve());
    for (const connection of made.connections) {
      connection.socket.destroy();
    }
  });
  return made;
}

// An HTTP upstream. `handler(request, response, seen)` is called when the whole body is there, or, with {stream: true},
// as soon as the head is. seen: {method, url, headers, rawHeaders, body, size, sha256, trailers, connection}.
// With {tls: {cert, key}} it speaks TLS; `name` is then what its address must be verified as.
// {url, port, requests: [seen], connections, close()}
export async function startUpstream(handler = echo, { stream = false, port = 0, host, tls = null, name = 'upstream.test', ...options } = {}) {
  const made = { requests: [], connections: [] };
  const server = tls ? https.createServer({ ...tls, ...options }) : http.createServer(options);
  server.keepAliveTimeout = 0; // the gateway decides how long a connection lives, or the test
  server.timeout = 0;
  server.requestTimeout = 0;
  server.on(tls ? 'secureConnection' : 'connection', (socket) => {
    const connection = watch(made.connections, socket);
    socket.watched = connection;
    socket.on('data', (chunk) => note(connection, chunk));
  });
  if (tls) {
    made.handshakeFailures = 0;
    server.on('tlsClientError', () => { made.handshakeFailures++; });
  }
  server.on('request', (request, response) => {
    const seen = { method: request.method, url: request.url, headers: request.headers, rawHeaders: request.rawHeaders, size: 0,
      body: Buffer.alloc(0), sha256: null, trailers: null, connection: request.socket.watched };
    made.requests.push(seen);
    request.on('error', () => { seen.broken = true; });
    if (stream) {
      handler(request, response, seen);
      return;
    }
    const hash = createHash('sha256');
    const parts = [];
    let kept = 0;
    request.on('data', (chunk) => {
      seen.size += chunk.length;
      hash.update(chunk);
      if (kept < KEEP) {
        parts.push(chunk);
        kept += chunk.length;
      }
    });
    request.on('end', () => {
      seen.body = Buffer.concat(parts);
      seen.sha256 = hash.digest('hex');
      seen.trailers = request.trailers;
      seen.rawTrailers = request.rawTrailers;
      handler(request, response, seen);
    });
  });
  await listen(server, port, host);
  made.server = server;
  if (tls) {
    made.url = `https://${name}@127.0.0.1:${server.address().port}`;
  }
  return finish(server, made);
}

// What it received, as JSON.
export function echo(request, response, seen) {
  const body = JSON.stringify({ method: seen.method, url: seen.url, headers: seen.headers, rawHeaders: seen.rawHeaders, size: seen.size,
    sha256: seen.sha256, trailers: seen.trailers });
  response.writeHead(200, { 'content-type': 'application/json', 'content-length': Buffer.byteLength(body) });
  response.end(body);
}

// An upstream of raw bytes: `onData(connection, chunk)` with connection.socket to write to; connection.bytes has all so far.
export async function startRawUpstream(onData, { port = 0, onConnection = null, ...options } = {}) {
  const made = { connections: [] };
  const server = net.createServer(options, (socket) => {
    const connection = watch(made.connections, socket);
    onConnection?.(connection);
    socket.on('data', (chunk) => {
      note(connection, chunk);
      onData?.(connection, chunk);
    });
  });
  await listen(server, port);
  made.server = server;
  return finish(server, made);
}

// An address that lets connections hang: its queue of one is full, and nobody accepts. {url}
export async function startSilent(t) {
  const child = spawn('perl', ['-MSocket', '-e', `$| = 1; socket(S, AF_INET, SOCK_STREAM, 0) or die; bind(S, sockaddr_in(0, inet_aton("127.0.0.1"))) or die;
    listen(S, 0) or die; socket(C, AF_INET, SOCK_STREAM, 0) or die; connect(C, getsockname(S)) or die; ($port) = sockaddr_in(getsockname(S));
    print "$port\n"; sleep`], { stdio: ['ignore', 'pipe', 'inherit'] });
  t.after(() => child.kill());
  const port = await new Promise((resolve, reject) => {
    child.stdout.setEncoding('utf8').once('data', (text) => resolve(Number(text)));
    child.once('exit', (code) => reject(new Error(`perl ended with ${code}`)));
  });
  return { url: `http://127.0.0.1:${port}` };
}
