// Tokens that somebody else signed: who they let in, to what, until when; and every kind that must not.
import assert from 'node:assert/strict';
import { createHmac, createSign, generateKeyPairSync, sign as signWith } from 'node:crypto';
import fs from 'node:fs';
import path from 'node:path';
import { after, before, describe, test } from 'node:test';
import { openTenant, startGateway, until } from './lib/gateway.mjs';
import { allRecords, openDownload, endedAfter, problemOf } from './lib/person.mjs';
import { startUpstream } from './lib/upstream.mjs';

const keys = {
  ES256: generateKeyPairSync('ec', { namedCurve: 'P-256' }),
  RS256: generateKeyPairSync('rsa', { modulusLength: 2048 }),
  EdDSA: generateKeyPairSync('ed25519'),
};
const stranger = generateKeyPairSync('ec', { namedCurve: 'P-256' });
const jwk = (algorithm, pair = keys[algorithm]) => ({ ...pair.publicKey.export({ format: 'jwk' }), kid: algorithm, alg: algorithm, use: 'sig' });
const set = (...algorithms) => JSON.stringify({ keys: algorithms.map((algorithm) => jwk(algorithm)) });
const b64 = (value) => Buffer.from(typeof value === 'string' ? value : JSON.stringify(value)).toString('base64url');

function signature(algorithm, input, key) {
  if (algorithm === 'EdDSA') {
    return signWith(null, Buffer.from(input), key);
  }
  return createSign('sha256').update(input).sign(algorithm === 'ES256' ? { key, dsaEncoding: 'ieee-p1363' } : key);
}

const now = () => Math.floor(Date.now() / 1000);
function token({ algorithm = 'ES256', header = {}, claims = {}, key = keys[algorithm].privateKey } = {}) {
  const input = `${b64({ alg: algorithm, typ: 'JWT', kid: algorithm, ...header })}.${b64({ iss: 'https://ci.test', aud: 'acme', sub: 'deploy-bot', exp: now() + 300,
    groups: ['deployers', 'others'], ...claims })}`;
  return `${input}.${signature(algorithm, input, key).toString('base64url')}`;
}

let gateway, upstream, sink;

function tenantFile(name, own = {}, issuer = {}) {
  return openTenant(name, upstream.url, {
    networks: [{ name: 'here', cidrs: ['127.0.0.0/8'] }, { name: 'one', cidrs: ['127.0.0.9/32'] }],
    apps: [{ name: 'api', kind: 'api', path: '/api', upstreams: [upstream.url], identity: ['assertion', 'forwarded-user'] },
      { name: 'stream', kind: 'api', path: '/stream', upstreams: [sink.url] }],
    roles: [{ name: 'reader', allow: ['api GET /**'] }, { name: 'editor', allow: ['api * /**', 'stream * /**'] }, { name: 'all', allow: ['api * /**'] }],
    users: [{ name: 'hanako', roles: ['all'] }],
    issuers: [{ name: 'ci', issuer: 'https://ci.test', audience: 'acme', jwks_file: `${name}.jwks`, roles_claim: ['groups'],
      map: [{ value: 'deployers', role: 'editor' }], roles: ['reader'], ...issuer },
      { name: 'other', issuer: 'https://other.test', audience: 'acme', jwks_file: `${name}-other.jwks`, roles: ['reader'], from: ['one'], scope: ['api GET'] }],
    ...own,
  });
}

const file = (name) => path.join(gateway.folder, 'tenants', name);
const ask = (text, options = {}) => gateway.request({ path: '/api/x', ...options, headers: { authorization: `Bearer ${text}` } });

before(async () => {
  upstream = await startUpstream();
  sink = await startUpstream((request, response) => { response.writeHead(200); response.write('more\n'); }, { stream: true });
  gateway = await startGateway({ tenants: [openTenant('beta', upstream.url)], settings: { workers: 2 } });
  fs.writeFileSync(file('acme.jwks'), set('ES256', 'RS256', 'EdDSA'));
  fs.writeFileSync(file('acme-other.jwks'), JSON.stringify({ keys: [jwk('ES256', stranger)] }));
  assert.equal((await gateway.reload(() => gateway.tenant(tenantFile('acme')))).id, 'SK1102');
});
after(async () => {
  await gateway?.stop();
  await upstream?.close();
  await sink?.close();
});

describe('a token', () => {
  test('of each algorithm lets its subject in, under the issuer\'s name, with the roles its claims map to', async () => {
    for (const algorithm of Object.keys(keys)) {
      const text = token({ algorithm, claims: { sub: `bot-${algorithm}` } });
      const response = await ask(text, { method: 'POST', body: 'x' });
      assert.equal(response.status, 200, algorithm);
      const { headers } = JSON.parse(response.text);
      assert.equal(headers['x-forwarded-user'], `ci:bot-${algorithm}`);
      assert.equal(headers['x-forwarded-groups'], 'reader,editor');
      assert.equal(headers.authorization, undefined);
      const [login] = await gateway.recorded({ op: 'login', subject: `ci:bot-${algorithm}`, decision: 'allow' });
      assert.equal(login.factors, 'jwt');
    }
    const reader = token({ claims: { sub: 'reader', groups: ['others'] } });
    assert.equal((await ask(reader)).status, 200);
    assert.equal(problemOf(await ask(reader, { method: 'POST', body: 'x' })).reason, 'not-permitted');
  });

  test('of the second issuer is held to that one\'s networks and scope', async () => {
    const text = token({ claims: { iss: 'https://other.test' }, key: stranger.privateKey });
    assert.equal(problemOf(await ask(text)).reason, 'user-network-not-allowed');
    const from = { tls: { localAddress: '127.0.0.9' } };
    assert.equal((await ask(text, from)).status, 200);
    assert.equal(problemOf(await ask(text, { ...from, path: '/stream' })).reason, 'out-of-scope');
    assert.equal(problemOf(await ask(text, { ...from, method: 'POST', body: 'x' })).reason, 'out-of-scope');
  });

  test('is good at its own tenant alone, and on no record', async () => {
    const text = token({ claims: { sub: 'once' } });
    assert.equal((await ask(text)).status, 200);
    assert.equal((await gateway.request({ host: 'beta.test', headers: { authorization: `Bearer ${text}` } })).status, 401);
    const [record] = await gateway.recorded({ op: 'login', reason: 'no-issuer' });
    assert.equal(record.host, 'beta.test');
    assert.ok(!JSON.stringify(await allRecords(gateway)).includes(text.split('.')[2]));
  });

  const embedded = jwk('ES256', stranger);
  const hostile = [
    ['alg none', () => `${b64({ alg: 'none', typ: 'JWT' })}.${token().split('.')[1]}.`, 'token-algorithm'],
    ['HMAC with the public key', () => {
      const input = `${b64({ alg: 'HS256', typ: 'JWT', kid: 'RS256' })}.${token().split('.')[1]}`;
      return `${input}.${createHmac('sha256', keys.RS256.publicKey.export({ type: 'spki', format: 'pem' })).update(input).digest('base64url')}`;
    }, 'token-algorithm'],
    ['another algorithm than the key\'s', () => token({ header: { alg: 'EdDSA' } }), 'token-algorithm'],
    ['a stranger\'s signature', () => token({ key: generateKeyPairSync('ec', { namedCurve: 'P-256' }).privateKey }), 'token-signature'],
    ['a changed claim', () => { const [h, , s] = token().split('.'); return `${h}.${token({ claims: { sub: 'root' } }).split('.')[1]}.${s}`; }, 'token-signature'],
    ['crit', () => token({ header: { crit: ['exp'] } }), 'token-critical'],
    ['jwk in the header', () => token({ header: { jwk: embedded }, key: stranger.privateKey }), 'token-key-embedded'],
    ['jku', () => token({ header: { jku: 'https://evil.test/jwks' } }), 'token-key-embedded'],
    ['x5u', () => token({ header: { x5u: 'https://evil.test/x5u' } }), 'token-key-embedded'],
    ['nested', () => token({ header: { cty: 'JWT' } }), 'token-nested'],
    ['another typ', () => token({ header: { typ: 'dpop+jwt' } }), 'token-type'],
    ['an unknown key', () => token({ header: { kid: 'nobody' } }), 'token-key-unknown'],
    ['expired', () => token({ claims: { exp: now() - 60 } }), 'token-expired'],
    ['not yet', () => token({ claims: { nbf: now() + 120 } }), 'token-not-yet'],
    ['without exp', () => token({ claims: { exp: undefined } }), 'token-no-expiry'],
    ['exp as text', () => token({ claims: { exp: String(now() + 300) } }), 'token-claim-malformed'],
    ['another audience', () => token({ claims: { aud: 'beta' } }), 'token-audience'],
    ['another issuer', () => token({ claims: { iss: 'https://evil.test' } }), 'token-issuer'],
    ['without a subject', () => token({ claims: { sub: undefined } }), 'token-no-subject'],
    ['five parts', () => `${token()}.x.y`, 'token-nested'],
    ['no token', () => 'abc', 'token-malformed'],
  ];
  for (const [what, make, reason] of hostile) {
    test(`hostile: ${what} is refused: ${reason}`, async () => {
      const from = (await allRecords(gateway)).length;
      const response = await ask(make());
      assert.equal(response.status, 401);
      assert.match(response.headers['www-authenticate'], /Bearer realm=/);
      const record = await until(async () => (await allRecords(gateway)).slice(from).find(({ op }) => op === 'login'), 'the record');
      assert.equal(record.reason, reason);
      assert.equal(record.decision, 'deny');
    });
  }

  test('longer than 8 KiB is nobody\'s', async () => {
    assert.equal((await ask(token({ claims: { pad: 'x'.repeat(8000) } }))).status, 401);
  });

  test('is verified once and then remembered, to its end and no longer', async () => {
    const text = token({ claims: { sub: 'brief', exp: now() - 26 } }); // 30 s by which the clocks may differ
    const get = () => ask(text).then(({ status }) => status);
    assert.equal(await get(), 200);
    assert.equal(await get(), 200);
    await until(async () => await get() === 401, 'the end of the token', 10000);
    const logins = (await allRecords(gateway)).filter(({ op, subject, decision }) => op === 'login' && subject === 'ci:brief' && decision === 'allow');
    assert.equal(logins.length, 1);
  });
});

describe('a change', () => {
  test('of the issuer\'s keys ends what the old ones signed within a second, open streams too, and nobody else\'s', async () => {
    const text = token({ claims: { sub: 'stream' } }), other = token({ algorithm: 'EdDSA', claims: { sub: 'stays' } });
    const agent = gateway.agent();
    assert.equal((await ask(text, { agent })).status, 200);
    assert.equal((await gateway.request({ path: '/api/x', user: 'hanako' })).status, 200);
    const wire = await openDownload(gateway, 'acme.test', { authorization: `Bearer ${text}` });
    fs.writeFileSync(file('acme.jwks'), set('EdDSA'));
    const start = performance.now();
    gateway.child.kill('SIGHUP');
    await until(async () => (await ask(text, { agent })).status === 401, '401', 5000, 5);
    assert.ok(performance.now() - start < 1000, `${performance.now() - start} ms`);
    assert.ok(await endedAfter(wire) < 2000);
    assert.equal((await ask(other)).status, 200);
    agent.destroy();
  });

  test('of something else keeps what was remembered; after a restart of auth tokens are verified anew', async () => {
    const text = token({ algorithm: 'EdDSA', claims: { sub: 'kept' } });
    assert.equal((await ask(text)).status, 200);
    assert.equal((await gateway.reload(() => gateway.tenant({ ...tenantFile('acme'), hosts: ['acme.test', 'also.test'] }))).id, 'SK1102');
    assert.equal((await ask(text)).status, 200);
    const logins = async () => (await allRecords(gateway)).filter(({ op, subject }) => op === 'login' && subject === 'ci:kept').length;
    assert.equal(await logins(), 1);
    gateway.kill('auth');
    await until(() => gateway.ready(), 'an open gate');
    await until(async () => (await ask(text)).status === 200, 'an answer');
    assert.equal(await logins(), 2);
    assert.equal((await gateway.reload(() => gateway.tenant({ ...tenantFile('acme', { issuers: [] }), certificates: gateway.certificates.acme }))).id, 'SK1102');
    assert.equal((await ask(text)).status, 401);
  });

  test('that cannot be is refused with its line', async () => {
    for (const [own, what] of [[{ roles: ['nope'] }, /no role is named/], [{ name: 'a b' }, /letters, digits/], [{ issuer: '' }, /not empty/], [{ jwks_file: 'nope.jwks' }, /cannot be read/],
      [{ map: [{ value: 'a,b', role: 'reader' }] }, /without a comma/], [{ name: 'other' }, /there are two named 'other'/]]) {
      const line = await gateway.reload(() => gateway.tenant(tenantFile('acme', {}, own)));
      assert.equal(line.id, 'SK1101');
      assert.match(JSON.stringify(line), what);
    }
    const line = await gateway.reload(() => gateway.tenant(tenantFile('acme', { users: [{ name: 'ci:root', roles: ['all'] }] })));
    assert.match(JSON.stringify(line), /taken for one of its/);
  });
});
