// What passes through the gateway arrives as it was sent, both ways, in both versions, at any size, and what an upstream
// does wrong reaches the client as a clear failure.
import assert from 'node:assert/strict';
import { spawn } from 'node:child_process';
import { createHash, randomBytes } from 'node:crypto';
import fs from 'node:fs';
import http2 from 'node:http2';
import https from 'node:https';
import net from 'node:net';
import { Duplex, Readable } from 'node:stream';
import { after, before, describe, it } from 'node:test';
import tls from 'node:tls';

import { Wire, deadline, freePorts, makeAuthority, openTenant, startGateway, until } from './lib/gateway.mjs';
import { elapse, gatewayFor, problemOf, upstreamFor } from './lib/person.mjs';
import { echo, startRawUpstream, startSilent, startUpstream } from './lib/upstream.mjs';
import { BINARY, CLOSE, Endpoint, TEXT, PING, PONG, acceptFor, echoWebSockets, handshake, frame } from './lib/websocket.mjs';

const MIB = 1 << 20;
const HOST = 'acme.test';
const MEMORY_SLACK = 16 * MIB; // what a worker may grow by while bodies of any size pass

let gateway, main, raw, spare, tlsUpstream, healthy;
let authority, leaf; // of the TLS upstreams
let away; // ports where something listens later, if at all
let sockets, tlsSockets; // WebSockets as the upstreams saw them
let six; // on IPv6
let handle = echoAll; // what the main upstream does now
let onRaw = () => {}; // what the raw upstream does now
let onTls = echoAll; // and the one over TLS

function echoAll(request, response, seen) {
  const hash = createHash('sha256');
  request.on('data', (chunk) => {
    seen.size += chunk.length;
    hash.update(chunk);
  });
  request.on('end', () => {
    seen.sha256 = hash.digest('hex');
    seen.trailers = request.trailers;
    echo(request, response, seen);
  });
}

// Sets what the main upstream does for the time of one test.
function answering(t, handler) {
  handle = handler;
  t.after(() => { handle = echoAll; });
}

function rawAnswering(t, handler) {
  onRaw = handler;
  t.after(() => { onRaw = () => {}; });
}

const auth = (extra = {}) => ({ authorization: gateway.basic('hanako'), ...extra });
const authLine = () => `Authorization: ${gateway.basic('hanako')}\r\n`;

// `size` bytes that differ everywhere, as a stream, with their hash.
function pattern(size) {
  const block = randomBytes(MIB);
  const hash = createHash('sha256');
  let left = size;
  const stream = new Readable({
    read() {
      if (left === 0) {
        this.push(null);
        return;
      }
      const part = block.subarray(0, Math.min(left, 65536));
      left -= part.length;
      block.writeUInt32LE(left >>> 0, 0);
      const copy = Buffer.from(part);
      hash.update(copy);
      this.push(copy);
    },
  });
  return { stream, sha256: () => hash.digest('hex'), sent: () => size - left };
}

function sanitized() {
  return gateway.pids('worker').some((pid) => fs.readFileSync(`/proc/${pid}/maps`, 'utf8').includes('libasan'));
}

// Runs `work` and says that no worker grew by more than the slack meanwhile.
async function bounded(work) {
  const before = gateway.workerMemory();
  await gateway.pids('worker').map((pid) => fs.writeFileSync(`/proc/${pid}/clear_refs`, '5')); // VmHWM starts anew
  await work();
  const grown = gateway.workerMemory(true) - before;
  assert.ok(sanitized() || grown < MEMORY_SLACK, `a worker grew by ${(grown / MIB).toFixed(1)} MiB`);
}

// Waits until a number has not changed for a while: whoever drives it is held back.
async function stalled(number) {
  let last = -1, since = Date.now();
  return until(() => {
    const now = number();
    if (now !== last) {
      last = now;
      since = Date.now();
    }
    return now > 0 && Date.now() - since > 400;
  }, 'a stall', 15000);
}

// Processor time that a process has used so far, in ms.
function processorTime(pid) {
  const fields = fs.readFileSync(`/proc/${pid}/stat`, 'utf8').split(') ')[1].split(' ');
  return (Number(fields[11]) + Number(fields[12])) * 10;
}

// Says that the worker of `own` rests: a loop that spins would use all of that second.
async function atRest(own) {
  const [worker] = own.pids('worker');
  const before = processorTime(worker);
  await elapse(1000);
  const used = processorTime(worker) - before;
  assert.ok(used < 300, `the worker used ${used} ms of a second in which nobody asked for anything`);
}

// Holds the journal back while `act` runs.
async function unrecorded(act) {
  const [audit] = gateway.kill('audit', 'SIGSTOP');
  try {
    await act();
  } finally {
    process.kill(audit, 'SIGCONT');
  }
}

// Whatever was sent on an HTTP/2 session before has been read when this is over.
function arrived(session) {
  return deadline(new Promise((resolve, reject) => session.ping((error) => (error ? reject(error) : resolve()))), 'a PING');
}

before(async () => {
  const [dead, ...later] = await freePorts(4);
  away = later;
  sockets = [];
  main = await startUpstream((...args) => handle(...args), { stream: true });
  echoWebSockets(main.server, sockets);
  raw = await startRawUpstream((connection, chunk) => onRaw(connection, chunk));
  spare = await startUpstream(); // beside a dead address
  healthy = await Promise.all([0, 1].map(() => {
    const state = { good: true, served: 0, probes: 0 };
    return startUpstream((request, response, seen) => {
      if (seen.url === '/ping') {
        state.probes++;
        response.writeHead(state.good ? 200 : 500).end();
        return;
      }
      state.served++;
      response.end('served');
    }).then((upstream) => Object.assign(upstream, { state }));
  }));
  const folder = fs.mkdtempSync(`${(await import('node:os')).tmpdir()}/sekisho-e2e-ca-`);
  fs.chmodSync(folder, 0o755);
  authority = makeAuthority(folder, 'upstreams');
  leaf = authority.issue('upstream', ['upstream.test']);
  const other = makeAuthority(folder, 'strangers');
  tlsUpstream = await startUpstream((...args) => onTls(...args), { stream: true, tls: { cert: leaf.certPem, key: leaf.keyPem } });
  tlsSockets = echoWebSockets(tlsUpstream.server);
  six = await startUpstream(echo, { host: '::1' });
  tlsUpstream.folder = folder;
  const at = `127.0.0.1:${tlsUpstream.port}`;
  const app = (name, path, upstreams, more = {}) => ({ name, kind: 'api', path, upstreams, ...more });
  gateway = await startGateway({
    settings: { workers: 1, timeouts: { request: '3s' } },
    tenants: [openTenant('acme', main.url, {
      apps: [
        app('api', '/', [main.url]),
        app('raw', '/raw', [raw.url]),
        app('pair', '/pair', [`http://127.0.0.1:${dead}`, spare.url]),
        app('post', '/post', [`http://127.0.0.1:${dead}`, spare.url]),
        app('dead', '/dead', [`http://127.0.0.1:${dead}`]),
        app('late', '/late', [`http://127.0.0.1:${away[0]}`]),
        app('six', '/six', [`http://[::1]:${six.port}`]),
        app('full', '/full', [`http://127.0.0.1:${away[2]}`]),
        app('later', '/later', [`http://127.0.0.1:${away[1]}`, spare.url]),
        app('health', '/health', healthy.map((one) => one.url), { health: { path: '/ping', interval: '200ms' } }),
        app('tls', '/tls', [`https://upstream.test@${at}`], { ca_file: authority.cert }),
        app('misnamed', '/misnamed', [`https://other.test@${at}`], { ca_file: authority.cert }),
        app('stranger', '/stranger', [`https://upstream.test@${at}`], { ca_file: other.cert }),
        { ...app('panel', '/panel', [main.url]), kind: 'panel' },
      ],
      roles: [{ name: 'all', allow: ['api', 'raw', 'pair', 'post', 'dead', 'late', 'later', 'six', 'full', 'health', 'tls', 'misnamed', 'stranger', 'panel'].map((name) => `${name} * /**`) }],
    })],
  });
});

after(async () => {
  await gateway?.stop();
  for (const upstream of [main, raw, spare, tlsUpstream, six, ...(healthy ?? [])]) {
    await upstream?.close();
  }
  fs.rmSync(tlsUpstream.folder, { recursive: true });
});

for (const version of [1, 2]) {
  describe(`HTTP/${version}`, () => {
    const request = (options) => gateway.request({ version, user: 'hanako', ...options });

    it('passes every method with target, fields and body unchanged', async () => {
      for (const method of ['GET', 'POST', 'PUT', 'PATCH', 'DELETE', 'OPTIONS']) {
        const body = method === 'GET' || method === 'OPTIONS' ? undefined : randomBytes(5000);
        const answer = await request({ method, path: '/a/b%20c?q=1&r=%2F', body, headers: { 'x-custom': 'a, b', accept: 'x/y' } });
        assert.equal(answer.status, 200);
        const seen = answer.json();
        assert.equal(seen.method, method);
        assert.equal(seen.url, '/a/b%20c?q=1&r=%2F');
        assert.equal(seen.headers['x-custom'], 'a, b');
        assert.equal(seen.headers.accept, 'x/y');
        assert.equal(seen.size, body?.length ?? 0);
        assert.equal(seen.sha256, createHash('sha256').update(body ?? '').digest('hex'));
      }
    });

    it('answers HEAD with the length and without the body, and the connection goes on', async (t) => {
      answering(t, (_, response) => response.writeHead(200, { 'content-length': 12345, 'x-a': 'b' }).end());
      const session = version === 2 ? await gateway.h2(HOST) : undefined;
      const agent = gateway.agent();
      for (let i = 0; i < 2; i++) {
        const answer = await request({ method: 'HEAD', path: '/doc', session, agent });
        assert.equal(answer.status, 200);
        assert.equal(answer.headers['content-length'], '12345');
        assert.equal(answer.headers['x-a'], 'b');
        assert.equal(answer.body.length, 0);
      }
      agent.destroy();
      session?.close();
    });

    it('passes 204 and 304 without a body and without an invented length, and the connection goes on', async (t) => {
      answering(t, (incoming, response) => response.writeHead(Number(incoming.url.slice(1)), { etag: '"x"' }).end());
      const session = version === 2 ? await gateway.h2(HOST) : undefined;
      const agent = gateway.agent();
      for (const status of [204, 304, 204]) {
        const answer = await request({ path: `/${status}`, session, agent });
        assert.equal(answer.status, status);
        assert.equal(answer.headers.etag, '"x"');
        assert.equal(answer.headers['content-length'], undefined);
        assert.equal(answer.headers['transfer-encoding'], undefined);
        assert.equal(answer.body.length, 0);
      }
      agent.destroy();
      session?.close();
    });

    it('passes every status and repeated response fields in their order', async (t) => {
      answering(t, (incoming, response) => response.writeHead(Number(incoming.url.slice(1)), ['Set-Cookie', 'a=1', 'Set-Cookie', 'b=2', 'Link', '<x>', 'Link', '<y>']).end('body'));
      for (const status of [200, 201, 202, 206, 301, 302, 307, 308, 400, 401, 403, 404, 409, 418, 422, 451, 500, 502, 503, 599]) {
        const answer = await request({ path: `/${status}` });
        assert.equal(answer.status, status);
        assert.equal(answer.text, 'body');
        assert.deepEqual(answer.headers['set-cookie'], ['a=1', 'b=2']);
        assert.equal(answer.headers.link, '<x>, <y>');
      }
    });

    it('passes chunked responses', async (t) => {
      answering(t, (_, response) => {
        response.write('one ');
        setImmediate(() => response.end('two'));
      });
      assert.equal((await request({})).text, 'one two');
    });

    it('passes chunks without their extensions', async (t) => {
      rawAnswering(t, ({ socket }) => socket.write('HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n4;sig="a;b"\r\none \r\n3 ; x\r\ntwo\r\n0;last\r\n\r\n'));
      for (let i = 0; i < 2; i++) {
        const answer = await request({ path: '/raw/extensions' });
        assert.deepEqual([answer.status, answer.text], [200, 'one two']);
      }
    });

    it('passes a response that ends with its connection', async (t) => {
      rawAnswering(t, ({ socket }) => socket.end('HTTP/1.1 200 OK\r\nContent-Type: text/plain\r\n\r\nuntil the end'));
      const answer = await request({ path: '/raw' });
      assert.equal(answer.status, 200);
      assert.equal(answer.text, 'until the end');
    });

    it('passes request trailers', async () => {
      const answer = await request({ method: 'POST', body: 'hello', headers: version === 1 ? { 'transfer-encoding': 'chunked', trailer: 'x-sum' } : {}, trailers: { 'x-sum': '42' } });
      assert.equal(answer.status, 200);
      assert.equal(answer.json().size, 5);
      assert.equal(answer.json().trailers['x-sum'], '42');
    });

    it('passes response trailers', async (t) => {
      answering(t, (_, response) => {
        response.writeHead(200, { trailer: 'x-sum' });
        response.write('hello');
        response.addTrailers({ 'x-sum': '43' });
        response.end();
      });
      const answer = await request({ headers: { te: 'trailers' } });
      assert.equal(answer.text, 'hello');
      assert.equal(answer.trailers['x-sum'], '43');
    });

    it('invites a body with 100 only when the request is allowed', async () => {
      const ask = (headers) => new Promise((resolve, reject) => {
        const told = { continued: false };
        if (version === 1) {
          const out = https.request({ host: '127.0.0.1', port: gateway.port, servername: HOST, ca: gateway.authority.pem, agent: false,
            method: 'POST', path: '/', headers: { host: HOST, 'content-length': 4, expect: '100-continue', ...headers } });
          out.on('continue', () => { told.continued = true; out.end('body'); });
          out.on('response', (answer) => { told.status = answer.statusCode; answer.resume().on('end', () => { out.destroy(); resolve(told); }); });
          out.on('error', (error) => (told.status ? resolve(told) : reject(error)));
          out.flushHeaders();
          return;
        }
        gateway.h2(HOST).then((session) => {
          const stream = session.request({ ':method': 'POST', ':path': '/', ':authority': HOST, expect: '100-continue', ...headers }, { endStream: false });
          stream.on('continue', () => { told.continued = true; stream.end('body'); });
          stream.on('response', (head) => { told.status = head[':status']; });
          stream.resume().on('end', () => { session.destroy(); resolve(told); });
          stream.on('error', reject);
        }, reject);
      });
      const count = main.requests.length;
      assert.deepEqual(await deadline(ask(auth()), 'the allowed one'), { continued: true, status: 200 });
      assert.equal(main.requests[count].size, 4);
      assert.equal(main.requests[count].headers.expect, undefined);
      assert.deepEqual(await deadline(ask({}), 'the refused one'), { continued: false, status: 401 });
      assert.equal(main.requests.length, count + 1);
    });

    it('passes 100 MiB up in bounded memory', { timeout: 60000 }, async () => {
      await bounded(async () => {
        const body = pattern(100 * MIB);
        const answer = await request({ method: 'PUT', path: '/up', body: body.stream, ms: 50000 });
        assert.equal(answer.status, 200);
        assert.equal(answer.json().size, 100 * MIB);
        assert.equal(answer.json().sha256, body.sha256());
      });
    });

    it('passes 200 MiB down in bounded memory', { timeout: 60000 }, async (t) => {
      let body;
      answering(t, (_, response) => {
        body = pattern(200 * MIB);
        response.writeHead(200, { 'content-length': 200 * MIB });
        body.stream.pipe(response);
      });
      await bounded(async () => {
        const hash = createHash('sha256');
        let size = 0;
        const take = (stream) => new Promise((resolve, reject) => {
          stream.on('data', (chunk) => { size += chunk.length; hash.update(chunk); });
          stream.on('end', resolve).on('error', reject);
        });
        await deadline(open(version, '/down').then(({ stream }) => take(stream)), 'the download', 50000);
        assert.equal(size, 200 * MIB);
        assert.equal(hash.digest('hex'), body.sha256());
      });
    });

    it('holds the upstream back while the client does not read, then passes the rest', { timeout: 60000 }, async (t) => {
      let body;
      answering(t, (_, response) => {
        body = pattern(200 * MIB);
        response.writeHead(200, { 'content-length': 200 * MIB });
        body.stream.pipe(response);
      });
      await bounded(async () => {
        const { stream, close } = await open(version, '/down');
        stream.pause();
        await stalled(() => body?.sent() ?? 0);
        assert.ok(body.sent() < 64 * MIB, `the upstream sent ${body.sent() / MIB} MiB to nobody`);
        let size = 0;
        await deadline(new Promise((resolve, reject) => {
          stream.on('data', (chunk) => { size += chunk.length; }).on('end', resolve).on('error', reject);
          stream.resume();
        }), 'the rest', 50000);
        assert.equal(size, 200 * MIB);
        close();
      });
    });

    it('holds the client back while the upstream does not read, then passes the rest', { timeout: 60000 }, async (t) => {
      let go;
      answering(t, (incoming, response, seen) => {
        incoming.socket.pause();
        go = () => {
          incoming.socket.resume();
          echoAll(incoming, response, seen);
        };
      });
      await bounded(async () => {
        const body = pattern(100 * MIB);
        const answer = request({ method: 'PUT', path: '/up', body: body.stream, ms: 50000 });
        await stalled(() => body.sent());
        assert.ok(body.sent() < 64 * MIB, `the client sent ${body.sent() / MIB} MiB to nobody`);
        go();
        assert.equal((await answer).json().sha256, body.sha256());
      });
    });

    it('passes the first bytes of a stream before it ends', async (t) => {
      let out;
      answering(t, (_, response) => {
        out = response.writeHead(200, { 'content-type': 'text/event-stream', 'cache-control': 'no-cache' });
        out.write('data: 1\n\n');
      });
      const { stream, close } = await open(version, '/events');
      let text = '';
      stream.setEncoding('utf8').on('data', (chunk) => { text += chunk; });
      await until(() => text === 'data: 1\n\n', 'the first event');
      out.write('data: 2\n\n');
      await until(() => text === 'data: 1\n\ndata: 2\n\n', 'the second event');
      const ended = new Promise((resolve) => { stream.on('end', resolve); });
      out.end();
      await deadline(ended, 'the end');
      close();
    });

    it('ends the upstream request when the client goes away', async (t) => {
      let gone = false;
      answering(t, (_, response) => {
        response.writeHead(200).write('x');
        response.on('close', () => { gone = true; });
      });
      const { close } = await open(version, '/events');
      close();
      await until(() => gone, 'the end of the upstream request');
    });

    it('records a request whose client goes away before the answer: the upstream has had it', async (t) => {
      for (const method of ['GET', 'POST']) {
        const asked = new Promise((resolve) => rawAnswering(t, resolve));
        const path = `/raw/gone-${method.toLowerCase()}-${version}`;
        if (version === 1) {
          const wire = await gateway.rawTls(HOST);
          wire.write(`${method} ${path} HTTP/1.1\r\nHost: ${HOST}\r\n${authLine()}\r\n`);
          await deadline(asked, 'the request at the upstream');
          wire.destroy();
        } else {
          const session = await gateway.h2(HOST);
          const stream = session.request({ ':method': method, ':path': path, ':authority': HOST, ...auth() }, { endStream: true });
          stream.on('error', () => {});
          await deadline(asked, 'the request at the upstream');
          stream.close(http2.constants.NGHTTP2_CANCEL);
          session.destroy();
        }
        await gateway.recorded((r) => r.path === path && r.stage !== 'intent' && r.subject === 'hanako', `of ${method} ${path}`);
      }
    });

    for (const [what, head] of [['a length', 'Content-Length: 1000\r\n'], ['chunks', 'Transfer-Encoding: chunked\r\n']]) {
      it(`breaks the response when the upstream dies in a body of ${what}`, async (t) => {
        rawAnswering(t, ({ socket }) => {
          socket.write(`HTTP/1.1 200 OK\r\n${head}\r\n${head.includes('chunked') ? '4\r\npart\r\n' : 'part'}`);
          setImmediate(() => socket.destroy());
        });
        if (version === 2) {
          await assert.rejects(request({ path: '/raw' }), /stream reset|INTERNAL_ERROR|closed without/);
          return;
        }
        const wire = await gateway.rawTls(HOST);
        wire.write(`GET /raw HTTP/1.1\r\nHost: ${HOST}\r\n${authLine()}\r\n`);
        await wire.closed();
        assert.match(wire.text, /^HTTP\/1.1 200 /);
        assert.doesNotMatch(wire.text, /\r\n0\r\n\r\n$/, 'a clean end for a body that is not whole');
      });
    }

    it('answers 502 to a response that is no HTTP, and passes nothing of it', async (t) => {
      for (const bytes of ['SSH-2.0-OpenSSH\r\n\r\n', 'HTTP/1.1 200 OK\r\nContent-Length: 1\r\nContent-Length: 2\r\n\r\nx',
        'HTTP/1.1 200 OK\r\nContent-Length: 1\r\nTransfer-Encoding: chunked\r\n\r\nx', 'HTTP/1.1 200 OK\r\nX: a\0b\r\n\r\n', 'HTTP/1.1 101 Switching Protocols\r\n\r\n']) {
        rawAnswering(t, ({ socket }) => socket.end(bytes));
        const answer = await request({ path: '/raw' });
        assert.equal(answer.status, 502, bytes);
      }
    });

    it('answers 502 to a response whose head is beyond all bounds, and goes on', async (t) => {
      for (const head of [`X-A: ${'a'.repeat(1 << 20)}\r\n`, 'X-A: b\r\n'.repeat(1000)]) {
        rawAnswering(t, ({ socket }) => socket.end(`HTTP/1.1 200 OK\r\n${head}Content-Length: 2\r\n\r\nok`));
        const answer = await request({ path: '/raw' });
        assert.equal(answer.status, 502);
        assert.equal(answer.json().reason, 'upstream-malformed');
      }
      assert.equal((await request({})).status, 200);
    });

    it('passes an answer with as many fields as there may be', async (t) => {
      const fields = Array.from({ length: 99 }, (_, i) => `x-${i}: value ${i}\r\n`).join('');
      for (const [what, bytes] of [['a length', `${fields}Content-Length: 2\r\n\r\nok`], ['an end', `${fields}x-99: value 99\r\n\r\nok`]]) {
        rawAnswering(t, ({ socket }) => (what === 'an end' ? socket.end(`HTTP/1.1 200 OK\r\n${bytes}`) : socket.write(`HTTP/1.1 200 OK\r\n${bytes}`)));
        const answer = await request({ path: '/raw/fields' });
        assert.deepEqual([answer.status, answer.text], [200, 'ok'], what);
        assert.deepEqual(Array.from({ length: 99 }, (_, i) => answer.headers[`x-${i}`]), Array.from({ length: 99 }, (_, i) => `value ${i}`));
      }
    });

    it('answers 504 to an upstream that stays silent, in the time that is set, and asks once', async (t) => {
      let asked = 0;
      rawAnswering(t, () => { asked++; });
      const start = Date.now();
      const answer = await request({ path: '/raw/silent' });
      assert.equal(answer.status, 504);
      assert.equal(answer.json().reason, 'upstream-timeout');
      assert.equal(asked, 1, 'a silent upstream is asked again');
      assert.ok(Date.now() - start < 5500, `after ${Date.now() - start} ms with a time-out of 3 s`);
      const [record] = await gateway.recorded((r) => r.path === '/raw/silent' && r.status === 504);
      assert.equal(record.decision, 'error');
    });

    it('answers 502 when no address of the app is there', async () => {
      assert.equal((await request({ path: '/dead' })).status, 502);
    });

    it('passes an early answer while the body is still being sent, and the rest harms nothing', async (t) => {
      answering(t, (_, response) => response.writeHead(413, { connection: 'close', 'content-length': 4 }).end('stop'));
      for (let i = 0; i < 15; i++) {
        const answer = await request({ method: 'PUT', path: '/early', body: pattern(4 * MIB).stream }).catch((error) => error);
        assert.equal(answer.status, 413, String(answer));
        assert.equal(answer.text, 'stop');
      }
    });

    it('answers 502 to an upload whose upstream dies, and the client is not left hanging', async (t) => {
      answering(t, (incoming) => incoming.once('data', () => incoming.socket.destroy()));
      const answer = await request({ method: 'POST', path: '/dies', body: pattern(4 * MIB).stream, ms: 10000 }).catch((error) => error);
      assert.equal(answer.status, 502, String(answer));
    });

    it('delivers its refusal to a client that sends a body nobody wants', async () => {
      for (let i = 0; i < 3; i++) {
        const answer = await gateway.request({ version, method: 'POST', body: pattern(4 * MIB).stream, ms: 10000 }).catch((error) => error);
        assert.equal(answer.status, 401, String(answer));
      }
    });
  });
}

// A GET whose response is handed over as a stream: {stream, close}.
async function open(version, path) {
  if (version === 1) {
    return new Promise((resolve, reject) => {
      const out = https.get({ host: '127.0.0.1', port: gateway.port, servername: HOST, ca: gateway.authority.pem, agent: false, path,
        headers: { host: HOST, ...auth() } }, (stream) => resolve({ stream, close: () => out.destroy() }));
      out.on('error', reject);
    });
  }
  const session = await gateway.h2(HOST);
  const stream = session.request({ ':path': path, ':authority': HOST, ...auth() });
  await new Promise((resolve, reject) => stream.on('response', resolve).on('error', reject));
  stream.removeAllListeners('error').on('error', () => {});
  return { stream, close: () => session.destroy() };
}

describe('connections of clients', () => {
  it('serve one request after the other (HTTP/1 keep-alive)', async () => {
    const wire = await gateway.rawTls(HOST);
    for (let i = 0; i < 5; i++) {
      wire.write(`POST /${i} HTTP/1.1\r\nHost: ${HOST}\r\n${authLine()}Content-Length: 3\r\n\r\nabc`);
      const answer = await wire.response();
      assert.equal(answer.status, 200);
      assert.equal(JSON.parse(answer.body).url, `/${i}`);
    }
    wire.destroy();
  });

  it('answer pipelined requests in their order, whichever the upstream finishes first', async (t) => {
    answering(t, (request, response) => {
      request.resume();
      request.on('end', () => (request.url === '/0' ? setTimeout(() => response.end(request.url), 100) : response.end(request.url)));
    });
    const wire = await gateway.rawTls(HOST);
    const lines = [0, 1, 2, 3].map((i) => (i % 2
      ? `POST /${i} HTTP/1.1\r\nHost: ${HOST}\r\n${authLine()}Transfer-Encoding: chunked\r\n\r\n3\r\nabc\r\n0\r\n\r\n`
      : `GET /${i} HTTP/1.1\r\nHost: ${HOST}\r\n${authLine()}\r\n`));
    wire.write(lines.join(''));
    for (let i = 0; i < 4; i++) {
      assert.equal((await wire.response()).body.toString(), `/${i}`);
    }
    wire.destroy();
  });

  it('take requests byte by byte', async () => {
    const wire = await gateway.rawTls(HOST);
    const text = `POST /slow?x=1 HTTP/1.1\r\nHost: ${HOST}\r\n${authLine()}Transfer-Encoding: chunked\r\n\r\n5\r\nhello\r\n0\r\nX-T: 1\r\n\r\n`;
    for (const byte of text) {
      wire.write(byte);
      await new Promise((resolve) => setImmediate(resolve));
    }
    const seen = JSON.parse((await wire.response()).body);
    assert.equal(seen.size, 5);
    assert.equal(seen.trailers['x-t'], '1');
    wire.destroy();
  });

  it('end after Connection: close, and after each HTTP/1.0 request', async () => {
    for (const [line, more] of [['HTTP/1.1', 'Connection: close\r\n'], ['HTTP/1.0', '']]) {
      const wire = await gateway.rawTls(HOST);
      wire.write(`GET / ${line}\r\nHost: ${HOST}\r\n${authLine()}${more}\r\n`);
      assert.equal((await wire.response()).status, 200);
      await wire.closed();
    }
  });

  it('give an HTTP/1.0 client no chunks', async (t) => {
    answering(t, (_, response) => {
      response.write('one ');
      setImmediate(() => response.end('two'));
    });
    const wire = await gateway.rawTls(HOST);
    wire.write(`GET / HTTP/1.0\r\nHost: ${HOST}\r\n${authLine()}\r\n`);
    const answer = await wire.response();
    assert.equal(answer.headers['transfer-encoding'], undefined);
    assert.equal(answer.body.toString(), 'one two');
  });

  it('carry a hundred HTTP/2 streams at once', async () => {
    const session = await gateway.h2(HOST);
    const answers = await Promise.all(Array.from({ length: 100 }, (_, i) => gateway.request({ version: 2, session, user: 'hanako', method: 'POST', path: `/${i}`, body: `body ${i}` })));
    answers.forEach((answer, i) => {
      assert.equal(answer.status, 200);
      assert.equal(answer.json().url, `/${i}`);
    });
    session.close();
  });

  it('keep other HTTP/2 streams going while one is not read', async (t) => {
    answering(t, (request, response, seen) => {
      if (request.url === '/stuck') {
        response.writeHead(200, { 'content-length': 50 * MIB });
        pattern(50 * MIB).stream.pipe(response);
      } else {
        echoAll(request, response, seen);
      }
    });
    const session = await gateway.h2(HOST);
    const stuck = session.request({ ':path': '/stuck', ':authority': HOST, ...auth() });
    stuck.on('error', () => {});
    await deadline(new Promise((resolve) => { stuck.on('response', resolve); }), 'the stuck response');
    for (let i = 0; i < 20; i++) {
      const answer = await gateway.request({ version: 2, session, user: 'hanako', method: 'POST', path: '/free', body: 'x'.repeat(10000) });
      assert.equal(answer.json().size, 10000);
    }
    session.destroy();
  });

  it('that fall silent in the middle of a TLS record cost no processor time, and others are served', async () => {
    const socket = net.connect(gateway.port, '127.0.0.1');
    let left = Infinity;
    const pipe = new Duplex({ read() {}, write(chunk, _, done) {
      const part = chunk.subarray(0, left);
      left -= part.length;
      socket.write(part, done);
    } });
    socket.on('data', (chunk) => pipe.push(chunk)).on('close', () => pipe.destroy()).on('error', () => {});
    const client = tls.connect({ socket: pipe, servername: HOST, ca: gateway.authority.pem, ALPNProtocols: ['http/1.1'] });
    client.on('error', () => {});
    const wire = new Wire(client);
    await deadline(new Promise((resolve) => client.once('secureConnect', resolve)), 'the handshake');
    wire.write(`GET / HTTP/1.1\r\nHost: ${HOST}\r\n${authLine()}\r\n`);
    assert.equal((await wire.response()).status, 200);
    left = 20;
    await new Promise((resolve) => client.write('GET / HTTP/1.1\r\n', resolve));
    assert.equal(left, 0, 'a part of the record is sent');
    assert.equal((await gateway.request({ user: 'hanako', ms: 5000 })).status, 200);
    await atRest(gateway);
    socket.destroy();
  });

  describe('for which nobody moves', () => {
    let own, large, quiet;
    before(async () => {
      large = await startUpstream((_, response) => response.end(Buffer.alloc(MIB)));
      quiet = await startUpstream((request, response) => {
        if (request.url === '/fast/late') {
          request.resume().on('end', () => setTimeout(() => response.end('ok'), 1000));
        } else if (request.url.startsWith('/fast')) {
          response.end('ok');
        } else {
          request.socket.pause();
        }
      }, { stream: true });
      own = await startGateway({ settings: { workers: 1, timeouts: { request: '2s', idle: '2s' } }, tenants: [openTenant('acme', quiet.url, {
        apps: [{ name: 'api', kind: 'api', path: '/', upstreams: [quiet.url] }, { name: 'large', kind: 'api', path: '/large', upstreams: [large.url] }],
        roles: [{ name: 'all', allow: ['api * /**', 'large * /**'] }] })] });
    });
    after(async () => {
      await own?.stop();
      await large?.close();
      await quiet?.close();
    });

    it('are ended after the idle time when they take nothing of what they asked for, and what is held for them at upstreams too', async () => {
      const session = await own.h2(HOST, { settings: { initialWindowSize: 0 } });
      for (let i = 0; i < 50; i++) {
        session.request({ ':path': `/large/${i}`, ':authority': HOST, authorization: own.basic('hanako') }).on('error', () => {}).pause();
      }
      await until(() => large.requests.length === 50, 'the requests at the upstream');
      await deadline(new Promise((resolve) => (session.closed ? resolve() : session.on('close', resolve))), 'the end of the session', 8000);
      await until(() => large.connections.every((one) => !one.open), 'the end of the upstream connections');
      await until(async () => (await own.metrics()).open_requests === 1, 'no request but the one that asks for this');
    });

    it('are ended as well when all of the answers is here and waits for them', async () => {
      const session = await own.h2(HOST, { settings: { initialWindowSize: 0 } });
      const answered = Array.from({ length: 5 }, (_, i) => new Promise((resolve) => {
        session.request({ ':path': `/fast/${i}`, ':authority': HOST, authorization: own.basic('hanako') }).on('error', () => {}).on('response', resolve).pause();
      }));
      await deadline(Promise.all(answered), 'the heads');
      await deadline(new Promise((resolve) => (session.closed ? resolve() : session.on('close', resolve))), 'the end of the session', 8000);
    });

    for (const version of [1, 2]) {
      it(`are not blamed for an upload that the upstream does not take: 504 (HTTP/${version})`, async () => {
        const answer = await own.request({ version, user: 'hanako', method: 'PUT', path: '/stuck', body: pattern(40 * MIB).stream, ms: 12000 });
        assert.deepEqual([answer.status, problemOf(answer).reason], [504, 'upstream-timeout']);
      });
    }

    it('leave the upstream its whole time for an answer, however long the body took to come', async () => {
      const wire = await own.rawTls(HOST);
      wire.write(`POST /fast/late HTTP/1.1\r\nHost: ${HOST}\r\nAuthorization: ${own.basic('hanako')}\r\nContent-Length: 10\r\n\r\n`);
      for (let i = 0; i < 10; i++) { // the time-outs are 2 s each
        await elapse(370);
        wire.write('x');
      }
      assert.equal((await wire.response()).status, 200);
      wire.destroy();
    });

    it('do not wait for a body that stops while other requests go on: 408, on record', async () => {
      const session = await own.h2(HOST);
      const stream = session.request({ ':method': 'POST', ':path': '/stops', ':authority': HOST, authorization: own.basic('hanako') }, { endStream: false });
      let status = 0, text = '';
      stream.on('response', (head) => { status = head[':status']; }).on('data', (chunk) => { text += chunk; }).on('error', () => {});
      stream.write('half');
      await until(async () => {
        assert.equal((await own.request({ version: 2, session, user: 'hanako', path: '/fast' })).status, 200);
        return text.endsWith('}\n');
      }, 'the answer', 8000, 50);
      assert.deepEqual([status, JSON.parse(text).reason], [408, 'request-timeout']);
      const records = await own.recorded((r) => r.path === '/stops' && r.stage === 'outcome');
      assert.deepEqual(records.map((r) => [r.decision, r.status, r.reason, r.subject]), [['error', 408, 'request-timeout', 'hanako']]);
      session.destroy();
    });
  });

  describe('when descriptors are few', () => {
    const LIMIT = 140, CLIENTS = LIMIT / 2 - 32;
    let own;
    before(async () => {
      own = await startGateway({ settings: { workers: 1 }, tenants: [openTenant('acme', raw.url)], through: ['prlimit', `--nofile=${LIMIT}:${LIMIT}`] });
    });
    after(() => own?.stop());

    // TCP connections that say nothing.
    const silent = (count) => Promise.all(Array.from({ length: count }, () => own.raw()));
    const ended = (crowd) => crowd.filter((wire) => wire.end !== null).length;
    const tooMany = () => own.records().filter((r) => r.op === 'connection-refused' && r.reason === 'too-many-connections').length;
    const leave = async (crowd) => {
      crowd.forEach((wire) => wire.destroy());
      await until(async () => (await own.metrics()).open_connections <= 1, 'their end');
    };

    it('make room for others while they have not finished a handshake, the oldest first, and the record says so', async () => {
      const crowd = await silent(3 * CLIENTS);
      await until(() => ended(crowd) >= 2 * CLIENTS, 'the end of the oldest');
      await until(() => tooMany() >= 2 * CLIENTS, 'their records');
      for (let i = 0; i < 3; i++) {
        assert.equal((await own.request({ ms: 5000 })).status, 401);
      }
      await atRest(own);
      await leave(crowd);
    });

    it('leave them to each other: those to upstreams never take the last', async (t) => {
      const asked = [];
      rawAnswering(t, (connection) => asked.push(connection));
      const sessions = await Promise.all([own.h2(HOST), own.h2(HOST)]);
      const refused = [];
      for (let i = 0; i < LIMIT; i++) {
        sessions[i % 2].request({ ':path': `/${i}`, ':authority': HOST, authorization: own.basic('hanako') }).on('error', () => {}).on('response', (head) => refused.push(head[':status']));
      }
      await until(() => refused.length + asked.length === LIMIT, 'upstream connections as many as there may be');
      assert.equal(asked.length, CLIENTS);
      assert.deepEqual(new Set(refused), new Set([503]));
      assert.ok(!own.log.some(({ id }) => id === 'SK1301'), 'no address is out of service for that');
      const crowd = await silent(2 * CLIENTS);
      assert.equal((await own.request({ ms: 5000 })).status, 401);
      assert.equal(await own.ready(), true);
      sessions.forEach((session) => session.destroy());
      await leave(crowd);
    });

    it('wait when all others have finished theirs, and the operator still sees how it is', async () => {
      const crowd = [];
      while (crowd.length < CLIENTS) {
        const wire = await own.rawTls(HOST);
        wire.write(`GET / HTTP/1.1\r\nHost: ${HOST}\r\n\r\n`);
        assert.equal((await wire.response()).status, 401);
        crowd.push(wire);
      }
      let served = false;
      const waiting = own.request().then(({ status }) => { served = true; return status; });
      for (let i = 0; i < 5; i++) {
        assert.equal(await own.ready(), true);
      }
      await atRest(own);
      assert.deepEqual([served, ended(crowd)], [false, 0]);
      crowd[0].destroy();
      assert.equal(await waiting, 401);
      await leave(crowd);
    });
  });
});

describe('connections to upstreams', () => {
  it('are used again, also after a large response', async (t) => {
    answering(t, (_, response) => response.end(Buffer.alloc(MIB, 'x')));
    const agent = gateway.agent();
    await gateway.request({ user: 'hanako', agent });
    const before = main.connections.length;
    for (let i = 0; i < 5; i++) {
      assert.equal((await gateway.request({ user: 'hanako', agent })).body.length, MIB);
    }
    agent.destroy();
    assert.ok(main.connections.length - before <= 1, `${main.connections.length - before} new connections for 5 requests`);
  });

  it('are used again, also for responses without a body', async (t) => {
    answering(t, (_, response) => response.writeHead(304).end());
    const agent = gateway.agent();
    await gateway.request({ user: 'hanako', agent });
    const before = main.connections.length;
    for (let i = 0; i < 5; i++) {
      assert.equal((await gateway.request({ user: 'hanako', agent })).status, 304);
    }
    agent.destroy();
    assert.ok(main.connections.length - before <= 1, `${main.connections.length - before} new connections for 5 requests`);
  });

  it('are used again over TLS too', async () => {
    const agent = gateway.agent();
    const ask = () => gateway.request({ user: 'hanako', agent, path: '/tls', method: 'POST', body: 'x' });
    assert.equal((await ask()).status, 200);
    const before = tlsUpstream.connections.length;
    for (let i = 0; i < 5; i++) {
      assert.equal((await ask()).status, 200);
    }
    agent.destroy();
    assert.equal(tlsUpstream.connections.length, before);
  });

  // An upstream that answers one request on each connection, says that it keeps it, and closes it on the next.
  const forgetful = (log) => (connection, chunk) => {
    connection.all = (connection.all ?? '') + chunk.toString('latin1');
    if (!connection.all.includes('\r\n\r\n')) {
      return;
    }
    log.push(connection.all.split(' ')[0]);
    connection.all = '';
    connection.count = (connection.count ?? 0) + 1;
    if (connection.count > 1) {
      connection.socket.destroy();
    } else {
      connection.socket.write('HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok');
    }
  };

  it('that were closed under a GET make it go again on a fresh one', async (t) => {
    const log = [];
    rawAnswering(t, forgetful(log));
    const retries = (await gateway.metrics()).upstream_retries_total;
    for (const method of ['GET', 'GET']) {
      assert.equal((await gateway.request({ user: 'hanako', path: '/raw', method })).text, 'ok');
    }
    assert.deepEqual(log, ['GET', 'GET', 'GET']);
    assert.equal((await gateway.metrics()).upstream_retries_total, retries + 1);
  });

  it('that were closed under a request that is idempotent and has no body make it go again, and no other', async (t) => {
    const log = [];
    rawAnswering(t, forgetful(log));
    // Over HTTP/2, where no body needs no length.
    const afterGet = async (method, body) => {
      assert.equal((await gateway.request({ user: 'hanako', path: '/raw' })).status, 200);
      log.length = 0;
      const { status } = await gateway.request({ version: 2, user: 'hanako', path: '/raw', method, body });
      return [status, ...log];
    };
    for (const method of ['HEAD', 'OPTIONS', 'PUT', 'DELETE']) {
      assert.deepEqual(await afterGet(method), [200, method, method]);
    }
    for (const [method, body] of [['POST', undefined], ['PATCH', undefined], ['PUT', 'some'], ['DELETE', 'some']]) {
      const [status, ...sent] = await afterGet(method, body);
      assert.deepEqual([status, sent.filter((one) => one === method).length], [502, 1], method);
    }
  });

  it('that were closed under a POST make it fail: it may have been done', async (t) => {
    const log = [];
    rawAnswering(t, forgetful(log));
    const first = await gateway.request({ user: 'hanako', path: '/raw', method: 'GET' });
    assert.equal(first.status, 200);
    log.length = 0;
    for (const body of ['', 'some']) {
      const answer = await gateway.request({ user: 'hanako', path: '/raw', method: 'POST', body, headers: { 'content-length': body.length } });
      assert.ok(log.filter((method) => method === 'POST').length === 1, `POST was sent ${log} times`);
      assert.equal(answer.status, 502);
      log.length = 0;
      await gateway.request({ user: 'hanako', path: '/raw', method: 'GET' });
      log.length = 0;
    }
  });

  it('that fail after the first byte of a response are not tried again', async (t) => {
    let count = 0;
    rawAnswering(t, ({ socket }) => {
      count++;
      socket.write('HTTP/1.1 200 OK\r\nContent-Length: 10\r\n\r\nhalf');
      setImmediate(() => socket.destroy());
    });
    await assert.rejects(gateway.request({ user: 'hanako', path: '/raw' }), /aborted|ECONNRESET|hang up/);
    assert.equal(count, 1);
  });

  it('that are never taken end in 504, in the time that is set', async (t) => {
    // A queue of one place that nobody empties: what comes after is not even refused.
    const full = spawn('perl', ['-MSocket', '-e', `$| = 1; socket(S, AF_INET, SOCK_STREAM, 0); setsockopt(S, SOL_SOCKET, SO_REUSEADDR, 1);
      bind(S, sockaddr_in(shift, inet_aton("127.0.0.1"))) or die; listen(S, 0) or die; print "listens"; <STDIN>`, String(away[2])], { stdio: ['pipe', 'pipe', 'inherit'] });
    t.after(() => full.kill());
    await deadline(new Promise((resolve) => full.stdout.once('data', resolve)), 'the listener');
    const taken = net.connect(away[2], '127.0.0.1');
    t.after(() => taken.destroy());
    await deadline(new Promise((resolve) => taken.once('connect', resolve)), 'the one place');
    const start = Date.now();
    const answer = await gateway.request({ user: 'hanako', path: '/full' });
    assert.equal(answer.status, 504);
    assert.equal(answer.json().reason, 'upstream-timeout');
    assert.ok(Date.now() - start < 5500, `after ${Date.now() - start} ms with a time-out of 3 s`);
  });

  it('that have answered anything at all are not tried again, whatever the method', async (t) => {
    let count = 0;
    rawAnswering(t, ({ socket }) => {
      count++;
      socket.write('HTTP/1.1 200 OK\r\nContent-Length: 1\r\nContent-Length: 2\r\n\r\nx');
    });
    for (const method of ['GET', 'HEAD', 'OPTIONS', 'PUT', 'DELETE', 'POST']) {
      count = 0;
      const answer = await gateway.request({ user: 'hanako', path: '/raw/nonsense', method });
      assert.deepEqual([answer.status, count], [502, 1], method);
    }
  });

  it('give a TLS record that came behind an answer to nobody', async (t) => {
    const leaf = authority.issue('poisoner', ['upstream.test']);
    let connections = 0;
    const poisoner = await startRawUpstream(null, { onConnection({ socket }) {
      const first = ++connections === 1;
      let held = null; // what is to arrive at once
      const pipe = new Duplex({ read() {}, write(chunk, _, done) {
        if (held) {
          held.push(chunk);
          done();
        } else {
          socket.write(chunk, done);
        }
      } });
      socket.on('data', (chunk) => pipe.push(chunk));
      const secure = new tls.TLSSocket(pipe, { isServer: true, cert: leaf.certPem, key: leaf.keyPem });
      secure.on('error', () => {}).on('data', () => {
        if (!first) {
          secure.write('HTTP/1.1 200 OK\r\nContent-Length: 6\r\n\r\nhonest');
          return;
        }
        held = [];
        secure.write('HTTP/1.1 200 OK\r\nContent-Length: 6\r\n\r\nhonest');
        secure.write('HTTP/1.1 200 OK\r\nContent-Length: 8\r\n\r\npoisoned', () => {
          const records = Buffer.concat(held);
          held = null;
          socket.write(records);
        });
      });
    } });
    t.after(() => poisoner.close());
    const url = `https://upstream.test@127.0.0.1:${poisoner.port}`;
    const own = await gatewayFor(t, { settings: { workers: 1 }, tenants: [openTenant('acme', url, {
      apps: [{ name: 'api', kind: 'api', path: '/', upstreams: [url], ca_file: authority.cert }], users: ['hanako', 'taro'].map((name) => ({ name, roles: ['all'] })) })] });
    assert.equal((await own.request({ user: 'hanako' })).text, 'honest');
    assert.equal((await own.request({ user: 'taro' })).text, 'honest');
    assert.equal(connections, 2);
  });

  it('give what came on them while nobody had asked to nobody, though it be there before it is noticed', async (t) => {
    let first = null;
    rawAnswering(t, (connection) => {
      first ??= connection;
      connection.socket.write('HTTP/1.1 200 OK\r\nContent-Length: 6\r\n\r\nhonest');
    });
    const wire = await gateway.rawTls(HOST);
    const bytes = `GET /raw HTTP/1.1\r\nHost: ${HOST}\r\n${authLine()}\r\n`;
    wire.write(bytes);
    assert.equal((await wire.response()).body.toString(), 'honest');
    const [worker] = gateway.kill('worker', 'SIGSTOP');
    try {
      await new Promise((resolve) => first.socket.write('HTTP/1.1 200 OK\r\nContent-Length: 8\r\n\r\npoisoned', resolve));
      await new Promise((resolve) => wire.socket.write(bytes, resolve));
    } finally {
      process.kill(worker, 'SIGCONT');
    }
    assert.equal((await wire.response()).body.toString(), 'honest');
    wire.destroy();
  });

  it('avoid a dead address: first by trying the next one, then without trying it', async () => {
    const from = gateway.log.length;
    for (let i = 0; i < 10; i++) {
      assert.equal((await gateway.request({ user: 'hanako', path: '/pair' })).status, 200);
    }
    await gateway.logged(({ id }) => id === 'SK1301', { from });
    const made = (await gateway.metrics()).upstream_connections_total;
    for (let i = 0; i < 4; i++) {
      assert.equal((await gateway.request({ user: 'hanako', path: '/pair' })).status, 200);
    }
    assert.equal((await gateway.metrics()).upstream_connections_total, made, 'the dead address is still tried');
  });

  it('come back to an address that was believed dead, as soon as it answers, when there is no other', async (t) => {
    let from = gateway.log.length;
    assert.equal((await gateway.request({ user: 'hanako', path: '/late' })).status, 502);
    await gateway.logged(({ id, ...line }) => id === 'SK1301' && JSON.stringify(line).includes(String(away[0])), { from });
    const upstream = await startUpstream(echo, { port: away[0] });
    t.after(() => upstream.close());
    from = gateway.log.length;
    assert.equal((await gateway.request({ user: 'hanako', path: '/late' })).status, 200);
    await gateway.logged(({ id, ...line }) => id === 'SK1302' && JSON.stringify(line).includes(String(away[0])), { from });
  });

  it('come back to an address that was believed dead after a while, when there are others', { timeout: 30000 }, async (t) => {
    const from = gateway.log.length;
    const ask = () => gateway.request({ user: 'hanako', path: '/later' }).then(({ status }) => status);
    for (let i = 0; i < 8; i++) {
      assert.equal(await ask(), 200);
    }
    await gateway.logged(({ id, ...line }) => id === 'SK1301' && JSON.stringify(line).includes(String(away[1])), { from });
    const upstream = await startUpstream(echo, { port: away[1] });
    t.after(() => upstream.close());
    await until(async () => await ask() === 200 && upstream.requests.length > 0, 'a request at the address that came back', 20000, 250);
  });

  it('take a POST to the next address when the first is not even there', async () => {
    for (let i = 0; i < 2; i++) {
      const answer = await gateway.request({ user: 'hanako', path: '/post', method: 'POST', body: 'hello' });
      assert.equal(answer.status, 200);
      assert.equal(answer.json().size, 5);
    }
  });

  it('leave an address that does not accept, while there is still time for the next one', async (t) => {
    const silent = await startSilent(t);
    const own = await startGateway({ settings: { workers: 1, timeouts: { request: '5s' } }, tenants: [openTenant('acme', main.url, { apps: [
      { name: 'pair', kind: 'api', path: '/', upstreams: [silent.url, spare.url] }, { name: 'alone', kind: 'api', path: '/alone', upstreams: [silent.url] }],
    roles: [{ name: 'all', allow: ['pair * /**', 'alone * /**'] }] })] });
    t.after(() => own.stop());
    const timed = async (options) => {
      const start = performance.now();
      const answer = await own.request({ user: 'hanako', ...options });
      return { answer, took: performance.now() - start };
    };
    const [pair, alone] = await Promise.all([Promise.all([0, 1].map(() => timed({ method: 'POST', body: 'hello' }))), timed({ path: '/alone' })]);
    const [fast, slow] = pair.sort((a, b) => a.took - b.took);
    assert.deepEqual([fast, slow].map(({ answer }) => [answer.status, answer.json().size]), [[200, 5], [200, 5]]);
    assert.ok(fast.took < 2000, `the address that accepts took ${fast.took} ms`);
    assert.ok(slow.took > 2500 && slow.took < 4500, `the next address was tried after ${slow.took} ms`);
    assert.deepEqual([alone.answer.status, alone.answer.json().reason], [504, 'upstream-timeout']);
    assert.ok(alone.took > 4500 && alone.took < 6000, `the whole time-out is 5 s, it took ${alone.took} ms`);
  });

  it('follow the health check: an address that says no is left out, and taken back', async () => {
    const served = () => healthy.map((one) => one.state.served);
    const ask = async (times) => {
      const before = served();
      for (let i = 0; i < times; i++) {
        assert.equal((await gateway.request({ user: 'hanako', path: '/health/x' })).status, 200);
      }
      return served().map((count, i) => count - before[i]);
    };
    await until(() => healthy.every((one) => one.state.probes > 1), 'health checks');
    assert.deepEqual(await ask(6), [3, 3]);
    let from = gateway.log.length;
    healthy[0].state.good = false;
    await gateway.logged(({ id }) => id === 'SK1301', { from });
    assert.deepEqual(await ask(6), [0, 6]);
    from = gateway.log.length;
    healthy[0].state.good = true;
    await gateway.logged(({ id }) => id === 'SK1302', { from });
    assert.deepEqual(await ask(6), [3, 3]);
  });

  it('are checked by every worker before anybody asks, and again when a reload brings a check', async (t) => {
    const probes = [];
    const [bad, good] = await Promise.all([500, 200].map((status) => startUpstream((_, response, { url, connection }) => {
      probes.push([url, status, connection]);
      response.writeHead(url === '/serve' ? 200 : status).end(String(status));
    })));
    t.after(() => Promise.all([bad.close(), good.close()]));
    const tenant = (name, health) => openTenant(name, main.url, { apps: [{ name: 'api', kind: 'api', path: '/', upstreams: [bad.url, good.url], ...health }] });
    const own = await startGateway({ settings: { workers: 3 }, tenants: [tenant('acme', { health: { path: '/first', interval: '60s' } }), tenant('beta', {})] });
    t.after(() => own.stop());
    const asked = (path) => probes.filter(([url]) => url === path).map(([, status]) => status).sort();
    await until(() => asked('/first').length >= 6, () => `a check of 2 addresses by 3 workers: ${asked('/first')}`, 5000);
    assert.deepEqual(asked('/first'), [200, 200, 200, 500, 500, 500], 'once each: the interval is a minute');
    await until(() => own.log.filter(({ id }) => id === 'SK1301').length === 3, 'three workers that know');
    const served = await Promise.all(Array.from({ length: 12 }, () => own.request({ user: 'hanako', path: '/serve' }).then(({ text }) => text)));
    assert.deepEqual(new Set(served), new Set(['200']), 'the very first requests go where the check says');
    assert.equal((await own.reload(() => own.tenant({ ...tenant('beta', { health: { path: '/second', interval: '60s' } }), certificates: own.certificates.beta }))).id, 'SK1102');
    await until(() => asked('/second').length >= 6, () => `a check after the reload: ${asked('/second')}`, 5000);
    assert.equal(asked('/first').length, 6, 'a tenant that did not change is not asked anew');
  });

  it('follow the health check over TLS too, and an address with another name never serves', async (t) => {
    const states = [true, true, true];
    const made = await Promise.all(states.map((_, i) => startUpstream((request, response, seen) => {
      const probe = seen.url === '/ping';
      response.writeHead(probe && !states[i] ? 503 : 200).end(probe ? '' : String(i));
    }, { tls: { cert: leaf.certPem, key: leaf.keyPem }, name: i === 2 ? 'another.test' : 'upstream.test' })));
    const own = await startGateway({ settings: { workers: 1 }, tenants: [openTenant('acme', main.url, { apps: [{ name: 'api', kind: 'api', path: '/', ca_file: authority.cert,
      upstreams: made.map((one) => one.url), health: { path: '/ping', interval: '200ms' } }] })] });
    t.after(async () => {
      await own.stop();
      await Promise.all(made.map((one) => one.close()));
    });
    const ask = async () => (await own.request({ user: 'hanako' })).text;
    const served = async () => [...new Set([await ask(), await ask(), await ask(), await ask()])].sort().join();
    await ask();
    await until(async () => await served() === '0,1', 'the third to be left out');
    states[1] = false;
    await until(async () => await served() === '0', 'the second to be left out too');
    states[1] = true;
    await until(async () => await served() === '0,1', 'the second to be taken back');
    assert.equal(made[2].requests.length, 0, 'an address that is not what it should be was asked');
  });

  it('verify a TLS upstream: the right name passes', async () => {
    const answer = await gateway.request({ user: 'hanako', path: '/tls', method: 'POST', body: 'secret' });
    assert.equal(answer.status, 200);
    assert.equal(answer.json().size, 6);
    assert.equal(answer.json().headers.host, HOST);
  });

  it('pass large bodies over TLS both ways in bounded memory, and hold the client back', { timeout: 60000 }, async (t) => {
    t.after(() => { onTls = echoAll; });
    for (const version of [1, 2]) {
      await bounded(async () => {
        let go, down;
        onTls = (incoming, response, seen) => {
          incoming.socket.pause();
          go = () => {
            incoming.socket.resume();
            echoAll(incoming, response, seen);
          };
        };
        const up = pattern(50 * MIB);
        const answer = gateway.request({ version, user: 'hanako', method: 'PUT', path: '/tls/up', body: up.stream, ms: 50000 });
        await stalled(() => up.sent());
        assert.ok(up.sent() < 40 * MIB, `the client sent ${up.sent() / MIB} MiB to nobody`);
        go();
        assert.deepEqual([(await answer).status, (await answer).json().sha256], [200, up.sha256()]);
        onTls = (_, response) => {
          down = pattern(50 * MIB);
          down.stream.pipe(response.writeHead(200));
        };
        const hash = createHash('sha256');
        const { stream, close } = await open(version, '/tls/down');
        await deadline(new Promise((resolve, reject) => stream.on('data', (chunk) => hash.update(chunk)).on('end', resolve).on('error', reject)), 'the download', 50000);
        assert.equal(hash.digest('hex'), down.sha256());
        close();
      });
    }
  });

  it('carry WebSockets over TLS', async () => {
    const wire = await gateway.rawTls(HOST);
    wire.write(handshake(HOST, '/tls/ws', auth()).text);
    assert.equal((await wire.response()).status, 101);
    const end = new Endpoint(wire.socket);
    const large = randomBytes(300000);
    end.send(BINARY, large);
    assert.ok((await deadline(end.next(), 'the echo')).data.equals(large));
    assert.equal(tlsSockets.at(-1).url, '/tls/ws');
    wire.destroy();
    await until(() => tlsSockets.at(-1).closed, 'the upstream end');
  });

  it('may be IPv6', async () => {
    const answer = await gateway.request({ user: 'hanako', path: '/six', method: 'POST', body: 'six' });
    assert.equal(answer.status, 200, answer.text);
    assert.equal(answer.json().size, 3);
  });

  for (const [what, path] of [['another name', '/misnamed'], ['another authority', '/stranger']]) {
    it(`verify a TLS upstream: ${what} is 502, and it learns nothing`, async () => {
      const before = tlsUpstream.requests.length;
      const answer = await gateway.request({ user: 'hanako', path, method: 'POST', body: 'secret' });
      assert.equal(answer.status, 502);
      assert.equal(answer.json().reason, 'upstream-tls');
      assert.equal(tlsUpstream.requests.length, before);
    });
  }
});

describe('WebSocket', () => {
  const open1 = async (headers = {}, early = Buffer.alloc(0)) => {
    const wire = await gateway.rawTls(HOST);
    const { key, text } = handshake(HOST, '/ws?x=1', { ...auth(), ...headers });
    wire.write(Buffer.concat([Buffer.from(text), early]));
    const answer = await wire.response();
    return { wire, key, answer };
  };

  it('over HTTP/1 passes frames both ways and ends cleanly', async () => {
    const { wire, key, answer } = await open1({ Origin: `https://${HOST}`, 'Sec-WebSocket-Protocol': 'chat' });
    assert.equal(answer.status, 101);
    assert.equal(answer.headers['sec-websocket-accept'], acceptFor(key));
    assert.equal(answer.headers.upgrade?.toLowerCase(), 'websocket');
    const upstream = sockets.at(-1);
    assert.equal(upstream.url, '/ws?x=1');
    assert.equal(upstream.headers['sec-websocket-protocol'], 'chat');
    const end = new Endpoint(wire.socket);
    const large = randomBytes(300000);
    for (const [opcode, data] of [[TEXT, 'こんにちは'], [BINARY, large], [PING, 'p']]) {
      end.send(opcode, data);
      const got = await deadline(end.next(), 'an echo');
      assert.equal(got.opcode, opcode === PING ? PONG : opcode);
      assert.ok(got.data.equals(Buffer.from(data)));
    }
    assert.ok(upstream.frames.every((f) => f.masked), 'masks are passed as they are');
    end.send(CLOSE, Buffer.from([3, 232]));
    assert.equal((await deadline(end.next(), 'the close')).opcode, CLOSE);
    await wire.closed();
    await until(() => upstream.closed, 'the upstream end');
  });

  it('over HTTP/2 passes frames both ways and ends cleanly (RFC 8441)', async () => {
    const session = await gateway.h2(HOST);
    assert.equal(session.remoteSettings.enableConnectProtocol, true);
    const stream = session.request({ ':method': 'CONNECT', ':protocol': 'websocket', ':path': '/ws?x=2', ':authority': HOST, ':scheme': 'https',
      'sec-websocket-version': '13', origin: `https://${HOST}`, ...auth() }, { endStream: false });
    const head = await deadline(new Promise((resolve, reject) => stream.on('response', resolve).on('error', reject)), 'the answer');
    assert.equal(head[':status'], 200);
    const upstream = sockets.at(-1);
    assert.equal(upstream.url, '/ws?x=2');
    const end = new Endpoint(stream);
    const large = randomBytes(300000);
    for (const [opcode, data] of [[TEXT, 'こんにちは'], [BINARY, large], [PING, 'p']]) {
      end.send(opcode, data);
      const got = await deadline(end.next(), 'an echo');
      assert.equal(got.opcode, opcode === PING ? PONG : opcode);
      assert.ok(got.data.equals(Buffer.from(data)));
    }
    end.send(CLOSE, Buffer.from([3, 232]));
    assert.equal((await deadline(end.next(), 'the close')).opcode, CLOSE);
    await deadline(end.ended, 'the end of the stream');
    await until(() => upstream.closed, 'the upstream end');
    session.destroy();
  });

  // A WebSocket over HTTP/2 whose client sends without waiting for the answer, and its request as the upstream has it.
  const eager = async (t, data) => {
    const asked = new Promise((resolve) => rawAnswering(t, resolve));
    const session = await gateway.h2(HOST);
    t.after(() => session.destroy());
    const stream = session.request({ ':method': 'CONNECT', ':protocol': 'websocket', ':path': '/raw/eager', ':authority': HOST, ':scheme': 'https',
      'sec-websocket-version': '13', ...auth() }, { endStream: false });
    let body = '';
    stream.on('error', () => {}).on('data', (chunk) => { body += chunk; });
    const answer = new Promise((resolve) => stream.on('response', (head) => { stream.on('end', () => resolve({ status: head[':status'], text: body })); }));
    const opened = new Promise((resolve) => { stream.on('response', resolve); });
    stream.write(data);
    await arrived(session);
    const upstream = await deadline(asked, 'the handshake at the upstream');
    const behind = () => upstream.bytes.subarray(upstream.text.indexOf('\r\n\r\n', upstream.text.lastIndexOf('GET /raw/eager')) + 4);
    return { session, answer, opened, upstream, behind };
  };
  const smuggled = `DELETE /smuggled HTTP/1.1\r\nHost: ${HOST}\r\nX-Forwarded-User: root\r\nContent-Length: 0\r\n\r\n`;

  it('over HTTP/2: what is sent before the upstream has agreed reaches it after the 101 and its durable record', async (t) => {
    const data = frame(TEXT, 'eager', true);
    const { session, opened, upstream, behind } = await eager(t, data);
    let answered = false;
    void opened.then(() => { answered = true; });
    assert.equal(behind().length, 0, 'sent before the 101');
    await unrecorded(async () => {
      const { records_total: before } = await gateway.metrics();
      const [, key] = /GET \/raw\/eager[^]*sec-websocket-key: (\S+)/i.exec(upstream.text);
      upstream.socket.write(`HTTP/1.1 101 Switching Protocols\r\nConnection: Upgrade\r\nUpgrade: websocket\r\nSec-WebSocket-Accept: ${acceptFor(key)}\r\n\r\n`);
      await until(async () => (await gateway.metrics()).records_total > before, 'the record of the 101 on its way');
      await arrived(session);
      assert.deepEqual([behind().length, answered], [0, false], 'sent before the record is durable');
    });
    assert.equal((await deadline(opened, 'the answer'))[':status'], 200);
    assert.equal(gateway.records().filter((r) => r.path === '/raw/eager' && r.stage === 'start').length, 1);
    await until(() => behind().equals(data), 'the frame');
  });

  it('over HTTP/2: an upstream that declines never sees what was sent before its answer', async (t) => {
    const { answer, upstream, behind } = await eager(t, smuggled);
    upstream.socket.write('HTTP/1.1 404 Not Found\r\nContent-Length: 2\r\n\r\nno');
    assert.deepEqual(await deadline(answer, 'the answer'), { status: 404, text: 'no' });
    await until(() => !upstream.open, 'the end of the upstream connection');
    assert.equal(behind().toString(), '');
  });

  it('over HTTP/2: an upstream that answers 2xx without an upgrade is 502: its client would take the WebSocket for open', async (t) => {
    for (const head of ['200 OK\r\nContent-Length: 2\r\n\r\nok', '204 No Content\r\n\r\n', '200 OK\r\nTransfer-Encoding: chunked\r\n\r\n']) {
      const { answer, upstream, behind } = await eager(t, smuggled);
      upstream.socket.write(`HTTP/1.1 ${head}`);
      const { status, text } = await deadline(answer, 'the answer');
      assert.deepEqual([status, JSON.parse(text).reason], [502, 'upstream-malformed']);
      await until(() => !upstream.open, 'the end of the upstream connection');
      assert.equal(behind().toString(), '');
    }
  });

  it('frames sent along with the handshake are not lost', async () => {
    const { wire, answer } = await open1({}, frame(TEXT, 'eager', true));
    assert.equal(answer.status, 101);
    const end = new Endpoint(wire.socket);
    end.take(wire.bytes);
    assert.equal((await deadline(end.next(), 'the echo', 5000)).data.toString(), 'eager');
    wire.destroy();
  });

  it('that the client drops is dropped at the upstream', async () => {
    const { wire } = await open1();
    wire.destroy();
    await until(() => sockets.at(-1).closed, 'the upstream end');
  });

  it('that an HTTP/2 client ends is ended at the upstream', async () => {
    const session = await gateway.h2(HOST);
    const stream = session.request({ ':method': 'CONNECT', ':protocol': 'websocket', ':path': '/ws', ':authority': HOST, ':scheme': 'https',
      'sec-websocket-version': '13', ...auth() }, { endStream: false });
    await deadline(new Promise((resolve, reject) => stream.on('response', resolve).on('error', reject)), 'the answer');
    stream.resume();
    stream.end();
    await until(() => sockets.at(-1).closed, 'the upstream end', 5000);
    session.destroy();
  });

  it('from another origin is refused, in both versions', async () => {
    const before = sockets.length;
    for (const origin of ['https://evil.test', `http://${HOST}`, `https://${HOST}.evil.test`, 'null', `https://${HOST}:444`]) {
      const { wire, answer } = await open1({ Origin: origin });
      assert.equal(answer.status, 403, origin);
      assert.equal(JSON.parse(answer.body).reason, 'origin-not-allowed');
      wire.destroy();
    }
    const session = await gateway.h2(HOST);
    const stream = session.request({ ':method': 'CONNECT', ':protocol': 'websocket', ':path': '/ws', ':authority': HOST, ':scheme': 'https',
      'sec-websocket-version': '13', origin: 'https://evil.test', ...auth() }, { endStream: false });
    const head = await deadline(new Promise((resolve, reject) => stream.on('response', resolve).on('error', reject)), 'the answer');
    assert.equal(head[':status'], 403);
    session.destroy();
    assert.equal(sockets.length, before);
  });

  it('without a login is refused', async () => {
    const before = sockets.length;
    const { wire, answer } = await open1({ authorization: null });
    assert.equal(answer.status, 401);
    assert.equal(sockets.length, before);
    wire.destroy();
  });

  it('with a broken handshake is refused, and the upstream sees nothing', async () => {
    const before = main.connections.reduce((sum, one) => sum + one.received, 0);
    for (const headers of [{ 'Sec-WebSocket-Version': '8' }, { 'Sec-WebSocket-Key': 'short' }, { 'Sec-WebSocket-Version': null }]) {
      const { wire, answer } = await open1(headers);
      assert.equal(answer.status, 400, JSON.stringify(headers));
      wire.destroy();
    }
    assert.equal(main.connections.reduce((sum, one) => sum + one.received, 0), before);
  });

  it('an upstream that accepts with the wrong key is 502', async (t) => {
    rawAnswering(t, ({ socket }) => socket.write('HTTP/1.1 101 Switching Protocols\r\nConnection: Upgrade\r\nUpgrade: websocket\r\nSec-WebSocket-Accept: AAAAAAAAAAAAAAAAAAAAAAAAAAA=\r\n\r\n'));
    const wire = await gateway.rawTls(HOST);
    wire.write(handshake(HOST, '/raw', auth()).text);
    assert.equal((await wire.response()).status, 502);
    wire.destroy();
  });

  it('an upstream that declines is passed on', async (t) => {
    rawAnswering(t, ({ socket }) => socket.end('HTTP/1.1 404 Not Found\r\nContent-Length: 2\r\n\r\nno'));
    const wire = await gateway.rawTls(HOST);
    wire.write(handshake(HOST, '/raw', auth()).text);
    const answer = await wire.response();
    assert.equal(answer.status, 404);
    assert.equal(answer.body.toString(), 'no');
    wire.destroy();
  });

  it('records its start and its end', async () => {
    const { wire } = await open1();
    const url = `/ws`;
    wire.destroy();
    const start = (await gateway.recorded((r) => r.op === 'stream' && r.stage === 'start' && r.path === url)).at(-1);
    await gateway.recorded((r) => r.op === 'stream' && r.stage === 'end' && r.request === start.request);
  });
});

describe('SIGTERM', () => {
  it('lets open requests finish, refuses new connections, and ends', async (t) => {
    let out;
    const upstream = await startUpstream((request, response) => {
      if (request.url === '/slow') {
        out = response.writeHead(200, { 'content-length': 10 });
        out.write('first');
      } else {
        response.end('ok');
      }
    });
    const own = await startGateway({ tenants: [openTenant('acme', upstream.url)], settings: { timeouts: { drain: '20s' } } });
    t.after(() => upstream.close());
    const idle = await own.rawTls(HOST);
    idle.write(`GET / HTTP/1.1\r\nHost: ${HOST}\r\nAuthorization: ${own.basic('hanako')}\r\n\r\n`);
    assert.equal((await idle.response()).status, 200);
    const idle2 = await own.h2(HOST);
    assert.equal((await own.request({ version: 2, session: idle2, user: 'hanako' })).status, 200);
    const wire = await own.rawTls(HOST);
    wire.write(`GET /slow HTTP/1.1\r\nHost: ${HOST}\r\nAuthorization: ${own.basic('hanako')}\r\n\r\n`);
    await wire.wait(() => wire.text.includes('first'), 'the first part');
    own.child.kill('SIGTERM');
    await own.logged(({ id }) => id === 'SK1002');
    await idle.closed(5000);
    await deadline(new Promise((resolve) => (idle2.closed ? resolve() : idle2.on('close', resolve))), 'the end of the idle HTTP/2 session', 5000);
    await until(() => new Promise((resolve) => {
      const probe = net.connect(own.port, '127.0.0.1', () => { probe.destroy(); resolve(false); });
      probe.on('error', ({ code }) => resolve(code === 'ECONNREFUSED'));
    }), 'the refusal of a new connection', 5000);
    assert.equal(own.exited, null, 'it ended with a request open');
    out.end('-last');
    const answer = await wire.response();
    assert.equal(answer.body.toString(), 'first-last');
    await wire.closed();
    await own.stop();
  });

  it('lets an open HTTP/2 request finish and takes no other on its connection', async (t) => {
    let out;
    const upstream = await startUpstream((request, response) => {
      out = response.writeHead(200, { 'content-length': 10 });
      out.write('first');
    });
    const own = await startGateway({ tenants: [openTenant('acme', upstream.url)], settings: { timeouts: { drain: '20s' } } });
    t.after(() => upstream.close());
    const session = await own.h2(HOST);
    let goaway = false;
    session.on('goaway', () => { goaway = true; });
    const answer = own.request({ version: 2, session, user: 'hanako', path: '/slow' });
    await until(() => out, 'the request at the upstream');
    own.child.kill('SIGTERM');
    await until(() => goaway, 'GOAWAY', 5000);
    await assert.rejects(own.request({ version: 2, session, user: 'hanako', path: '/more' }));
    assert.equal(own.exited, null, 'it ended with a request open');
    out.end('-last');
    assert.equal((await answer).text, 'first-last');
    await deadline(own.ended, 'the end', 5000);
    assert.equal(upstream.requests.length, 1);
    await own.stop();
  });

  it('ends after the drain time though a stream stays open', { timeout: 20000 }, async (t) => {
    const upstream = await startUpstream((_, response) => response.writeHead(200).write('x'));
    const own = await startGateway({ tenants: [openTenant('acme', upstream.url)], settings: { timeouts: { drain: '1s' } } });
    t.after(() => upstream.close());
    const wire = await own.rawTls(HOST);
    wire.write(`GET / HTTP/1.1\r\nHost: ${HOST}\r\nAuthorization: ${own.basic('hanako')}\r\n\r\n`);
    await wire.wait(() => wire.text.includes('x\r\n'), 'the first part');
    own.child.kill('SIGTERM');
    await deadline(own.ended, 'the end', 6000);
    await wire.closed();
    assert.deepEqual(own.exited, { code: 0, signal: null });
    await own.stop();
  });
});
