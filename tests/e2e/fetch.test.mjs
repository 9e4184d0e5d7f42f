// What tenant files name by URL: key sets over pinned TLS and revocation lists over HTTP, from real servers that change, fail and lie.
import assert from 'node:assert/strict';
import { createSign, generateKeyPairSync } from 'node:crypto';
import fs from 'node:fs';
import os from 'node:os';
import path from 'node:path';
import { after, before, describe, test } from 'node:test';
import { makeAuthority, openTenant, startGateway, until } from './lib/gateway.mjs';
import { Authority } from './lib/pki.mjs';
import { openDownload, endedAfter } from './lib/person.mjs';
import { startUpstream } from './lib/upstream.mjs';

const PAST_LEAST = 30000; // ms: two fetches of one document are at least 5 s apart
const pair = () => generateKeyPairSync('ec', { namedCurve: 'P-256' });
const jwks = (keys) => JSON.stringify({ keys: Object.entries(keys).map(([kid, { publicKey }]) => ({ ...publicKey.export({ format: 'jwk' }), kid, alg: 'ES256' })) });
const b64 = (value) => Buffer.from(JSON.stringify(value)).toString('base64url');

function token(kid, { privateKey }, claims = {}) {
  const input = `${b64({ alg: 'ES256', typ: 'JWT', kid })}.${b64({ iss: 'https://ci.test', aud: 'acme', sub: 'bot', exp: Math.floor(Date.now() / 1000) + 300, ...claims })}`;
  return `${input}.${createSign('sha256').update(input).sign({ key: privateKey, dsaEncoding: 'ieee-p1363' }).toString('base64url')}`;
}

let gateway, upstream, sink, keyServer, plainServer, folder, ca, root, inner, client;
const first = pair(), second = pair();
// What the servers say: path → [status, headers, body], or nothing: they hang up.
const pages = {};
const serve = (request, response, seen) => {
  const page = pages[seen.url];
  if (!page) {
    request.socket.destroy();
    return;
  }
  response.writeHead(page[0], page[1]);
  response.end(page[2]);
};

const asked = (server, url) => server.requests.filter((seen) => seen.url === url).length;
const said = (id, url) => gateway.log.filter((line) => line.id === id && (!url || line.url?.endsWith(url)));
const ask = (text, options = {}) => gateway.request({ path: '/api/x', ...options, headers: { authorization: `Bearer ${text}` } });
const withCertificate = () => gateway.request({ host: 'certs.test', path: '/api/x', tls: { cert: client.cert, key: client.key } });
const reload = () => gateway.reload(() => {});

function keysTenant(name, page, own = {}) {
  return openTenant(name, upstream.url, {
    apps: [{ name: 'api', kind: 'api', path: '/', upstreams: [upstream.url] }, { name: 'stream', kind: 'api', path: '/stream', upstreams: [sink.url] }],
    roles: [{ name: 'all', allow: ['api * /**', 'stream * /**'] }],
    issuers: [{ name: 'ci', issuer: 'https://ci.test', audience: 'acme', jwks_url: `https://localhost:${keyServer.port}${page}`, ca_file: ca.cert, roles: ['all'], ...own }] });
}

before(async () => {
  folder = fs.mkdtempSync(path.join(os.tmpdir(), 'sekisho-fetch-'));
  ca = makeAuthority(folder);
  const { certPem, keyPem } = ca.issue('localhost', ['localhost']);
  root = new Authority(folder, 'root');
  inner = new Authority(folder, 'inner', { issuer: root, pathlen: 0 });
  client = inner.client('jiro', { san: 'email:jiro@certs.test' });
  const other = makeAuthority(folder, 'other');
  upstream = await startUpstream();
  sink = await startUpstream((request, response) => { response.writeHead(200); response.write('more\n'); }, { stream: true });
  keyServer = await startUpstream(serve, { tls: { cert: certPem, key: keyPem } });
  keyServer.port = keyServer.server.address().port;
  plainServer = await startUpstream(serve);
  pages['/keys'] = [200, {}, jwks({ one: first })];
  pages['/beta'] = pages['/keys'];
  pages['/moved'] = [302, { location: '/keys' }, ''];
  pages['/large'] = [200, {}, `{"keys":[],"x":"${'x'.repeat(60000)}"}`];
  pages['/text'] = [200, {}, '<html>'];
  pages['/root.crl'] = [200, {}, root.list()];
  gateway = await startGateway({ settings: { workers: 2 },
    tenants: [keysTenant('acme', '/keys'), keysTenant('beta', '/beta'), keysTenant('moved', '/moved'), keysTenant('large', '/large'), keysTenant('text', '/text'),
      keysTenant('stranger', '/keys', { ca_file: other.cert }), keysTenant('anywhere', '/keys', { ca_file: undefined }),
      openTenant('certs', upstream.url, { users: [{ name: 'jiro@certs.test', roles: ['all'] }], client_certificates: { ca_file: root.file('crt'), map: [{ by: 'email' }],
        crl_urls: [`${plainServer.url}/root.crl`, `${plainServer.url}/inner.crl`] } })] });
});
after(async () => {
  await gateway?.stop();
  await Promise.all([upstream, sink, keyServer, plainServer].map((server) => server?.close()));
  fs.rmSync(folder, { recursive: true, force: true });
});

describe('a key set by URL', { concurrency: false }, () => {
  test('is fetched at the start, and its issuer\'s tokens let in', async () => {
    await until(async () => (await ask(token('one', first))).status === 200, 'a token by the fetched key');
    assert.equal(said('SK1304', '/keys').length, 1);
  });

  const refusals = [['moved', /status 302/], ['large', /too long/], ['text', /not a JSON object/], ['stranger', /SSL|certificate/i], ['anywhere', /SSL|certificate/i]];
  for (const [name, why] of refusals) {
    test(`is nobody's when what comes is not it: ${name}`, async () => {
      await until(() => said('SK1303').some((line) => why.test(line.why)), `SK1303 with ${why}`);
      assert.equal((await ask(token('one', first), { host: `${name}.test` })).status, 401);
      await gateway.recorded((r) => r.op === 'login' && r.host === `${name}.test` && r.reason === 'token-keys-malformed');
    });
  }

  test('is fetched anew for a key that it does not have, and the old one is worth nothing, its streams are cut', async () => {
    const old = token('one', first);
    const open = await openDownload(gateway, 'acme.test', { authorization: `Bearer ${old}` });
    const others = asked(keyServer, '/beta');
    pages['/keys'] = [200, {}, jwks({ two: second })];
    await until(async () => (await ask(token('two', second))).status === 200, 'a token by the new key', PAST_LEAST);
    assert.equal((await ask(old)).status, 401);
    assert.ok(await endedAfter(open, 2000) < 2000);
    const times = asked(keyServer, '/keys');
    for (let i = 0; i < 5; i++) {
      await ask(token(`unknown-${i}`, second));
    }
    assert.ok(asked(keyServer, '/keys') <= times + 1, 'unknown keys do not have it fetched again and again');
    assert.equal((await ask(token('one', first), { host: 'beta.test' })).status, 200, 'another tenant\'s is its own');
    assert.equal(asked(keyServer, '/beta'), others, 'no other tenant\'s is fetched for it');
  });

  test('stays in force when its server fails, lies or is away, and through a restart of all', async () => {
    for (const page of [[500, {}, 'broken'], [200, {}, '{"keys":'], undefined]) {
      pages['/keys'] = page;
      const times = asked(keyServer, '/keys'), failures = said('SK1303', '/keys').length;
      await until(async () => { await ask(token('nobody', second)); return asked(keyServer, '/keys') > times; }, 'fetched again', PAST_LEAST, 500);
      await until(() => said('SK1303', '/keys').length > failures, 'the failure is told');
      assert.equal((await ask(token('two', second))).status, 200);
    }
    await gateway.stop({ keep: true });
    await gateway.run();
    assert.equal((await ask(token('two', second))).status, 200);
  });

  test('is fetched again by another fetch when that was killed', async () => {
    pages['/keys'] = [200, {}, jwks({ two: second, three: first })];
    const times = asked(keyServer, '/keys');
    gateway.kill('fetch');
    await until(() => asked(keyServer, '/keys') > times, 'fetched again');
    await until(async () => (await ask(token('three', first))).status === 200, 'a token by the newest key');
  });

  test('goes with its tenant\'s word for it, and its file with it', async () => {
    const files = () => fs.readdirSync(path.join(gateway.data, 'fetched')).length;
    const before = files();
    assert.equal((await gateway.reload(() => gateway.tenant(openTenant('beta', upstream.url)))).id, 'SK1102');
    await until(() => files() === before - 1, 'one file less');
    assert.equal((await ask(token('one', first), { host: 'beta.test' })).status, 401);
  });
});

describe('a revocation list by URL', { concurrency: false }, () => {
  test('is needed: until each authority\'s was fetched, nobody gets in', async () => {
    await assert.rejects(withCertificate());
    await gateway.recorded({ op: 'connection-refused', detail: 'revocation-list-missing' });
  });

  test('lets in who is not on it, as soon as it is there; a reload asks for it', async () => {
    pages['/inner.crl'] = [200, {}, inner.list()];
    await until(async () => { await reload(); return withCertificate().then(({ status }) => status === 200, () => false); }, 'a client whose list was fetched', PAST_LEAST, 500);
  });

  test('of another authority, or forged, or none at all, takes no list\'s place', async () => {
    const fake = new Authority(fs.mkdtempSync(path.join(folder, 'fake-')), 'inner');
    const strange = new Authority(folder, 'strange');
    for (const [page, why] of [[strange.list(), /another authority's/], ['nothing', /not a revocation list/], [fake.list(), null]]) {
      pages['/inner.crl'] = [200, {}, page];
      const times = asked(plainServer, '/inner.crl');
      await until(async () => { await reload(); return asked(plainServer, '/inner.crl') > times; }, 'fetched again', PAST_LEAST, 500);
      if (why) {
        await until(() => said('SK1303', '/inner.crl').some((line) => why.test(line.why)), `${why}`);
      }
    }
  });

  test('shuts out who is on it', async () => {
    pages['/inner.crl'] = [200, {}, inner.list()];
    await until(async () => { await reload(); return withCertificate().then(({ status }) => status === 200, () => false); }, 'let in', PAST_LEAST, 500);
    inner.revoke(client);
    pages['/inner.crl'] = [200, {}, inner.list()];
    // The list comes to one worker before it comes to the other, and may come while a request is under way.
    await until(async () => {
      await reload();
      await withCertificate().catch(() => null);
      return gateway.records().some((r) => r.op === 'connection-refused' && r.detail === 'certificate-revoked');
    }, 'refused as revoked', PAST_LEAST, 500);
    await until(() => withCertificate().then(() => false, () => true), 'refused by both');
    await assert.rejects(withCertificate());
  });

  test('that is older than what is known does not bring anybody back', async () => {
    const newer = inner.list();
    fs.writeFileSync(inner.file('index'), '');
    const older = inner.list(1, -3);
    pages['/inner.crl'] = [200, {}, older];
    const times = asked(plainServer, '/inner.crl');
    await until(async () => { await reload(); return asked(plainServer, '/inner.crl') > times; }, 'fetched again', PAST_LEAST, 500);
    await until(() => said('SK1303', '/inner.crl').some((line) => /older/.test(line.why)), 'told');
    await assert.rejects(withCertificate());
    assert.notEqual(newer, older);
  });
});
