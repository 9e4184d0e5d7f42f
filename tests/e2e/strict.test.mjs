// Whatever two parsers could read differently is refused: with a status that says so, the end of the connection, a
// record with the reason, and not a byte to the upstream.
import assert from 'node:assert/strict';
import net from 'node:net';
import tls from 'node:tls';
import { after, before, describe, it } from 'node:test';

import { deadline, openTenant, startGateway, until, Wire } from './lib/gateway.mjs';
import { startUpstream } from './lib/upstream.mjs';

const HOST = 'acme.test';
const LIMIT = 1 << 20;

let gateway, upstream, endless, hasty;

before(async () => {
  upstream = await startUpstream();
  const other = openTenant('globex', upstream.url);
  gateway = await startGateway({ tenants: [openTenant('acme', upstream.url, { hosts: [HOST, 'second.acme.test'], limits: { body: '1M' } }), other, openTenant('tiny', upstream.url, { limits: { body: '1k' } })] });
  // Answers that no client reads to their end.
  endless = await startUpstream((_, response) => {
    const more = () => { while (response.write(Buffer.alloc(65536, 'x'))); };
    response.on('drain', more).on('error', () => {});
    more();
  });
  hasty = await startGateway({ tenants: [openTenant('acme', upstream.url, {
    apps: [{ name: 'api', kind: 'api', path: '/', upstreams: [upstream.url] }, { name: 'endless', kind: 'api', path: '/endless', upstreams: [endless.url] }],
    roles: [{ name: 'all', allow: ['api * /**', 'endless * /**'] }] })], settings: { timeouts: { handshake: '1s', header: '1s', idle: '2s' } } });
});

after(async () => {
  await gateway?.stop();
  await hasty?.stop();
  await upstream?.close();
  await endless?.close();
});

const received = () => upstream.connections.reduce((sum, one) => sum + one.received, 0);
const authLine = () => `Authorization: ${gateway.basic('hanako')}`;
const head = (...lines) => `${lines.join('\r\n')}\r\n\r\n`;
const get = (target, ...more) => head(`GET ${target} HTTP/1.1`, `Host: ${HOST}`, authLine(), ...more);
const post = (...more) => head('POST /x HTTP/1.1', `Host: ${HOST}`, authLine(), ...more);
const smuggled = () => get('/smuggled');

// name, bytes (a function: credentials are made at run time), status, reason
const heads = [
  ['both lengths', () => `${post('Content-Length: 4', 'Transfer-Encoding: chunked')}0\r\n\r\n`, 400, 'content-length-and-transfer-encoding'],
  ['both lengths, the other way round', () => `${post('Transfer-Encoding: chunked', 'Content-Length: 4')}0\r\n\r\n`, 400, 'content-length-and-transfer-encoding'],
  ['two lengths that differ', () => `${post('Content-Length: 4', 'Content-Length: 5')}abcde`, 400, 'content-length-twice'],
  ['two lengths that agree', () => `${post('Content-Length: 4', 'Content-Length: 4')}abcd`, 400, 'content-length-twice'],
  ['a list of lengths', () => `${post('Content-Length: 4, 4')}abcd`, 400, 'bad-content-length'],
  ['a signed length', () => `${post('Content-Length: +4')}abcd`, 400, 'bad-content-length'],
  ['a negative length', () => `${post('Content-Length: -1')}abcd`, 400, 'bad-content-length'],
  ['a hexadecimal length', () => `${post('Content-Length: 0x4')}abcd`, 400, 'bad-content-length'],
  ['an empty length', () => `${post('Content-Length:')}abcd`, 400, /^(bad-content-length|malformed-message)$/],
  ['a length beyond all bounds', () => `${post('Content-Length: 99999999999999999999')}abcd`, 400, 'bad-content-length'],
  ['a length with a blank in it', () => `${post('Content-Length: 4 4')}abcd`, 400, 'bad-content-length'],
  ['two encodings', () => `${post('Transfer-Encoding: gzip, chunked')}0\r\n\r\n`, 400, 'bad-transfer-encoding'],
  ['an unknown encoding', () => `${post('Transfer-Encoding: xchunked')}0\r\n\r\n`, 400, 'bad-transfer-encoding'],
  ['identity as encoding', () => `${post('Transfer-Encoding: identity')}abcd`, 400, 'bad-transfer-encoding'],
  ['two encoding fields', () => `${post('Transfer-Encoding: chunked', 'Transfer-Encoding: chunked')}0\r\n\r\n`, 400, 'bad-transfer-encoding'],
  ['an encoding with a control byte', () => `${post('Transfer-Encoding: \x0bchunked')}0\r\n\r\n`, 400, 'control-byte'],
  ['chunked twice', () => `${post('Transfer-Encoding: chunked, chunked')}0\r\n\r\n`, 400, 'bad-transfer-encoding'],
  ['chunks in HTTP/1.0', () => `${head('POST /x HTTP/1.0', `Host: ${HOST}`, authLine(), 'Transfer-Encoding: chunked')}0\r\n\r\n`, 400, 'bad-transfer-encoding'],
  ['an encoding whose name is followed by a blank', () => `${post('Transfer-Encoding : chunked')}0\r\n\r\n`, 400, 'malformed-message'],
  ['a name followed by a blank', () => get('/x', 'X-A : b'), 400, 'malformed-message'],
  ['a name followed by a tab', () => get('/x', 'X-A\t: b'), 400, /^(malformed-message|control-byte)$/],
  ['a name with a blank in it', () => get('/x', 'X A: b'), 400, 'malformed-message'],
  ['no name', () => get('/x', ': b'), 400, 'malformed-message'],
  ['no colon', () => get('/x', 'X-A'), 400, 'malformed-message'],
  ['a name of other bytes', () => get('/x', 'X-\xe9: b'), 400, 'malformed-message'],
  ['a folded line', () => get('/x', 'X-A: b', ' c'), 400, 'folded-header'],
  ['a line folded with a tab', () => get('/x', 'X-A: b', '\tc'), 400, 'folded-header'],
  ['a folded first line', () => head('GET /x HTTP/1.1', ` Host: ${HOST}`, authLine()), 400, /^(folded-header|malformed-message)$/],
  ['a line feed alone', () => `GET /x HTTP/1.1\nHost: ${HOST}\n${authLine()}\n\n`, 400, 'bare-line-feed'],
  ['one line feed alone', () => `GET /x HTTP/1.1\r\nHost: ${HOST}\nX: y\r\n${authLine()}\r\n\r\n`, 400, 'bare-line-feed'],
  ['a line feed before the end', () => `GET /x HTTP/1.1\r\nHost: ${HOST}\r\n${authLine()}\r\n\n`, 400, 'bare-line-feed'],
  ['a carriage return alone', () => get('/x', 'X-A: b\rX-B: c'), 400, 'control-byte'],
  ['a NUL in a value', () => get('/x', 'X-A: b\0c'), 400, 'control-byte'],
  ['a NUL in a name', () => get('/x', 'X-\0A: b'), 400, 'control-byte'],
  ['an escape in a value', () => get('/x', 'X-A: \x1b[2J'), 400, 'control-byte'],
  ['DEL in a value', () => get('/x', 'X-A: \x7f'), 400, 'control-byte'],
  ['an empty line first', () => `\r\n${get('/x')}`, 400, 'malformed-message'],
  ['HTTP/0.9', () => 'GET /x\r\n\r\n', 505, 'http-version-not-supported', /./],
  ['HTTP/1.2', () => head('GET /x HTTP/1.2', `Host: ${HOST}`, authLine()), 505, 'http-version-not-supported'],
  ['HTTP/2.0 in the line', () => head('GET /x HTTP/2.0', `Host: ${HOST}`, authLine()), 505, 'http-version-not-supported'],
  ['the preface of HTTP/2', () => 'PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n', /^(400|405|505)$/, /./],
  ['a version in small letters', () => head('GET /x http/1.1', `Host: ${HOST}`, authLine()), 400, 'malformed-message'],
  ['two blanks in the first line', () => head('GET  /x HTTP/1.1', `Host: ${HOST}`, authLine()), 400, /^(malformed-message|bad-target)$/],
  ['a tab in the first line', () => head('GET\t/x HTTP/1.1', `Host: ${HOST}`, authLine()), 400, /^(malformed-message|control-byte)$/],
  ['a blank behind the version', () => head('GET /x HTTP/1.1 ', `Host: ${HOST}`, authLine()), /^(400|505)$/, /^(malformed-message|http-version-not-supported)$/],
  ['a method of other bytes', () => head('G(T /x HTTP/1.1', `Host: ${HOST}`, authLine()), 400, 'malformed-message'],
  ['TRACE', () => head('TRACE /x HTTP/1.1', `Host: ${HOST}`, authLine()), 405, 'method-not-allowed'],
  ['CONNECT', () => head(`CONNECT ${HOST}:443 HTTP/1.1`, `Host: ${HOST}:443`, authLine()), /^(400|405)$/, /^(method-not-allowed|bad-target)$/],
  ['an asterisk', () => head('OPTIONS * HTTP/1.1', `Host: ${HOST}`, authLine()), 400, 'bad-target'],
  ['no host', () => head('GET /x HTTP/1.1', authLine()), 400, 'host-missing'],
  ['an empty host', () => head('GET /x HTTP/1.1', 'Host:', authLine()), 400, /^(bad-host|host-missing)$/],
  ['two hosts', () => head('GET /x HTTP/1.1', `Host: ${HOST}`, `Host: ${HOST}`, authLine()), 400, 'host-twice'],
  ['two hosts that differ', () => head('GET /x HTTP/1.1', `Host: ${HOST}`, 'Host: evil.test', authLine()), 400, 'host-twice'],
  ['a list of hosts', () => head('GET /x HTTP/1.1', `Host: ${HOST}, evil.test`, authLine()), 400, 'bad-host'],
  ['a host with a user', () => head('GET /x HTTP/1.1', `Host: evil@${HOST}`, authLine()), 400, 'bad-host'],
  ['a host with a path', () => head('GET /x HTTP/1.1', `Host: ${HOST}/x`, authLine()), 400, 'bad-host'],
  ['a host with a bad port', () => head('GET /x HTTP/1.1', `Host: ${HOST}:8a`, authLine()), 400, 'bad-host'],
  ['an absolute target of another host', () => head('GET https://evil.test/x HTTP/1.1', `Host: ${HOST}`, authLine()), 400, 'host-mismatch'],
  ['an absolute target of another scheme', () => head(`GET http://${HOST}/x HTTP/1.1`, `Host: ${HOST}`, authLine()), 400, 'bad-target'],
  ['an absolute target without a path', () => head(`GET https://${HOST} HTTP/1.1`, `Host: ${HOST}`, authLine()), 400, 'bad-target'],
  ['a target that is no path', () => get('x'), 400, /^(bad-target|malformed-message)$/],
  ['an unknown expectation', () => `${post('Expect: 200-maybe', 'Content-Length: 1')}x`, 417, 'expectation-not-met'],
  ['a head of 40 KiB', () => get('/x', ...Array.from({ length: 50 }, (_, i) => `X-${i}: ${'a'.repeat(800)}`)), 431, 'head-too-large'],
  ['one field of 40 KiB', () => get('/x', `X-A: ${'a'.repeat(40000)}`), 431, 'head-too-large'],
  ['200 fields', () => get('/x', ...Array.from({ length: 200 }, (_, i) => `X-${i}: 1`)), 431, 'too-many-headers'],
];

const targets = [
  ['an encoded slash', '/a%2Fb', 400, 'encoded-slash'],
  ['an encoded slash in small letters', '/a%2fb', 400, 'encoded-slash'],
  ['an encoded backslash', '/a%5Cb', 400, 'encoded-slash'],
  ['a backslash', '/a\\b', 400, 'bad-path-byte'],
  ['a parent segment', '/a/../b', 400, 'dot-segment'],
  ['a parent segment at the end', '/a/..', 400, 'dot-segment'],
  ['a dot segment', '/a/./b', 400, 'dot-segment'],
  ['an encoded parent segment', '/a/%2e%2E/b', 400, 'dot-segment'],
  ['a half encoded parent segment', '/a/.%2e/b', 400, 'dot-segment'],
  ['an empty segment', '/a//b', 400, 'empty-segment'],
  ['an empty segment first', '//a', 400, 'empty-segment'],
  ['a semicolon', '/a;x=1/b', 400, 'bad-path-byte'],
  ['an encoded semicolon', '/a%3Bx/b', 400, 'bad-path-byte'],
  ['a semicolon behind dots', '/a/..;/b', 400, 'bad-path-byte'],
  ['an encoded NUL', '/a%00b', 400, 'bad-path-byte'],
  ['an encoded line end', '/a%0d%0ab', 400, 'bad-path-byte'],
  ['an encoded percent', '/a%252Fb', 400, 'bad-path-byte'],
  ['half an encoding', '/a%2', 400, 'bad-percent-encoding'],
  ['a wrong encoding', '/a%zzb', 400, 'bad-percent-encoding'],
  ['a percent of %u', '/a%u002fb', 400, 'bad-percent-encoding'],
  ['a fragment', '/a#b', 400, /^(bad-path-byte|bad-target|malformed-message)$/],
  ['a quote', '/a"b', 400, 'bad-path-byte'],
  ['a backslash in the query', '/a?x=\\', 400, 'bad-target'],
  ['9 KiB', `/${'a'.repeat(9000)}`, 414, 'target-too-long'],
  ['9 KiB of query', `/a?${'a'.repeat(9000)}`, 414, 'target-too-long'],
];

const bodies = [
  ['a size that is no number', 'x\r\nabc\r\n0\r\n\r\n'],
  ['a size with a sign', '+3\r\nabc\r\n0\r\n\r\n'],
  ['a size with a prefix', '0x3\r\nabc\r\n0\r\n\r\n'],
  ['a size behind a blank', ' 3\r\nabc\r\n0\r\n\r\n'],
  ['a size before a blank', '3 \r\nabc\r\n0\r\n\r\n'],
  ['a size beyond all bounds', 'ffffffffffffffffff\r\nabc\r\n0\r\n\r\n'],
  ['a size that wraps', '10000000000000003\r\nabc\r\n0\r\n\r\n'],
  ['no size', '\r\nabc\r\n0\r\n\r\n'],
  ['an extension', '3;a=b\r\nabc\r\n0\r\n\r\n'],
  ['an extension with a line feed alone', '3;a=b\nabc\r\n0\r\n\r\n'],
  ['a size ended by a line feed alone', '3\nabc\r\n0\r\n\r\n'],
  ['data ended by a line feed alone', '3\r\nabc\n0\r\n\r\n'],
  ['data that is longer than its size', '2\r\nabc\r\n0\r\n\r\n'],
  ['an end with a line feed alone', '3\r\nabc\r\n0\r\n\n'],
];

const trailers = [
  ['a trailer without a colon', '0\r\nX-A\r\n\r\n'],
  ['a trailer with a blank before the colon', '0\r\nX-A : b\r\n\r\n'],
  ['a folded trailer', '0\r\nX-A: b\r\n c\r\n\r\n'],
  ['a trailer with a NUL', '0\r\nX-A: b\0\r\n\r\n'],
  ['a length in the trailers', '0\r\nContent-Length: 5\r\n\r\n'],
  ['an encoding in the trailers', '0\r\nTransfer-Encoding: chunked\r\n\r\n'],
  ['a host in the trailers', '0\r\nHost: evil.test\r\n\r\n'],
];

// Sends the bytes and another good request behind them; says what came back.
async function probe(bytes, to = gateway, host = HOST) {
  const wire = await to.rawTls(host);
  const port = wire.socket.localPort;
  wire.write(Buffer.from(bytes + smuggled(), 'latin1'));
  const first = await wire.response();
  await wire.closed();
  return { first, rest: wire.text, port };
}

// A refusal as it must be. Returns the record.
async function refused(bytes, status, reason, what) {
  const before = received(), requests = upstream.requests.length;
  const { first, rest, port } = await probe(bytes);
  assert.match(String(first.status), status instanceof RegExp ? status : new RegExp(`^${status}$`), `${what}: ${first.line} ${first.body}`);
  assert.equal(rest, '', `${what}: something more was answered`);
  assert.equal(upstream.requests.length, requests, `${what}: the upstream got a request`);
  assert.equal(received(), before, `${what}: the upstream got ${received() - before} bytes`);
  const said = JSON.parse(first.body);
  assert.match(said.reason, reason instanceof RegExp ? reason : new RegExp(`^${reason}$`), what);
  return { port, status: first.status, reason: said.reason, id: said.id, what };
}

// Every refusal has its own record, which says the same.
async function onRecord(list) {
  const records = await gateway.recorded((r) => r.request === list.at(-1).id);
  assert.ok(records.length);
  const all = gateway.records();
  for (const { id, reason, status, port, what } of list) {
    const found = all.filter((r) => r.request === id);
    assert.equal(found.length, 1, `${what}: ${found.length} records`);
    assert.equal(found[0].reason, reason, what);
    assert.equal(found[0].status, status, what);
    assert.equal(found[0].decision, 'deny', what);
    assert.equal(found[0].op, 'message-refused', what);
    assert.equal(found[0].address, '127.0.0.1', what);
    assert.equal(found[0].port, port, what);
    assert.ok(found[0].tenant_id !== '0'.repeat(32), `${what}: on no tenant's trail`);
  }
}

describe('HTTP/1 is read in one way only', () => {
  it('what is right passes (the other tests would prove nothing without it)', async () => {
    for (const [bytes, size] of [[get('/x'), 0], [`${post('Content-Length: 4')}abcd`, 4], [`${post('Transfer-Encoding: Chunked')}4\r\nabcd\r\n0\r\nX-A: b\r\n\r\n`, 4],
      [head(`GET https://${HOST}/x HTTP/1.1`, `Host: ${HOST}`, authLine()), 0], [head('GET /x HTTP/1.1', 'Host: ACME.test:443', authLine()), 0],
      [get('/x', 'X-A:b', 'X-B:\t c \t', 'X-C:', 'X-D: \xe9'), 0], [get('/a/b-c_d.e~f!$&\'()*+,=:@%20%C3%A9/?q=/../;//%2F'), 0]]) {
      const wire = await gateway.rawTls(HOST);
      wire.write(Buffer.from(bytes, 'latin1'));
      const answer = await wire.response();
      assert.equal(answer.status, 200, `${bytes}: ${answer.body}`);
      assert.equal(JSON.parse(answer.body).size, size);
      wire.destroy();
    }
    assert.equal(upstream.requests.at(-1).url, '/a/b-c_d.e~f!$&\'()*+,=:@%20%C3%A9/?q=/../;//%2F');
  });

  it(`heads: ${heads.length} kinds are refused`, { timeout: 60000 }, async () => {
    const list = [];
    for (const [what, bytes, status, reason] of heads) {
      list.push(await refused(bytes(), status, reason, what));
    }
    await onRecord(list);
  });

  it(`targets: ${targets.length} kinds are refused`, async () => {
    const list = [];
    for (const [what, target, status, reason] of targets) {
      list.push(await refused(get(target), status, reason, what));
    }
    await onRecord(list);
  });

  it(`heads that come byte by byte are refused just so`, async () => {
    for (const [what, bytes, status] of heads.filter(([, make]) => make().length < 400)) {
      const before = received();
      const wire = await gateway.rawTls(HOST);
      for (const byte of Buffer.from(bytes(), 'latin1')) {
        wire.write(Buffer.from([byte]));
        await new Promise((resolve) => setImmediate(resolve));
        if (wire.end !== null) {
          break;
        }
      }
      const answer = await wire.response();
      assert.match(String(answer.status), status instanceof RegExp ? status : new RegExp(`^${status}$`), what);
      await wire.closed();
      assert.equal(wire.text, '', what);
      assert.equal(received(), before, what);
    }
  });

  // The gateway may have begun to pass the body on when the fault comes; what counts is that the upstream never gets a
  // whole request, that the connection ends, and that the journal says why.
  for (const [kind, table, reason] of [['chunks', bodies, 'bad-chunk'], ['trailers', trailers, 'bad-trailer']]) {
    it(`${kind}: ${table.length} kinds are refused`, async () => {
      for (const [what, bytes] of table) {
        const whole = upstream.requests.filter((one) => one.sha256).length;
        const wire = await gateway.rawTls(HOST);
        const { localPort } = wire.socket;
        wire.write(Buffer.from(`${post('Transfer-Encoding: chunked')}${bytes}${smuggled()}`, 'latin1'));
        await wire.closed();
        assert.doesNotMatch(wire.text, /^HTTP\/1.1 2/, what);
        assert.ok((wire.text.match(/HTTP\/1\.1 /g) ?? []).length <= 1, `${what}: ${wire.text}`);
        assert.equal(upstream.requests.filter((one) => one.sha256).length, whole, `${what}: the upstream got a whole request`);
        assert.ok(!upstream.requests.some((one) => one.url === '/smuggled'), what);
        await gateway.recorded((r) => r.port === localPort && [r.reason, r.detail].includes(reason), `${what}: ${reason} from port ${localPort}`);
      }
      const { text } = gateway.verify();
      assert.match(text, /; 0 intents are without an outcome$/m, text);
    });
  }

  it('a fault that comes after the head has been passed on is on record with its reason and for whom it was, for every method', async () => {
    for (const method of ['GET', 'POST']) {
      const count = upstream.requests.length, whole = upstream.requests.filter((one) => one.sha256).length;
      const wire = await gateway.rawTls(HOST);
      const { localPort } = wire.socket;
      wire.write(`${method} /late HTTP/1.1\r\nHost: ${HOST}\r\n${authLine()}\r\nTransfer-Encoding: chunked\r\n\r\n3\r\nabc\r\n`);
      await until(() => upstream.requests.length > count, 'the head at the upstream');
      wire.write('x\r\n');
      await wire.closed();
      assert.doesNotMatch(wire.text, /^HTTP\/1.1 2/);
      assert.equal(upstream.requests.filter((one) => one.sha256).length, whole);
      const records = await gateway.recorded((r) => r.port === localPort && r.stage !== 'intent' && [r.reason, r.detail].includes('bad-chunk'), `of bad-chunk in ${method}`);
      assert.deepEqual(records.map(({ subject }) => subject), ['hanako'], 'whose it was');
    }
  });

  it('a fault in a body leaves no intent open in the journal', async () => {
    await until(() => /; 0 intents are without an outcome$/m.test(gateway.verify().text), () => gateway.verify().text, 3000, 100);
  });
});

describe('HTTP/2 is read as strictly', () => {
  it(`targets: ${targets.length} kinds are refused`, async () => {
    const before = received();
    for (const [what, target, status, reason] of targets) {
      const answer = await gateway.request({ version: 2, user: 'hanako', path: target });
      assert.equal(answer.status, status, what);
      assert.match(answer.json().reason, reason instanceof RegExp ? reason : new RegExp(`^${reason}$`), what);
      const [record] = await gateway.recorded({ request: answer.json().id });
      assert.equal(record.reason, answer.json().reason);
    }
    assert.equal(received(), before);
  });

  it('a host that differs from the authority is refused', async () => {
    const before = received();
    const answer = await gateway.request({ version: 2, user: 'hanako', headers: { host: 'evil.test' } });
    assert.equal(answer.status, 400);
    assert.equal(answer.json().reason, 'host-mismatch');
    assert.equal(received(), before);
  });

  it('TRACE and too many fields are refused', async () => {
    assert.equal((await gateway.request({ version: 2, user: 'hanako', method: 'TRACE' })).status, 405);
    const many = Object.fromEntries(Array.from({ length: 110 }, (_, i) => [`x-${i}`, '1']));
    assert.equal((await gateway.request({ version: 2, user: 'hanako', headers: many })).status, 431);
  });

  // Node's client sends no such thing, so these frames are made by hand.
  const literal = (name, value) => Buffer.concat([Buffer.from([0x10, name.length]), Buffer.from(name, 'latin1'), Buffer.from([0x7f, value.length - 127].slice(0, value.length >= 127 ? 2 : 0)),
    value.length < 127 ? Buffer.from([value.length]) : Buffer.alloc(0), Buffer.from(value, 'latin1')]);
  const frameOf = (type, flags, id, payload) => {
    const h = Buffer.alloc(9);
    h.writeUIntBE(payload.length, 0, 3);
    h[3] = type;
    h[4] = flags;
    h.writeUInt32BE(id, 5);
    return Buffer.concat([h, payload]);
  };
  const pseudo = () => [[':method', 'GET'], [':scheme', 'https'], [':authority', HOST], [':path', '/x'], ['authorization', gateway.basic('hanako')]];
  const request2 = async (fields, data = null) => {
    const socket = await gateway.tls(HOST, { ALPNProtocols: ['h2'] });
    const wire = new Wire(socket);
    wire.write(Buffer.concat([Buffer.from('PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n'), frameOf(4, 0, 0, Buffer.alloc(0)),
      frameOf(1, data ? 4 : 5, 1, Buffer.concat(fields.map(([name, value]) => literal(name, value)))), ...(data ? [frameOf(0, 1, 1, data)] : [])]));
    // The answer to stream 1: the first HEADERS, RST_STREAM or GOAWAY.
    const type = await wire.wait(() => {
      for (let at = 0; at + 9 <= wire.bytes.length;) {
        const length = wire.bytes.readUIntBE(at, 3), kind = wire.bytes[at + 3], id = wire.bytes.readUInt32BE(at + 5);
        if (wire.bytes.length < at + 9 + length) {
          return null;
        }
        if ((id === 1 && (kind === 1 || kind === 3)) || kind === 7) {
          return { kind, first: wire.bytes[at + 9] };
        }
        at += 9 + length;
      }
      return wire.end ? { kind: 'closed' } : null;
    }, 'an answer');
    socket.destroy();
    return type;
  };

  it('frames made by hand pass when they are right (the next test would prove nothing without it)', async () => {
    const count = upstream.requests.length;
    assert.equal((await request2(pseudo())).first & 0x7f, 8, ':status 200');
    assert.equal((await request2([...pseudo(), ['content-length', '2']], Buffer.from('ok'))).kind, 1);
    assert.equal(upstream.requests.length, count + 2);
  });

  it('malformed heads and bodies never reach the upstream', async () => {
    const requests = upstream.requests.length;
    for (const [what, fields, data] of [
      ['a name in capitals', [...pseudo(), ['X-A', 'b']]],
      ['a connection field', [...pseudo(), ['connection', 'close']]],
      ['an encoding field', [...pseudo(), ['transfer-encoding', 'chunked']]],
      ['an upgrade field', [...pseudo(), ['upgrade', 'h2c']]],
      ['te that is not trailers', [...pseudo(), ['te', 'gzip']]],
      ['a line end in a value', [...pseudo(), ['x-a', 'b\r\nx-c: d']]],
      ['a NUL in a value', [...pseudo(), ['x-a', 'b\0c']]],
      ['a colon in a name', [...pseudo(), ['x:a', 'b']]],
      ['a blank in a name', [...pseudo(), ['x a', 'b']]],
      ['a line end in the path', pseudo().map(([name, value]) => [name, name === ':path' ? '/x\r\nx-a: b' : value])],
      ['a blank in the path', pseudo().map(([name, value]) => [name, name === ':path' ? '/x HTTP/1.1' : value])],
      ['a blank in the method', pseudo().map(([name, value]) => [name, name === ':method' ? 'GET /y' : value])],
      ['no path', pseudo().filter(([name]) => name !== ':path')],
      ['no method', pseudo().filter(([name]) => name !== ':method')],
      ['an empty path', pseudo().map(([name, value]) => [name, name === ':path' ? '' : value])],
      ['another scheme', pseudo().map(([name, value]) => [name, name === ':scheme' ? 'http' : value])],
      ['two paths', [...pseudo().slice(0, 4), [':path', '/y'], ...pseudo().slice(4)]],
      ['a pseudo field behind others', [...pseudo(), [':path', '/y']]],
      ['an unknown pseudo field', [[':x', 'y'], ...pseudo()]],
      ['two authorities', [...pseudo(), ['host', HOST], ['host', 'evil.test']]],
      ['no authority', pseudo().filter(([name]) => name !== ':authority')],
      ['two lengths', [...pseudo(), ['content-length', '2'], ['content-length', '3']], Buffer.from('ok')],
      ['a length that the body exceeds', [...pseudo(), ['content-length', '1']], Buffer.from('ok')],
      ['a length that the body does not reach', [...pseudo(), ['content-length', '3']], Buffer.from('ok')],
      ['a length that is no number', [...pseudo(), ['content-length', 'x']], Buffer.from('ok')],
      ['a protocol without CONNECT', [...pseudo().slice(0, 4), [':protocol', 'websocket'], ...pseudo().slice(4)]],
    ]) {
      const { kind, first } = await request2(fields, data);
      assert.ok(kind === 3 || kind === 7 || kind === 'closed' || (kind === 1 && (first & 0x7f) !== 8), `${what}: answered 200`);
    }
    await new Promise((resolve) => setImmediate(resolve));
    assert.deepEqual(upstream.requests.slice(requests).filter((one) => one.sha256).map((one) => one.url), []);
  });

  it('what the protocol library refuses is on record too', async () => {
    const before = gateway.records().filter((r) => r.reason === 'malformed-message').length;
    await request2([...pseudo(), ['connection', 'close']]);
    await until(() => gateway.records().filter((r) => r.reason === 'malformed-message').length > before, 'the record', 3000, 50);
  });
});

describe('names', () => {
  it('the host of another tenant is 421, in both versions, and the connection goes on', async () => {
    const before = received();
    for (const host of ['globex.test', 'nobody.test', 'acme.test.', '127.0.0.1', '[::1]']) {
      for (const version of [1, 2]) {
        const answer = await gateway.request({ version, user: 'hanako', host, servername: HOST });
        assert.equal(answer.status, 421, `${host} over HTTP/${version}`);
        const [record] = await gateway.recorded({ request: answer.json().id });
        assert.equal(record.reason, 'misdirected-request');
        assert.equal(record.op, 'message-refused');
      }
    }
    assert.equal(received(), before);
  });

  const failed = (options) => deadline(new Promise((resolve) => {
    const socket = tls.connect({ host: '127.0.0.1', port: gateway.port, ca: gateway.authority.pem, ...options }, () => { socket.destroy(); resolve('made'); });
    socket.on('error', (error) => resolve(error.code ?? error.message));
    socket.on('close', () => resolve('closed'));
  }), 'the end of the handshake');

  for (const [what, servername, detail] of [['an unknown name', 'nobody.test', 'unknown-host'], ['no name', '', 'no-host']]) {
    it(`a handshake with ${what} fails, without a certificate of anybody`, async () => {
      assert.notEqual(await failed({ servername, checkServerIdentity: () => undefined, rejectUnauthorized: false }), 'made');
      const [record] = await gateway.recorded((r) => r.op === 'connection-refused' && r.detail === detail);
      assert.equal(record.decision, 'deny');
      assert.equal(record.tenant_id, '0'.repeat(32), 'nobody\'s trail but the operator\'s');
    });
  }

  it('plaintext on the TLS port gets no answer', async () => {
    const wire = await gateway.raw();
    const { localPort } = wire.socket;
    wire.write(`GET / HTTP/1.1\r\nHost: ${HOST}\r\n\r\n`);
    await wire.closed();
    assert.doesNotMatch(wire.text, /HTTP|acme|sekisho/i);
    await gateway.recorded((r) => r.op === 'connection-refused' && r.reason === 'handshake-failed' && r.port === localPort);
  });
});

describe('sizes', () => {
  for (const version of [1, 2]) {
    it(`a body over the limit is 413: announced or not (HTTP/${version})`, async () => {
      const before = upstream.requests.filter((one) => one.sha256).length;
      const announced = await gateway.request({ version, user: 'hanako', method: 'POST', path: '/announced', body: Buffer.alloc(LIMIT + 1), headers: { 'content-length': LIMIT + 1 } });
      assert.equal(announced.status, 413);
      assert.ok(!upstream.requests.some((one) => one.url === '/announced'), 'the upstream was asked for nothing');
      assert.equal(announced.json().reason, 'body-too-large');
      const wholly = await gateway.request({ version, user: 'hanako', method: 'POST', body: Buffer.alloc(LIMIT + 100000), headers: version === 1 ? { 'transfer-encoding': 'chunked' } : {} });
      assert.equal(wholly.status, 413);
      assert.equal(upstream.requests.filter((one) => one.sha256).length, before, 'the upstream got a whole request');
      const exact = await gateway.request({ version, user: 'hanako', method: 'POST', body: Buffer.alloc(LIMIT) });
      assert.equal(exact.status, 200);
      assert.equal(exact.json().size, LIMIT);
      for (const answer of [announced, wholly]) {
        const [record] = await gateway.recorded((r) => r.request === answer.json().id && r.status === 413);
        assert.equal(record.reason, 'body-too-large');
      }
    });
  }
});

describe('sizes on one wire', () => {
  it('a body over the limit that comes along with its head is 413, whatever the request waits for just then', async () => {
    const line = (method, more) => `${method} /tiny HTTP/1.1\r\nHost: tiny.test\r\nAuthorization: ${gateway.basic('hanako')}\r\n${more}\r\n`;
    for (const warm of [true, false]) {
      for (const method of ['GET', 'POST']) {
        const wire = await gateway.rawTls('tiny.test');
        if (warm) {
          wire.write(line('GET', ''));
          assert.equal((await wire.response()).status, 200);
        }
        wire.write(`${line(method, 'Transfer-Encoding: chunked\r\n')}800\r\n${'x'.repeat(0x800)}\r\n0\r\n\r\n`);
        const answer = await wire.response();
        assert.equal(answer.status, 413, method);
        const [record] = await gateway.recorded({ request: JSON.parse(answer.body).id, status: 413 });
        assert.equal(record.reason, 'body-too-large');
        wire.destroy();
      }
    }
    assert.equal((await gateway.request({ host: 'tiny.test', user: 'hanako' })).status, 200);
    assert.ok(!upstream.requests.some((one) => one.url === '/tiny' && one.size > 1024));
    await until(() => /; 0 intents are without an outcome$/m.test(gateway.verify().text), () => gateway.verify().text, 3000, 100);
  });
});

describe('time', () => {
  const trickle = async (wire, bytes) => {
    const start = Date.now();
    for (const byte of Buffer.from(bytes, 'latin1')) {
      wire.write(Buffer.from([byte]));
      await Promise.race([wire.closed(60000), new Promise((resolve) => setTimeout(resolve, 150))]);
      if (wire.end !== null || Date.now() - start > 6000) {
        break;
      }
    }
    return Date.now() - start;
  };

  it('a head that never comes to its end is cut off', async () => {
    const wire = await hasty.rawTls(HOST);
    const { localPort } = wire.socket;
    wire.write('GET / HTTP/1.1\r\nHost: ');
    await wire.closed(4000);
    await hasty.recorded((r) => r.op === 'connection-refused' && r.reason === 'header-timeout' && r.port === localPort);
  });

  it('a head that comes drop by drop is cut off all the same', async () => {
    const wire = await hasty.rawTls(HOST);
    const { localPort } = wire.socket;
    const took = await trickle(wire, `GET / HTTP/1.1\r\nHost: ${HOST}\r\nX-A: ${'a'.repeat(100)}`);
    assert.ok(wire.end !== null, `still open after ${took} ms with a time-out of 1 s`);
    assert.ok(took < 4000, `cut off after ${took} ms`);
    await hasty.recorded((r) => r.op === 'connection-refused' && r.reason === 'header-timeout' && r.port === localPort);
  });

  it('an HTTP/2 head that never comes to its end is cut off', async () => {
    const wire = new Wire(await hasty.tls(HOST, { ALPNProtocols: ['h2'] }));
    const { localPort } = wire.socket;
    // The preface, empty SETTINGS, and HEADERS of stream 1 (":method: GET") whose CONTINUATION never follows.
    wire.write(Buffer.concat([Buffer.from('PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n'), Buffer.from([0, 0, 0, 4, 0, 0, 0, 0, 0]), Buffer.from([0, 0, 1, 1, 1, 0, 0, 0, 1, 0x82])]));
    await wire.closed(4000);
    await hasty.recorded((r) => r.op === 'connection-refused' && r.reason === 'header-timeout' && r.port === localPort);
  });

  it('a second head on a connection in use is no exception', async () => {
    const wire = await hasty.rawTls(HOST);
    wire.write(`GET / HTTP/1.1\r\nHost: ${HOST}\r\nAuthorization: ${hasty.basic('hanako')}\r\n\r\n`);
    assert.equal((await wire.response()).status, 200);
    const took = await trickle(wire, `GET / HTTP/1.1\r\nHost: ${HOST}\r\nX-A: ${'a'.repeat(100)}`);
    assert.ok(wire.end !== null, `still open after ${took} ms with a time-out of 1 s`);
  });

  it('a handshake that never begins, and one that comes drop by drop, are cut off', async () => {
    const silent = new Wire(net.connect(hasty.port, '127.0.0.1'));
    await silent.closed(4000);
    const slow = new Wire(net.connect(hasty.port, '127.0.0.1'));
    // The first bytes of a record that announces a ClientHello of 500 bytes.
    const took = await trickle(slow, Buffer.concat([Buffer.from([0x16, 3, 1, 1, 0xf4, 1, 0, 1, 0xf0, 3, 3]), Buffer.alloc(200)]).toString('latin1'));
    assert.ok(slow.end !== null, `still open after ${took} ms with a time-out of 1 s`);
    await hasty.recorded((r) => r.op === 'connection-refused' && r.reason === 'handshake-timeout');
  });

  it('a body that stops is cut off, and the upstream is told', async () => {
    const wire = await hasty.rawTls(HOST);
    wire.write(`POST /stops HTTP/1.1\r\nHost: ${HOST}\r\nAuthorization: ${hasty.basic('hanako')}\r\nContent-Length: 100\r\n\r\nhalf`);
    await wire.closed(8000);
    await until(() => upstream.requests.some((one) => one.url === '/stops' && !one.connection.open), 'the end of the upstream connection');
    const [record] = await hasty.recorded((r) => r.path === '/stops' && r.stage === 'outcome');
    assert.equal(record.decision, 'error');
    assert.equal(record.reason, 'request-timeout');
  });

  // Until the upstream's connection of the answer at `path` is ended.
  const dropped = async (path) => {
    await until(() => endless.requests.some((one) => one.url === path), 'the request at the upstream');
    const { connection } = endless.requests.find((one) => one.url === path);
    await until(() => !connection.open, 'the end of the upstream connection', 8000);
  };

  it('a client that does not read its answer is cut off (HTTP/1)', async () => {
    const wire = await hasty.rawTls(HOST);
    wire.socket.pause();
    wire.write(`GET /endless/1 HTTP/1.1\r\nHost: ${HOST}\r\nAuthorization: ${hasty.basic('hanako')}\r\n\r\n`);
    await dropped('/endless/1');
    wire.destroy();
  });

  it('a client that opens no window for its answer is cut off (HTTP/2)', async () => {
    const session = await hasty.h2(HOST);
    const stream = session.request({ ':path': '/endless/2', ':authority': HOST, authorization: hasty.basic('hanako') });
    stream.on('error', () => {});
    stream.pause();
    await dropped('/endless/2');
    session.destroy();
  });

  it('a body that stops is cut off though other streams of its connection go on (HTTP/2)', async () => {
    const session = await hasty.h2(HOST);
    const stalled = session.request({ ':method': 'POST', ':path': '/stalls', ':authority': HOST, authorization: hasty.basic('hanako') }, { endStream: false });
    let ended = false;
    stalled.on('error', () => {}).on('close', () => { ended = true; }).on('response', () => { ended = true; });
    stalled.write('half');
    await until(() => upstream.requests.some((one) => one.url === '/stalls'), 'the request at the upstream');
    await until(async () => {
      assert.equal((await hasty.request({ version: 2, session, user: 'hanako' })).status, 200);
      return ended;
    }, 'the end of the stream that stopped', 8000, 200);
    session.destroy();
  });

  it('a connection without a request is closed after the idle time, and no request is needed to see it', async () => {
    const wire = await hasty.rawTls(HOST);
    await wire.closed(6000);
    assert.equal(wire.text, '');
    const session = await hasty.h2(HOST);
    await deadline(new Promise((resolve) => session.on('close', resolve)), 'the end of the HTTP/2 session', 6000);
  });
});
