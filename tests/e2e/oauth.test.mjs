// Access tokens of the gateway's own: who gets them, what they are good for, until when; and every kind that must not be.
import assert from 'node:assert/strict';
import { constants, createHash, createHmac, createPublicKey, createSign, generateKeyPairSync, randomBytes, randomUUID, sign, verify } from 'node:crypto';
import { after, before, describe, test } from 'node:test';
import fs from 'node:fs';
import os from 'node:os';
import path from 'node:path';
import { openTenant, startGateway, until } from './lib/gateway.mjs';
import { allRecords, openDownload, endedAfter, problemOf } from './lib/person.mjs';
import { Authority } from './lib/pki.mjs';
import { startUpstream } from './lib/upstream.mjs';

const b64 = (value) => Buffer.from(typeof value === 'string' ? value : JSON.stringify(value)).toString('base64url');
const now = () => Math.floor(Date.now() / 1000);
const partOf = (token, n) => JSON.parse(Buffer.from(token.split('.')[n], 'base64url'));

const names = ['reader', 'scoped', 'home', 'switchedoff', 'twin', 'gone', 'stream'];
const secrets = Object.fromEntries([...names, 'next'].map((name) => [name, randomBytes(32).toString('base64url')]));
const entry = (name, days = 30) => ({ sha256: createHash('sha256').update(secrets[name]).digest('hex'),
  expires: new Date(Date.now() + days * 86400000).toISOString().replace(/\.\d+/, '') });
// What a program signs with: a key of each algorithm.
const pairs = {
  RS256: generateKeyPairSync('rsa', { modulusLength: 2048 }),
  PS256: generateKeyPairSync('rsa', { modulusLength: 2048 }),
  ES256: generateKeyPairSync('ec', { namedCurve: 'P-256' }),
  ES384: generateKeyPairSync('ec', { namedCurve: 'P-384' }),
  EdDSA: generateKeyPairSync('ed25519'),
};
const setOf = (...algorithms) => JSON.stringify({ keys: algorithms.map((alg) => ({ ...pairs[alg].publicKey.export({ format: 'jwk' }), kid: alg, alg, use: 'sig' })) });
function signatureOf(algorithm, input, key) {
  const how = { PS256: { key, padding: constants.RSA_PKCS1_PSS_PADDING, saltLength: 32 }, EdDSA: key }[algorithm] ?? { key, dsaEncoding: 'ieee-p1363' };
  const hash = algorithm === 'EdDSA' ? null : algorithm === 'ES384' ? 'sha384' : 'sha256';
  return sign(hash, Buffer.from(input), how).toString('base64url');
}
function assertion({ algorithm = 'ES256', header = {}, claims = {}, key = pairs[algorithm].privateKey } = {}) {
  const input = `${b64({ alg: algorithm, kid: algorithm, typ: 'JWT', ...header })}.${b64({ iss: 'signer', sub: 'signer', aud: 'https://acme.test', jti: randomUUID(), exp: now() + 60, ...claims })}`;
  return `${input}.${signatureOf(algorithm, input, key)}`;
}
const issuerPair = generateKeyPairSync('ec', { namedCurve: 'P-256' });

let gateway, upstream, sink;

function tenantFile(name, change = {}) {
  const program = (user, own = {}) => ({ name: user, backend: 'key', roles: ['all'], keys: [entry(user)], ...own, ...change[user] });
  return openTenant(name, upstream.url, {
    hosts: [`${name}.test`, `also-${name}.test`],
    networks: [{ name: 'here', cidrs: ['127.0.0.0/8'] }, { name: 'one', cidrs: ['127.0.0.9/32'] }],
    apps: [{ name: 'api', kind: 'api', path: '/api', upstreams: [upstream.url], identity: ['assertion', 'forwarded-user'] },
      { name: 'other', kind: 'api', path: '/other', upstreams: [upstream.url] },
      { name: 'stream', kind: 'api', path: '/stream', upstreams: [sink.url] }],
    roles: [{ name: 'all', allow: ['api * /**', 'other * /**', 'stream * /**'] }],
    users: [{ name: 'hanako', roles: ['all'] }, program('reader'), program('scoped', { scope: ['api GET,HEAD', 'other *'] }), program('home', { from: ['one'] }),
      program('switchedoff', { disabled: true }), program('twin', { keys: [entry('twin'), entry('next')] }), program('stream'),
      { name: 'signer', backend: 'key', roles: ['all'], jwks_file: 'signer.jwks', scope: ['api *'] },
      ...(change.gone === null ? [] : [program('gone')])],
    // Somebody else's tokens too: what is none of the gateway's own is tried with these keys.
    issuers: [{ name: 'ci', issuer: 'https://ci.test', audience: 'acme', jwks_file: 'ci.jwks', roles: ['all'] }],
    ...change.tenant,
  });
}

const file = (name) => path.join(gateway.folder, 'tenants', name);

before(async () => {
  upstream = await startUpstream();
  sink = await startUpstream((request, response) => { response.writeHead(200); response.write('more\n'); }, { stream: true });
  gateway = await startGateway({ tenants: [openTenant('first', upstream.url)], settings: { workers: 2 } });
  fs.writeFileSync(file('ci.jwks'), JSON.stringify({ keys: [{ ...issuerPair.publicKey.export({ format: 'jwk' }), kid: 'ci', alg: 'ES256' }] }));
  fs.writeFileSync(file('signer.jwks'), setOf(...Object.keys(pairs)));
  for (const name of ['acme', 'beta']) {
    assert.equal((await gateway.reload(() => gateway.tenant(tenantFile(name)))).id, 'SK1102');
  }
});
after(async () => {
  await gateway?.stop();
  await upstream?.close();
  await sink?.close();
});

const basic = (name, secret = secrets[name]) => ({ authorization: `Basic ${Buffer.from(`${name}:${secret}`).toString('base64')}` });

// One request to the token endpoint. `form`: an object, or the body as it is.
function post(form, { headers = {}, path: target = '/.sekisho/oauth/token', ...more } = {}) {
  return gateway.request({ method: 'POST', path: target, body: typeof form === 'string' ? form : new URLSearchParams(form).toString(), ...more,
    headers: { 'content-type': 'application/x-www-form-urlencoded', ...headers } });
}
const ask = (name, form = {}, more = {}) => post({ grant_type: 'client_credentials', ...form }, { ...more, headers: { ...basic(name), ...more.headers } });
async function token(name, form = {}, more = {}) {
  const response = await ask(name, form, more);
  assert.equal(response.status, 200, response.text);
  return response.json().access_token;
}
const use = (text, options = {}) => gateway.request({ path: '/api/x', ...options, headers: { authorization: `Bearer ${text}`, ...options.headers } });

// The first record of that kind from there on.
async function recorded(from, wanted) {
  const [record] = await until(async () => {
    const found = (await allRecords(gateway)).slice(from).filter((r) => Object.entries(wanted).every(([key, value]) => r[key] === value));
    return found.length ? found : null;
  }, `a record ${JSON.stringify(wanted)}`);
  return record;
}
const count = async () => (await allRecords(gateway)).length;

describe('the token endpoint', () => {
  test('gives a program a token for its secret, in a header or in the form, as RFC 6749 says', async () => {
    const whole = `sekisho_reader_${secrets.reader}`, form = { grant_type: 'client_credentials', client_id: 'reader' };
    const encoded = `Basic ${Buffer.from(`reader:${secrets.reader.replaceAll('-', '%2D').replaceAll('_', '%5F')}`).toString('base64')}`;
    for (const [how, response] of [['basic', await ask('reader')], ['basic, the whole key', await ask('reader', {}, { headers: basic('reader', whole) })],
      ['basic, encoded', await ask('reader', {}, { headers: { authorization: encoded } })],
      ['post', await post({ ...form, client_secret: secrets.reader })], ['post, the whole key', await post({ ...form, client_secret: whole })]]) {
      assert.equal(response.status, 200, `${how}: ${response.text}`);
      assert.equal(response.headers['content-type'], 'application/json');
      assert.equal(response.headers['cache-control'], 'no-store');
      assert.equal(response.headers.pragma, 'no-cache');
      const { access_token: text, token_type: type, expires_in: lifetime, ...more } = response.json();
      assert.equal(type, 'Bearer');
      assert.equal(lifetime, 300);
      assert.deepEqual(more, {});
      assert.equal((await use(text)).status, 200, how);
    }
  });

  test('issues a JWT of RFC 9068, signed by the published key, on record by its id as its requests are', async () => {
    const text = await token('reader'), header = partOf(text, 0), claims = partOf(text, 1);
    const { keys } = (await gateway.request({ path: '/.well-known/sekisho/jwks.json' })).json();
    const [input, signature] = [text.slice(0, text.lastIndexOf('.')), text.split('.')[2]];
    assert.deepEqual(header, { alg: 'ES256', kid: keys[0].kid, typ: 'at+jwt' });
    assert.ok(verify('sha256', Buffer.from(input), { key: createPublicKey({ key: keys[0], format: 'jwk' }), dsaEncoding: 'ieee-p1363' }, Buffer.from(signature, 'base64url')));
    const { jti, iat, exp, ...rest } = claims;
    assert.deepEqual(rest, { iss: 'https://acme.test', aud: 'acme@svc', sub: 'reader', client_id: 'reader' });
    assert.equal(exp, iat + 300);
    assert.ok(Math.abs(iat - now()) < 5);
    const response = await use(text, { method: 'POST', body: 'x' });
    const { headers } = JSON.parse(response.text);
    assert.equal(headers['x-forwarded-user'], 'reader');
    assert.equal(headers.authorization, undefined);
    assert.deepEqual(partOf(headers['x-sekisho-jwt-assertion'], 1).amr, ['jwt']);
    const issued = await recorded(0, { op: 'token-issued', session: `basic-${jti}` });
    assert.deepEqual([issued.subject, issued.decision, issued.reason], ['reader', 'allow', 'issued']);
    const login = await recorded(0, { op: 'login', session: `basic-${jti}` });
    assert.deepEqual([login.subject, login.factors], ['reader', 'jwt']);
    await recorded(0, { op: 'request', session: `basic-${jti}`, subject: 'reader', path: '/api/x' });
    const all = JSON.stringify(await allRecords(gateway));
    assert.ok(!all.includes(signature) && !all.includes(secrets.reader));
  });

  test('narrows: a token has the scope that was asked for, within the program\'s own', async () => {
    const response = await ask('scoped', { scope: 'api:GET' });
    assert.equal(response.json().scope, 'api:GET');
    const text = response.json().access_token;
    assert.equal(partOf(text, 1).scope, 'api:GET');
    assert.equal((await use(text)).status, 200);
    assert.equal((await use(text, { method: 'HEAD' })).status, 403);
    assert.equal(problemOf(await use(text, { path: '/other/x' })).reason, 'out-of-scope');
    const all = await ask('scoped');
    assert.equal(all.json().scope, 'api:GET api:HEAD other:*');
    assert.equal((await use(all.json().access_token, { method: 'POST', path: '/other/x', body: 'x' })).status, 200);
    assert.equal(problemOf(await use(all.json().access_token, { method: 'POST', body: 'x' })).reason, 'out-of-scope');
    const one = await token('reader', { scope: 'api:GET other:POST' });
    assert.equal((await use(one)).status, 200);
    assert.equal(problemOf(await use(one, { path: '/other/x' })).reason, 'out-of-scope');
    for (const scope of ['api:POST', 'api:GET api:POST', 'api:*', 'stream:GET', 'nope:GET', 'api:NOPE', 'api', ':GET', 'api:GET,HEAD', Array(17).fill('api:GET').join(' ')]) {
      const from = await count(), refused = await ask('scoped', { scope });
      assert.equal(refused.status, 400, scope);
      assert.deepEqual(refused.json(), { error: 'invalid_scope' });
      await recorded(from, { op: 'request', reason: 'invalid-scope', subject: 'scoped', decision: 'deny' });
    }
  });

  const wrong = randomBytes(32).toString('base64url');
  const unknown = [
    ['a wrong secret', () => ask('reader', {}, { headers: basic('reader', wrong) }), 'wrong-key'],
    ['another program\'s secret', () => ask('reader', {}, { headers: basic('reader', secrets.twin) }), 'wrong-key'],
    ['nobody', () => ask('reader', {}, { headers: basic('nobody', wrong) }), 'unknown-user'],
    ['a person', () => ask('reader', {}, { headers: basic('hanako', wrong) }), 'no-program'],
    ['a disabled program', () => ask('switchedoff'), 'account-disabled'],
    ['a short secret', () => ask('reader', {}, { headers: basic('reader', 'short') }), null],
    ['a key of another name', () => ask('reader', {}, { headers: basic('reader', `sekisho_twin_${secrets.twin}`) }), null],
    ['no credential at all', () => post({ grant_type: 'client_credentials' }), null],
    ['a name alone', () => post({ grant_type: 'client_credentials', client_id: 'reader' }), null],
    ['a Bearer header', () => ask('reader', {}, { headers: { authorization: `Bearer sekisho_reader_${secrets.reader}` } }), null],
  ];
  for (const [what, make, reason] of unknown) {
    test(`refuses ${what}: 401 invalid_client`, async () => {
      const from = await count(), response = await make();
      assert.equal(response.status, 401);
      assert.deepEqual(response.json(), { error: 'invalid_client' });
      assert.match(response.headers['www-authenticate'], /^Basic realm=/);
      assert.equal(response.headers['cache-control'], 'no-store');
      await recorded(from, { op: 'request', reason: 'invalid-client', decision: 'deny' });
      if (reason) {
        await recorded(from, { op: 'login', reason, decision: 'deny' });
      }
    });
  }

  test('refuses what is not such a request, with the code that RFC 6749 has for it', async () => {
    const id = { client_id: 'reader', client_secret: secrets.reader };
    for (const [what, response, status, error] of [
      ['no grant_type', await post(id), 400, 'invalid_request'],
      ['another grant_type', await post({ ...id, grant_type: 'password' }), 400, 'unsupported_grant_type'],
      ['a parameter twice', await post(`${new URLSearchParams({ ...id, grant_type: 'client_credentials' })}&grant_type=client_credentials`), 400, 'invalid_request'],
      ['two credentials', await ask('reader', { client_secret: secrets.reader }), 400, 'invalid_request'],
      ['two names', await ask('reader', { client_id: 'twin' }), 400, 'invalid_request'],
      ['JSON', await post('{}', { headers: { 'content-type': 'application/json' } }), 400, 'invalid_request'],
    ]) {
      assert.equal(response.status, status, what);
      assert.equal(response.json().error, error, what);
    }
    assert.equal((await gateway.request({ path: '/.sekisho/oauth/token' })).status, 405);
    assert.equal((await post('x'.repeat(32 << 10))).status, 413);
  });

  test('holds a program to its networks, as each use of the token does', async () => {
    const there = { tls: { localAddress: '127.0.0.9' } }, from = await count();
    const refused = await ask('home');
    assert.equal(refused.status, 400);
    assert.deepEqual(refused.json(), { error: 'unauthorized_client' });
    await recorded(from, { op: 'request', reason: 'user-network-not-allowed', subject: 'home' });
    const text = await token('home', {}, there);
    assert.equal((await use(text, there)).status, 200);
    assert.equal(problemOf(await use(text)).reason, 'user-network-not-allowed');
  });
});

const BEARER = 'urn:ietf:params:oauth:client-assertion-type:jwt-bearer';
const askSigned = (text, form = {}, more = {}) => post({ grant_type: 'client_credentials', client_id: 'signer', client_assertion_type: BEARER, client_assertion: text, ...form }, more);

describe('a program that signs', () => {
  test('gets a token for an assertion of each algorithm, for the issuer or for the token endpoint', async () => {
    for (const algorithm of Object.keys(pairs)) {
      for (const aud of ['https://acme.test', 'https://acme.test/.sekisho/oauth/token', ['x', 'https://acme.test']]) {
        const response = await askSigned(assertion({ algorithm, claims: { aud } }), { scope: 'api:GET' });
        assert.equal(response.status, 200, `${algorithm} ${aud}: ${response.text}`);
        assert.equal(response.json().expires_in, 300);
        assert.equal((await use(response.json().access_token)).status, 200);
      }
    }
    const login = await recorded(0, { op: 'login', subject: 'signer', decision: 'allow', factors: 'key' });
    assert.equal(login.reason, 'login');
  });

  const hostile = [
    ['alg none', () => `${b64({ alg: 'none', typ: 'JWT' })}.${assertion().split('.')[1]}.`, 'token-algorithm'],
    ['HMAC with the public key', () => {
      const input = `${b64({ alg: 'HS256', typ: 'JWT', kid: 'RS256' })}.${assertion().split('.')[1]}`;
      return `${input}.${createHmac('sha256', pairs.RS256.publicKey.export({ type: 'spki', format: 'pem' })).update(input).digest('base64url')}`;
    }, 'token-algorithm'],
    ['a stranger\'s signature', () => assertion({ key: generateKeyPairSync('ec', { namedCurve: 'P-256' }).privateKey }), 'token-signature'],
    ['a foreign kid', () => assertion({ header: { kid: 'nobody' } }), 'token-key-unknown'],
    ['jku', () => assertion({ header: { jku: 'https://evil.test/jwks' } }), 'token-key-embedded'],
    ['jwk', () => assertion({ header: { jwk: pairs.ES256.publicKey.export({ format: 'jwk' }) } }), 'token-key-embedded'],
    ['another audience', () => assertion({ claims: { aud: 'https://beta.test' } }), 'token-audience'],
    ['the audience of another path', () => assertion({ claims: { aud: 'https://acme.test/.sekisho/oauth/tokens' } }), 'token-audience'],
    ['both audiences in one', () => assertion({ claims: { aud: 'https://acme.test\nhttps://acme.test/.sekisho/oauth/token' } }), 'token-audience'],
    ['no audience', () => assertion({ claims: { aud: undefined } }), 'token-audience'],
    ['another issuer', () => assertion({ claims: { iss: 'reader' } }), 'token-issuer'],
    ['another subject', () => assertion({ claims: { sub: 'reader' } }), 'token-subject'],
    ['expired', () => assertion({ claims: { exp: now() - 31 } }), 'token-expired'],
    ['without exp', () => assertion({ claims: { exp: undefined } }), 'token-no-expiry'],
    ['too long', () => assertion({ claims: { exp: now() + 400 } }), 'token-lifetime'],
    ['without jti', () => assertion({ claims: { jti: undefined } }), 'token-no-id'],
    ['an endless jti', () => assertion({ claims: { jti: 'x'.repeat(257) } }), 'token-no-id'],
    ['a jti that is no text', () => assertion({ claims: { jti: 7 } }), 'token-no-id'],
    ['another type', () => assertion({ header: { typ: 'at+jwt' } }), 'token-type'],
  ];
  for (const [what, make, reason] of hostile) {
    test(`hostile: ${what} is refused: ${reason}`, async () => {
      const from = await count(), response = await askSigned(make());
      assert.equal(response.status, 401);
      assert.deepEqual(response.json(), { error: 'invalid_client' });
      await recorded(from, { op: 'login', subject: 'signer', reason, decision: 'deny' });
    });
  }

  test('is let in once by an assertion, at either worker, and no more when auth and store were killed', async () => {
    const text = assertion();
    assert.equal((await askSigned(text)).status, 200);
    const refused = async () => {
      const from = await count(), responses = await Promise.all(Array.from({ length: 6 }, () => askSigned(text)));
      assert.deepEqual(responses.map(({ status }) => status), Array(6).fill(401));
      await recorded(from, { op: 'login', subject: 'signer', reason: 'token-used', decision: 'deny' });
    };
    await refused();
    for (const process of ['auth', 'store']) {
      gateway.kill(process);
      await until(async () => (await askSigned(assertion())).status === 200, 'an answer');
      await refused();
    }
    const raced = assertion(), answers = await Promise.all(Array.from({ length: 8 }, () => askSigned(raced)));
    assert.equal(answers.filter(({ status }) => status === 200).length, 1);
  });

  test('says who it is in one way, and has keys', async () => {
    for (const [what, response, status, error] of [
      ['beside a secret', await askSigned(assertion(), { client_secret: secrets.reader }), 400, 'invalid_request'],
      ['beside a header', await askSigned(assertion(), {}, { headers: basic('reader') }), 400, 'invalid_request'],
      ['of another type', await askSigned(assertion(), { client_assertion_type: 'urn:ietf:params:oauth:client-assertion-type:saml2-bearer' }), 400, 'invalid_request'],
      ['without a name', await askSigned(assertion(), { client_id: '' }), 400, 'invalid_request'],
      ['of a program without keys', await askSigned(assertion({ claims: { iss: 'reader', sub: 'reader' } }), { client_id: 'reader' }), 401, 'invalid_client'],
      ['of nobody', await askSigned(assertion({ claims: { iss: 'nobody', sub: 'nobody' } }), { client_id: 'nobody' }), 401, 'invalid_client'],
      ['too long', await askSigned(assertion({ claims: { pad: 'x'.repeat(8000) } })), 401, 'invalid_client'],
    ]) {
      assert.equal(response.status, status, what);
      assert.equal(response.json().error, error, what);
    }
    assert.equal((await use(assertion())).status, 401, 'an assertion is no token');
  });

  test('loses its tokens with its keys, and others keep theirs', async () => {
    const text = (await askSigned(assertion({ algorithm: 'EdDSA' }))).json().access_token, other = await token('reader');
    assert.equal((await use(text)).status, 200);
    assert.equal((await use(other)).status, 200);
    fs.writeFileSync(file('signer.jwks'), setOf('EdDSA'));
    const start = performance.now();
    gateway.child.kill('SIGHUP');
    await until(async () => (await use(text)).status === 401, '401', 5000, 5);
    assert.ok(performance.now() - start < 1000, `${performance.now() - start} ms`);
    assert.equal((await use(other)).status, 200);
    assert.equal((await askSigned(assertion())).status, 401);
    assert.equal((await use((await askSigned(assertion({ algorithm: 'EdDSA' }))).json().access_token)).status, 200);
    fs.writeFileSync(file('signer.jwks'), setOf(...Object.keys(pairs)));
    assert.equal((await gateway.reload()).id, 'SK1102');
  });
});

describe('a token', () => {
  test('is good at the host that issued it, and at no other of the tenant or of another', async () => {
    const text = await token('reader');
    assert.equal((await use(text)).status, 200);
    for (const host of ['also-acme.test', 'beta.test']) {
      const from = await count();
      assert.equal((await use(text, { host })).status, 401, host);
      await recorded(from, { op: 'login', reason: 'token-issuer', decision: 'deny' });
    }
    const also = await token('reader', {}, { host: 'also-acme.test' });
    assert.equal(partOf(also, 1).iss, 'https://also-acme.test');
    assert.equal((await use(also, { host: 'also-acme.test' })).status, 200);
    assert.equal((await use(also)).status, 401);
    const port = await token('reader', {}, { headers: { host: 'acme.test:8443' } });
    assert.equal(partOf(port, 1).iss, 'https://acme.test:8443');
    assert.equal((await use(port, { headers: { host: 'acme.test:8443' } })).status, 200);
  });

  const stranger = generateKeyPairSync('ec', { namedCurve: 'P-256' });
  const signed = (header, claims, key) => {
    const input = `${b64(header)}.${b64(claims)}`;
    return `${input}.${createSign('sha256').update(input).sign({ key, dsaEncoding: 'ieee-p1363' }).toString('base64url')}`;
  };
  const hostile = [
    ['alg none', (h, c) => `${b64({ ...h, alg: 'none' })}.${b64(c)}.`, 'token-algorithm'],
    ['HMAC with the public key', (h, c, keys) => {
      const input = `${b64({ ...h, alg: 'HS256' })}.${b64(c)}`;
      return `${input}.${createHmac('sha256', createPublicKey({ key: keys[0], format: 'jwk' }).export({ type: 'spki', format: 'pem' })).update(input).digest('base64url')}`;
    }, 'token-algorithm'],
    ['a stranger\'s signature', (h, c) => signed(h, c, stranger.privateKey), 'token-signature'],
    ['a changed claim', (h, c, keys, t) => `${t.split('.')[0]}.${b64({ ...c, sub: 'twin', client_id: 'twin' })}.${t.split('.')[2]}`, 'token-signature'],
    ['a foreign kid', (h, c) => signed({ ...h, kid: 'nobody' }, c, stranger.privateKey), 'token-key-unknown'],
    ['jku', (h, c) => signed({ ...h, jku: 'https://evil.test/jwks' }, c, stranger.privateKey), 'token-key-embedded'],
    ['x5u', (h, c) => signed({ ...h, x5u: 'https://evil.test/x5u' }, c, stranger.privateKey), 'token-key-embedded'],
    ['jwk', (h, c) => signed({ ...h, jwk: stranger.publicKey.export({ format: 'jwk' }) }, c, stranger.privateKey), 'token-key-embedded'],
    ['crit', (h, c) => signed({ ...h, crit: ['exp'] }, c, stranger.privateKey), 'token-critical'],
    ['the issuer\'s key for our own issuer', (h, c) => signed({ ...h, kid: 'ci' }, { ...c, aud: 'acme' }, issuerPair.privateKey), 'token-issuer'],
  ];
  for (const [what, make, reason] of hostile) {
    test(`hostile: ${what} is refused: ${reason}`, async () => {
      const { keys } = (await gateway.request({ path: '/.well-known/sekisho/jwks.json' })).json();
      const text = await token('reader'), from = await count();
      const response = await use(make(partOf(text, 0), partOf(text, 1), keys, text));
      assert.equal(response.status, 401);
      assert.match(response.headers['www-authenticate'], /Bearer realm=/);
      await recorded(from, { op: 'login', reason, decision: 'deny' });
    });
  }

  test('an assertion for upstreams is none, though the same key signed it', async () => {
    const seen = JSON.parse((await use(await token('reader'))).text).headers['x-sekisho-jwt-assertion'], from = await count();
    assert.equal((await use(seen)).status, 401);
    assert.match((await recorded(from, { op: 'login', decision: 'deny' })).reason, /^token-key-unknown$/);
  });

  test('gets no other token, and is no secret', async () => {
    const text = await token('reader');
    for (const headers of [{ authorization: `Bearer ${text}` }, basic('reader', text)]) {
      assert.equal((await post({ grant_type: 'client_credentials' }, { headers })).status, 401);
    }
  });

  test('outlives auth and store, which are killed, and is verified anew', async () => {
    const text = await token('twin', { scope: 'api:GET' });
    assert.equal((await use(text)).status, 200);
    for (const process of ['auth', 'store']) {
      gateway.kill(process);
      await until(() => gateway.ready(), 'an open gate');
      await until(async () => (await use(text)).status === 200, 'an answer');
      assert.equal(problemOf(await use(text, { method: 'POST', body: 'x' })).reason, 'out-of-scope');
    }
  });
});

const about = (path, name, text, more = {}) => post({ token: text, ...more.form }, { path: `/.sekisho/oauth/${path}`, ...more, headers: basic(name) });
const revoke = (...args) => about('revoke', ...args), introspect = (...args) => about('introspect', ...args);

describe('revocation', () => {
  test('ends a token at all workers at once, open streams too, and no other of the program; it is on record', async () => {
    const text = await token('stream'), other = await token('stream'), { jti } = partOf(text, 1);
    const agents = Array.from({ length: 6 }, () => gateway.agent());
    for (const agent of agents) {
      assert.equal((await use(text, { agent })).status, 200);
    }
    const wire = await openDownload(gateway, 'acme.test', { authorization: `Bearer ${text}` }), left = await openDownload(gateway, 'acme.test', { authorization: `Bearer ${other}` });
    const response = await revoke('stream', text);
    assert.equal(response.status, 200);
    assert.equal(response.headers['cache-control'], 'no-store');
    for (const agent of agents) {
      assert.equal((await use(text, { agent })).status, 401);
      agent.destroy();
    }
    assert.ok(await endedAfter(wire) < 2000);
    assert.equal((await use(other)).status, 200);
    assert.equal(left.end, null);
    left.socket.destroy();
    const record = await recorded(0, { op: 'token-revoked', session: `basic-${jti}` });
    assert.deepEqual([record.subject, record.decision, record.reason], ['stream', 'allow', 'revoked']);
    await recorded(0, { op: 'login', subject: 'stream', reason: 'token-revoked', decision: 'deny' });
    assert.equal((await revoke('stream', text)).status, 200, 'twice is once');
  });

  test('outlives auth and store, which are killed', async () => {
    const text = await token('reader'), never = await token('reader'), keeps = await token('reader');
    assert.equal((await use(text)).status, 200);
    assert.equal((await revoke('reader', text)).status, 200);
    assert.equal((await revoke('reader', never, { form: { token_type_hint: 'access_token' } })).status, 200);
    for (const process of ['auth', 'store']) {
      gateway.kill(process);
      await until(async () => (await use(keeps)).status === 200, 'an answer');
      for (const revoked of [text, never]) {
        // One worker may still be without auth, while the other one has answered.
        const judged = await until(async () => {
          const { status } = await use(revoked);
          return status !== 503 && status;
        }, 'a verdict');
        assert.equal(judged, 401);
      }
    }
  });

  test('is for the program\'s own tokens; what is none is none', async () => {
    const text = await token('reader'), from = await count();
    const refused = await revoke('twin', text);
    assert.equal(refused.status, 400);
    assert.deepEqual(refused.json(), { error: 'unauthorized_client' });
    await recorded(from, { op: 'token-revoked', subject: 'twin', decision: 'deny', reason: 'token-of-another' });
    assert.equal((await use(text)).status, 200);
    for (const other of ['nothing', `${text}x`, `${text.slice(0, text.lastIndexOf('.'))}.${'A'.repeat(86)}`, `sekisho_reader_${secrets.reader}`]) {
      assert.equal((await revoke('reader', other)).status, 200, other);
    }
    assert.equal((await revoke('reader', '')).json().error, 'invalid_request');
    assert.equal((await post({ token: text }, { path: '/.sekisho/oauth/revoke' })).status, 401);
    assert.equal((await post({ token: text }, { path: '/.sekisho/oauth/revoke', headers: { authorization: `Bearer ${text}` } })).status, 401);
    assert.equal((await post(`token=${text}&token=x`, { path: '/.sekisho/oauth/revoke', headers: basic('reader') })).status, 400);
    assert.equal((await use(text)).status, 200);
  });
});

const TOKEN_URI = 'https://acme.test/.sekisho/oauth/token';
const jwkOf = (algorithm) => pairs[algorithm].publicKey.export({ format: 'jwk' });
const hashOf = (text) => createHash('sha256').update(text).digest('base64url');
function proof({ algorithm = 'ES256', header = {}, claims = {}, key = pairs[algorithm].privateKey, token: text } = {}) {
  const input = `${b64({ typ: 'dpop+jwt', alg: algorithm, jwk: jwkOf(algorithm), ...header })}.${b64({ jti: randomUUID(), htm: text ? 'GET' : 'POST',
    htu: text ? 'https://acme.test/api/x' : TOKEN_URI, iat: now(), ...(text ? { ath: hashOf(text) } : {}), ...claims })}`;
  return `${input}.${signatureOf(algorithm, input, key)}`;
}
const bind = (name, own = {}, form = {}) => ask(name, form, { headers: { dpop: proof(own) } });
const useBound = (text, dpop = proof({ token: text }), more = {}) => gateway.request({ path: '/api/x', ...more, headers: { authorization: `DPoP ${text}`, dpop, ...more.headers } });
// Proofs that could have been used before auth began are refused, for the seconds by which a clock may be ahead.
async function bound(name = 'reader', own = {}) {
  const response = await until(async () => { const r = await bind(name, own); return r.status === 200 ? r : null; }, 'a bound token', 30000, 250);
  return response.json().access_token;
}

describe('DPoP', () => {
  test('binds a token to a key of each algorithm, and each request to it', async () => {
    await bound();
    for (const algorithm of Object.keys(pairs)) {
      const response = await bind('reader', { algorithm });
      assert.equal(response.status, 200, algorithm);
      assert.equal(response.json().token_type, 'DPoP');
      const text = response.json().access_token, { cnf, jti } = partOf(text, 1), { crv, e, kty, n, x, y } = jwkOf(algorithm);
      assert.equal(cnf.jkt, hashOf(JSON.stringify(Object.fromEntries(Object.entries({ crv, e, kty, n, x, y }).filter(([, value]) => value)))));
      for (let i = 0; i < 3; i++) {
        const answer = await useBound(text, proof({ algorithm, token: text }), { path: `/api/x?n=${i}` });
        assert.equal(answer.status, 200, algorithm);
        const { headers } = JSON.parse(answer.text);
        assert.equal(headers.authorization, undefined);
        assert.equal(headers.dpop, undefined);
      }
      const logins = (await allRecords(gateway)).filter(({ op, session }) => op === 'login' && session === `basic-${jti}`);
      assert.equal(logins.length, 1, 'the token itself is verified once');
      assert.deepEqual((await introspect('reader', text)).json().cnf, { jkt: cnf.jkt });
    }
    const { dpop_signing_alg_values_supported: algorithms } = (await gateway.request({ path: '/.well-known/oauth-authorization-server' })).json();
    assert.deepEqual(algorithms, Object.keys(pairs));
  });

  const endpoint = [
    ['alg none', () => `${b64({ typ: 'dpop+jwt', alg: 'none', jwk: jwkOf('ES256') })}.${proof().split('.')[1]}.`, 'proof-algorithm'],
    ['another signature', () => proof({ key: pairs.PS256.privateKey, algorithm: 'RS256' }), 'proof-signature'],
    ['a private key', () => proof({ header: { jwk: pairs.ES256.privateKey.export({ format: 'jwk' }) } }), 'proof-key'],
    ['no key', () => proof({ header: { jwk: undefined } }), 'proof-key'],
    ['another type', () => proof({ header: { typ: 'JWT' } }), 'proof-type'],
    ['another method', () => proof({ claims: { htm: 'GET' } }), 'proof-method'],
    ['another path', () => proof({ claims: { htu: 'https://acme.test/.sekisho/oauth/revoke' } }), 'proof-uri'],
    ['another host', () => proof({ claims: { htu: 'https://beta.test/.sekisho/oauth/token' } }), 'proof-uri'],
    ['an old one', () => proof({ claims: { iat: now() - 62 } }), 'proof-too-old'],
    ['one that is still to come', () => proof({ claims: { iat: now() + 8 } }), 'proof-not-yet'],
    ['without jti', () => proof({ claims: { jti: undefined } }), 'proof-no-id'],
    ['no proof', () => 'abc', 'proof-malformed'],
  ];
  for (const [what, make, reason] of endpoint) {
    test(`hostile: ${what} gets no token: ${reason}`, async () => {
      const from = await count(), response = await ask('reader', {}, { headers: { dpop: make() } });
      assert.equal(response.status, 400);
      assert.deepEqual(response.json(), { error: 'invalid_dpop_proof' });
      await recorded(from, { op: 'token-issued', decision: 'deny', reason, subject: 'reader' });
    });
  }

  const requests = [
    ['another key\'s proof', (t) => proof({ algorithm: 'ES384', token: t }), 'proof-key-of-another'],
    ['no proof', () => undefined, 'proof-missing'],
    ['another token\'s proof', (t) => proof({ token: t, claims: { ath: hashOf(`${t}x`) } }), 'proof-token'],
    ['a proof without ath', (t) => proof({ token: t, claims: { ath: undefined } }), 'proof-token'],
    ['another method\'s', (t) => proof({ token: t, claims: { htm: 'POST' } }), 'proof-method'],
    ['another path\'s', (t) => proof({ token: t, claims: { htu: 'https://acme.test/api/y' } }), 'proof-uri'],
    ['another host\'s', (t) => proof({ token: t, claims: { htu: 'https://also-acme.test/api/x' } }), 'proof-uri'],
    ['an old one', (t) => proof({ token: t, claims: { iat: now() - 62 } }), 'proof-too-old'],
    ['an unsigned one', (t) => `${proof({ token: t }).split('.').slice(0, 2).join('.')}.`, 'proof-signature'],
    ['the token endpoint\'s', () => proof(), 'proof-method'],
  ];
  for (const [what, make, reason] of requests) {
    test(`hostile: with ${what} a bound token is refused: ${reason}`, async () => {
      const text = await bound(), fresh = await count(), dpop = make(text), headers = { authorization: `DPoP ${text}`, ...(dpop && { dpop }) };
      for (const known of [false, true]) {
        const from = known ? await count() : fresh, response = await gateway.request({ path: '/api/x', headers: known && dpop ? { ...headers, dpop: make(text) } : headers });
        assert.equal(response.status, 401);
        assert.match(response.headers['www-authenticate'], /DPoP realm="Sekisho", error="invalid_token", algs="ES256/);
        await recorded(from, { op: 'login', decision: 'deny', reason });
        assert.equal((await useBound(text)).status, 200, 'and the right proof is right');
      }
    });
  }

  test('a proof is good once, at any worker, for the token endpoint and for a request', async () => {
    const text = await bound(), used = proof({ token: text }), from = await count();
    assert.equal((await useBound(text, used)).status, 200);
    assert.deepEqual((await Promise.all(Array.from({ length: 6 }, () => useBound(text, used)))).map(({ status }) => status), Array(6).fill(401));
    await recorded(from, { op: 'login', decision: 'deny', reason: 'proof-used' });
    const raced = proof({ token: text }), answers = await Promise.all(Array.from({ length: 8 }, () => useBound(text, raced)));
    assert.equal(answers.filter(({ status }) => status === 200).length, 1);
    const once = proof();
    assert.equal((await ask('reader', {}, { headers: { dpop: once } })).status, 200);
    assert.equal((await ask('reader', {}, { headers: { dpop: once } })).json().error, 'invalid_dpop_proof');
    const twice = await gateway.request({ path: '/api/x', headers: { authorization: `DPoP ${text}`, dpop: [proof({ token: text }), proof({ token: text })] } });
    assert.equal(twice.status, 401);
    assert.equal((await ask('reader', {}, { headers: { dpop: [proof(), proof()] } })).json().error, 'invalid_dpop_proof');
  });

  test('a bound token is no bearer\'s, and a bearer\'s not bound', async () => {
    const text = await bound(), free = await token('reader'), from = await count();
    for (let i = 0; i < 2; i++) {
      assert.equal((await use(text)).status, 401);
      assert.equal((await use(text, { headers: { dpop: proof({ token: text }) } })).status, 401);
      assert.equal((await useBound(free)).status, 401);
      assert.equal((await useBound(text)).status, 200);
      assert.equal((await use(free)).status, 200);
    }
    await recorded(from, { op: 'login', decision: 'deny', reason: 'token-bound' });
    await recorded(from, { op: 'login', decision: 'deny', reason: 'token-not-bound' });
    const foreign = (cnf) => {
      const input = `${b64({ alg: 'ES256', typ: 'JWT', kid: 'ci' })}.${b64({ iss: 'https://ci.test', aud: 'acme', sub: 'bot', exp: now() + 60, cnf })}`;
      return `${input}.${signatureOf('ES256', input, issuerPair.privateKey)}`;
    };
    const theirs = foreign({ jkt: partOf(text, 1).cnf.jkt });
    assert.equal((await use(theirs)).status, 401, 'nor is one of somebody else');
    assert.equal((await useBound(theirs)).status, 200);
    assert.equal((await use(foreign({ jkt: 7 }))).status, 401);
  });

  test('after auth is killed no proof from before is good, and new ones are again', async () => {
    const text = await bound(), used = proof({ token: text }), unused = proof({ token: text });
    assert.equal((await useBound(text, used)).status, 200);
    gateway.kill('auth');
    await until(async () => (await gateway.request({ path: '/api/x', user: 'hanako' })).status === 200, 'an answer');
    const from = await count();
    assert.equal((await useBound(text, used)).status, 401);
    assert.equal((await useBound(text, unused)).status, 401);
    await recorded(from, { op: 'login', decision: 'deny', reason: 'proof-too-old' });
    await until(async () => (await useBound(text)).status === 200, 'a good proof', 30000, 250);
    assert.equal((await useBound(text, used)).status, 401);
  });

  test('ends with its revocation, open streams too', async () => {
    const text = await bound('stream'), at = { token: text, claims: { htu: 'https://acme.test/stream' } };
    const wire = await openDownload(gateway, 'acme.test', { authorization: `DPoP ${text}`, dpop: proof(at) });
    assert.equal((await revoke('stream', text)).status, 200);
    assert.ok(await endedAfter(wire) < 2000);
    assert.equal((await useBound(text)).status, 401);
  });
});

describe('introspection', () => {
  test('tells a program what its token is, until it is no more', async () => {
    const text = await token('scoped', { scope: 'api:GET' }), { jti, exp } = partOf(text, 1), good = await introspect('scoped', text);
    assert.equal(good.status, 200);
    assert.deepEqual(good.json(), { active: true, token_type: 'Bearer', iss: 'https://acme.test', jti, exp, sub: 'scoped', client_id: 'scoped', scope: 'api:GET' });
    for (const [who, what] of [['reader', text], ['scoped', 'nothing'], ['scoped', `${text.slice(0, -2)}AA`], ['scoped', await token('reader')],
      ['scoped', await token('scoped', {}, { host: 'also-acme.test' })], ['scoped', await token('scoped', {}, { host: 'beta.test' })]]) {
      assert.deepEqual((await introspect(who, what)).json(), { active: false });
    }
    assert.equal((await revoke('scoped', text)).status, 200);
    assert.deepEqual((await introspect('scoped', text)).json(), { active: false });
    assert.equal((await post({ token: text }, { path: '/.sekisho/oauth/introspect' })).status, 401);
  });
});

// Programs with client certificates: who they are by one, and tokens that are good with one alone (RFC 8705).
describe('with client certificates', () => {
  const mine = ['robot', 'second', 'bound', 'pinned', 'both'];
  const own = Object.fromEntries(mine.map((name) => [name, randomBytes(32).toString('base64url')]));
  const thumbprint = (client) => Buffer.from(client.fingerprint, 'hex').toString('base64url');
  const shown = (client) => client && { tls: { cert: client.cert, key: client.key } };
  const clients = {};
  let folder, root;

  // `swap`: the certificates of robot and second are each the other's.
  function certFile(name, { swap = false, change = {}, map = true, ca = root } = {}) {
    const program = (user, more = {}) => ({ name: user, backend: 'key', roles: ['all'],
      keys: [{ sha256: createHash('sha256').update(own[user]).digest('hex'), expires: '2099-01-01', ...more.key }], ...more.user, ...change[user] });
    fs.writeFileSync(path.join(folder, `${name}.pem`), ca.pem);
    return openTenant(name, upstream.url, {
      apps: [{ name: 'api', kind: 'api', path: '/api', upstreams: [upstream.url], identity: ['forwarded-user'] }, { name: 'stream', kind: 'api', path: '/stream', upstreams: [sink.url] }],
      roles: [{ name: 'all', allow: ['api * /**', 'stream * /**'] }],
      users: [{ name: 'hanako', roles: ['all'] }, program('robot'), program('second'), program('bound', { user: { certificate_bound: true } }),
        program('pinned', { key: { certificate: clients.robot.fingerprint } }), program('both'), { name: 'bare', backend: 'key', roles: ['all'], ...change.bare }],
      client_certificates: { ca_file: path.join(folder, `${name}.pem`), ...(map ? { map: [
        { by: 'fingerprint', value: clients.robot.fingerprint, user: swap ? 'second' : 'robot' }, { by: 'fingerprint', value: clients.spare.fingerprint, user: 'robot' },
        { by: 'fingerprint', value: clients.second.fingerprint, user: swap ? 'robot' : 'second' }, { by: 'fingerprint', value: clients.person.fingerprint, user: 'hanako' },
        { by: 'fingerprint', value: clients.bare.fingerprint, user: 'bare' }, { by: 'subject' }] } : {}) },
      issuers: [{ name: 'ci', issuer: 'https://ci.test', audience: 'acme', jwks_file: 'ci.jwks', roles: ['all'] }],
    });
  }
  before(async () => {
    folder = fs.mkdtempSync(path.join(os.tmpdir(), 'sekisho-pki-'));
    root = new Authority(folder, 'root');
    for (const name of ['robot', 'spare', 'second', 'person', 'bare', 'nobody']) {
      clients[name] = root.client(name);
    }
    for (const [name, how] of [['cert', {}], ['twin', {}], ['nomap', { map: false }]]) {
      assert.equal((await gateway.reload(() => gateway.tenant(certFile(name, how)))).id, 'SK1102');
    }
  });
  after(async () => {
    for (const name of ['cert', 'twin', 'nomap', 'other']) {
      fs.rmSync(file(`${name}.yaml`));
    }
    assert.equal((await gateway.reload()).id, 'SK1102');
    fs.rmSync(folder, { recursive: true });
  });

  const at = (client, more = {}) => ({ host: 'cert.test', ...shown(client), ...more });
  const byCertificate = (client, name, more = {}) => post({ grant_type: 'client_credentials', client_id: name, ...more.form }, at(client, more));
  const byKey = (name, client, more = {}) => post({ grant_type: 'client_credentials', ...more.form }, { ...at(client, more), headers: { ...basic(name, own[name]), ...more.headers } });
  const tokenOf = (response) => {
    assert.equal(response.status, 200, response.text);
    return response.json().access_token;
  };
  const bring = (text, client, more = {}) => use(text, at(client, more));

  test('a program gets a token for its certificate, over HTTP/1.1 and HTTP/2, and the token is bound to it', async () => {
    for (const version of [1, 2]) {
      const from = await count(), response = await byCertificate(clients.robot, 'robot', { version }), text = tokenOf(response);
      assert.equal(response.json().token_type, 'Bearer');
      const { sub, client_id: id, cnf, jti } = partOf(text, 1);
      assert.deepEqual([sub, id, cnf], ['robot', 'robot', { 'x5t#S256': thumbprint(clients.robot) }]);
      for (const used of [1, 2, version]) {
        const answer = await bring(text, clients.robot, { version: used });
        assert.equal(answer.status, 200);
        assert.equal(answer.json().headers['x-forwarded-user'], 'robot');
      }
      await recorded(from, { op: 'token-issued', subject: 'robot', decision: 'allow', session: `basic-${jti}` });
    }
    assert.equal((await bring(tokenOf(await byCertificate(clients.bare, 'bare')), clients.bare)).status, 200, 'without any key');
    assert.equal(partOf(tokenOf(await byCertificate(clients.spare, 'robot')), 1).cnf['x5t#S256'], thumbprint(clients.spare));
  });

  const strangers = [
    ['another program\'s name', () => byCertificate(clients.robot, 'second'), { op: 'request', detail: 'certificate-of-another' }],
    ['a name that nobody has', () => byCertificate(clients.robot, 'nobody'), { op: 'request', detail: 'certificate-of-another' }],
    ['a certificate of nobody, where the map says none', () => byCertificate(clients.nobody, 'robot', { host: 'nomap.test' }), { op: 'request', detail: 'certificate-of-nobody' }],
    ['a certificate of somebody who is none', () => byCertificate(clients.nobody, 'CN=nobody'), { op: 'login', reason: 'unknown-user' }],
    ['a person\'s certificate', () => byCertificate(clients.person, 'hanako'), { op: 'token-issued', reason: 'no-program' }],
    ['no certificate', () => byCertificate(undefined, 'robot'), { op: 'request', reason: 'invalid-client' }],
    ['a certificate and no name', () => post({ grant_type: 'client_credentials' }, at(clients.robot)), { op: 'request', reason: 'invalid-client' }],
    ['a page of another site', () => byCertificate(clients.robot, 'robot', { headers: { origin: 'https://evil.test' } }), { op: 'request', reason: 'invalid-client' }],
    ['a certificate and a wrong secret', () => byCertificate(clients.robot, 'robot', { form: { client_secret: own.second } }), { op: 'login', reason: 'wrong-key' }],
  ];
  for (const [what, make, record] of strangers) {
    test(`hostile: ${what} is invalid_client`, async () => {
      for (let turn = 0; turn < 2; turn++) {
        const from = await count(), response = await make();
        assert.equal(response.status, 401, response.text);
        assert.deepEqual(response.json(), { error: 'invalid_client' });
        await recorded(from, { decision: 'deny', ...record });
      }
    });
  }

  test('an expired certificate, and one of an authority of another tenant, get no connection', async () => {
    const other = new Authority(folder, 'elsewhere');
    assert.equal((await gateway.reload(() => gateway.tenant(certFile('other', { ca: other })))).id, 'SK1102');
    await assert.rejects(byCertificate(root.client('expired', { from: -5, to: -1 }), 'robot'));
    await assert.rejects(byCertificate(other.client('stranger'), 'robot'));
    await assert.rejects(byCertificate(clients.robot, 'robot', { host: 'other.test' }));
    assert.equal((await byCertificate(clients.robot, 'robot', { servername: 'twin.test' })).status, 421);
  });

  test('two credentials are one too many; a certificate beside one is none', async () => {
    for (const response of [
      await post({ grant_type: 'client_credentials', client_id: 'robot', client_secret: own.robot }, { ...at(clients.robot), headers: basic('robot', own.robot) }),
      await post({ grant_type: 'client_credentials', client_id: 'robot', client_secret: own.robot, client_assertion: assertion() }, at(clients.robot)),
      await byCertificate(clients.robot, 'robot', { form: { client_assertion: assertion() } }),
      await post(`grant_type=client_credentials&client_id=robot&client_id=robot`, at(clients.robot))]) {
      assert.equal(response.status, 400, response.text);
      assert.deepEqual(response.json(), { error: 'invalid_request' });
    }
    assert.equal(partOf(tokenOf(await byKey('second', clients.robot)), 1).sub, 'second');
  });

  test('a program asks for bound tokens in its file, or has a key that is good with one certificate; others\' are not bound', async () => {
    for (const [name, client] of [['bound', clients.nobody], ['bound', clients.second], ['pinned', clients.robot]]) {
      const text = tokenOf(await byKey(name, client));
      assert.deepEqual(partOf(text, 1).cnf, { 'x5t#S256': thumbprint(client) }, name);
      assert.equal((await bring(text, client)).status, 200);
      assert.equal((await bring(text)).status, 401);
    }
    const from = await count(), refused = await byKey('bound');
    assert.deepEqual([refused.status, refused.json()], [400, { error: 'invalid_request' }]);
    await recorded(from, { op: 'token-issued', subject: 'bound', decision: 'deny', reason: 'certificate-missing' });
    assert.equal((await byKey('pinned', clients.second)).status, 401);
    const free = tokenOf(await byKey('both', clients.robot));
    assert.equal(partOf(free, 1).cnf, undefined);
    for (const client of [undefined, clients.second]) {
      assert.equal((await bring(free, client)).status, 200);
    }
  });

  const thieves = [
    ['no certificate', undefined, 'certificate-missing'],
    ['another certificate of the same program', 'spare', 'certificate-of-another'],
    ['another program\'s', 'second', 'certificate-of-another'],
    ['nobody\'s', 'nobody', 'certificate-of-another'],
  ];
  for (const [what, name, reason] of thieves) {
    for (const known of [false, true]) {
      test(`hostile: a bound token ${known ? 'that is remembered ' : ''}with ${what} is refused: ${reason}`, async () => {
        const text = tokenOf(await byCertificate(clients.robot, 'robot'));
        const agents = Array.from({ length: 4 }, () => gateway.agent());
        if (known) { // at every worker
          assert.deepEqual((await Promise.all(agents.map((agent) => bring(text, clients.robot, { agent })))).map(({ status }) => status), Array(4).fill(200));
        }
        for (const version of [1, 2, 1, 2]) {
          const from = await count(), response = await bring(text, clients[name], { version });
          assert.equal(response.status, 401);
          assert.match(response.headers['www-authenticate'], /Bearer realm="Sekisho", error="invalid_token"/);
          await recorded(from, { op: 'login', subject: 'robot', decision: 'deny', reason });
        }
        assert.equal((await bring(text, clients.robot)).status, 200, 'and the right one is right');
        agents.forEach((agent) => agent.destroy());
      });
    }
  }

  test('a bound token is good at its tenant alone, whose certificate it is', async () => {
    const text = tokenOf(await byCertificate(clients.robot, 'robot')), from = await count();
    assert.equal((await bring(text, clients.robot, { host: 'twin.test' })).status, 401);
    await recorded(from, { op: 'login', reason: 'token-issuer', decision: 'deny' });
    assert.equal((await bring(text, clients.robot, { servername: 'twin.test' })).status, 421);
    assert.equal((await bring(text, undefined, { headers: { 'x-client-cert': clients.robot.cert.replaceAll('\n', '') } })).status, 400, 'nor by what a header says');
  });

  test('a token may be bound to a key and to a certificate, and needs both', async () => {
    const proofAt = (claims) => proof({ claims: { htu: 'https://cert.test/.sekisho/oauth/token', ...claims } });
    const response = await until(async () => { const r = await byCertificate(clients.robot, 'robot', { headers: { dpop: proofAt() } }); return r.status === 200 ? r : null; }, 'a token', 30000, 250);
    const text = tokenOf(response);
    assert.equal(response.json().token_type, 'DPoP');
    assert.deepEqual(Object.keys(partOf(text, 1).cnf), ['jkt', 'x5t#S256']);
    const dpop = () => proof({ token: text, claims: { htu: 'https://cert.test/api/x' } });
    const both = (client) => gateway.request({ path: '/api/x', ...at(client), headers: { authorization: `DPoP ${text}`, dpop: dpop() } });
    for (let turn = 0; turn < 2; turn++) {
      assert.equal((await both(clients.robot)).status, 200);
      assert.equal((await both()).status, 401);
      assert.equal((await both(clients.spare)).status, 401);
      assert.equal((await bring(text, clients.robot)).status, 401);
    }
    assert.deepEqual((await post({ token: text, client_id: 'robot' }, { ...at(clients.robot), path: '/.sekisho/oauth/introspect' })).json().cnf, partOf(text, 1).cnf);
  });

  test('somebody else\'s token that is bound is held to it too', async () => {
    const foreign = (cnf) => {
      const input = `${b64({ alg: 'ES256', typ: 'JWT', kid: 'ci' })}.${b64({ iss: 'https://ci.test', aud: 'acme', sub: 'bot', exp: now() + 60, cnf })}`;
      return `${input}.${signatureOf('ES256', input, issuerPair.privateKey)}`;
    };
    const text = foreign({ 'x5t#S256': thumbprint(clients.nobody) });
    for (let turn = 0; turn < 2; turn++) {
      assert.equal((await bring(text)).status, 401);
      assert.equal((await bring(text, clients.robot)).status, 401);
      assert.equal((await bring(text, clients.nobody)).status, 200);
    }
    assert.equal((await bring(text, clients.nobody, { host: 'nomap.test' })).status, 200, 'whoever the map says it is');
    assert.equal((await use(text)).status, 401, 'and never where no certificate is asked for');
    for (const cnf of [{ 'x5t#S256': 7 }, { 'x5t#S256': '' }, { 'x5t#S256': clients.nobody.fingerprint }, thumbprint(clients.nobody), []]) {
      assert.equal((await bring(foreign(cnf), clients.nobody)).status, 401, JSON.stringify(cnf));
    }
  });

  test('introspection and revocation take a certificate, and tell what a token is bound to', async () => {
    const text = tokenOf(await byCertificate(clients.robot, 'robot'));
    const inspect = (what, client, more = {}) => post({ token: text, client_id: 'robot', ...more }, { ...at(client), path: `/.sekisho/oauth/${what}` });
    const said = (await inspect('introspect', clients.spare)).json();
    assert.deepEqual([said.active, said.token_type, said.cnf], [true, 'Bearer', { 'x5t#S256': thumbprint(clients.robot) }]);
    assert.equal((await inspect('introspect', clients.second)).status, 401);
    assert.equal((await inspect('introspect', undefined)).status, 401);
    assert.deepEqual((await inspect('introspect', clients.second, { client_id: 'second' })).json(), { active: false });
    assert.equal((await inspect('revoke', clients.second, { client_id: 'second' })).json().error, 'unauthorized_client');
    assert.equal((await inspect('revoke', clients.robot)).status, 200);
    assert.equal((await bring(text, clients.robot)).status, 401);
  });

  test('outlives auth and store, which are killed, and is held to its certificate still', async () => {
    const text = tokenOf(await byCertificate(clients.robot, 'robot'));
    for (const process of ['auth', 'store']) {
      gateway.kill(process);
      await until(() => gateway.ready(), 'an open gate');
      await until(async () => (await bring(text, clients.robot)).status === 200, 'an answer');
      assert.equal((await bring(text)).status, 401);
      assert.equal((await bring(text, clients.spare)).status, 401);
    }
  });

  test('ends when the certificate is another\'s, and a program\'s other tokens when they are to be bound', async () => {
    const text = tokenOf(await byCertificate(clients.robot, 'robot')), free = tokenOf(await byKey('both'));
    assert.equal((await bring(text, clients.robot)).status, 200);
    assert.equal((await bring(free)).status, 200);
    gateway.tenant({ ...certFile('cert', { swap: true, change: { both: { certificate_bound: true } } }), certificates: gateway.certificates.cert });
    const start = performance.now(), from = await count();
    gateway.child.kill('SIGHUP');
    await until(async () => (await bring(text, clients.robot)).status === 401, '401 for the certificate of another', 5000, 5);
    await until(async () => (await bring(free)).status === 401, '401 for the token that is not bound', 5000, 5);
    assert.ok(performance.now() - start < 1000, `${performance.now() - start} ms`);
    await recorded(from, { op: 'login', subject: 'robot', reason: 'certificate-of-another', decision: 'deny' });
    await recorded(from, { op: 'login', subject: 'both', reason: 'certificate-not-bound', decision: 'deny' });
    assert.equal((await byCertificate(clients.robot, 'robot')).status, 401);
    assert.equal(partOf(tokenOf(await byCertificate(clients.robot, 'second')), 1).sub, 'second');
    assert.equal((await gateway.reload(() => gateway.tenant(certFile('cert')))).id, 'SK1102');
  });

  test('the metadata says so where it is so', async () => {
    const metadata = async (host) => (await gateway.request({ host, path: '/.well-known/oauth-authorization-server' })).json();
    const methods = ['client_secret_basic', 'client_secret_post', 'private_key_jwt'];
    for (const [host, bound, how] of [['cert.test', true, [...methods, 'tls_client_auth']], ['nomap.test', true, methods], ['acme.test', undefined, methods]]) {
      const said = await metadata(host);
      assert.equal(said.tls_client_certificate_bound_access_tokens, bound, host);
      assert.equal(said.mtls_endpoint_aliases, undefined);
      for (const endpoint of ['token', 'revocation', 'introspection']) {
        assert.deepEqual(said[`${endpoint}_endpoint_auth_methods_supported`], how, host);
      }
    }
  });

  test('a file that binds what cannot be bound is refused with its line', async () => {
    for (const [user, what] of [[{ name: 'a', roles: ['all'], certificate_bound: true }, /certificate_bound and scope are of programs/],
      [{ name: 'a', backend: 'key', roles: ['all'], certificate_bound: true }, /asks for no certificate: client_certificates/]]) {
      const line = await gateway.reload(() => gateway.tenant(openTenant('bad', upstream.url, { users: [user] })));
      assert.equal(line.id, 'SK1101');
      assert.match(JSON.stringify(line), what);
      fs.rmSync(path.join(gateway.folder, 'tenants/bad.yaml'));
    }
  });
});

describe('the metadata', () => {
  test('says where all this is, at the host it is asked at, with its port', async () => {
    for (const authority of ['acme.test', 'acme.test:8443']) {
      const response = await gateway.request({ path: '/.well-known/oauth-authorization-server', headers: { host: authority } }), at = `https://${authority}`;
      assert.equal(response.status, 200);
      assert.equal(response.headers['content-type'], 'application/json');
      const said = response.json();
      assert.deepEqual([said.issuer, said.token_endpoint, said.revocation_endpoint, said.introspection_endpoint, said.jwks_uri],
        [at, `${at}/.sekisho/oauth/token`, `${at}/.sekisho/oauth/revoke`, `${at}/.sekisho/oauth/introspect`, `${at}/.well-known/sekisho/jwks.json`]);
      assert.deepEqual(said.grant_types_supported, ['client_credentials']);
      for (const endpoint of ['token', 'revocation', 'introspection']) {
        assert.deepEqual(said[`${endpoint}_endpoint_auth_methods_supported`], ['client_secret_basic', 'client_secret_post', 'private_key_jwt']);
        assert.deepEqual(said[`${endpoint}_endpoint_auth_signing_alg_values_supported`], Object.keys(pairs));
      }
    }
    assert.equal((await gateway.request({ path: '/.well-known/oauth-authorization-server', method: 'POST', body: '' })).status, 405);
  });

  test('of a tenant without programs is the upstream\'s', async () => {
    const path = '/.well-known/oauth-authorization-server';
    assert.equal((await gateway.request({ host: 'first.test', path })).status, 401);
    const response = await gateway.request({ host: 'first.test', path, user: 'hanako' });
    assert.equal(response.status, 200);
    assert.equal(JSON.parse(response.text).url, path);
  });
});

describe('a change', () => {
  test('of the file ends tokens of a program that is gone, and of a key that is gone, within a second, open streams too', async () => {
    const old = await token('twin'), next = await token('twin', {}, { headers: basic('twin', secrets.next) }), gone = await token('gone'), stream = await token('stream');
    for (const text of [old, next, gone]) {
      assert.equal((await use(text)).status, 200);
    }
    const wire = await openDownload(gateway, 'acme.test', { authorization: `Bearer ${stream}` });
    gateway.tenant({ ...tenantFile('acme', { twin: { keys: [entry('next')] }, gone: null, stream: { disabled: true } }), certificates: gateway.certificates.acme });
    const start = performance.now();
    gateway.child.kill('SIGHUP');
    await until(async () => (await use(old)).status === 401, '401 for the token of the key that is gone', 5000, 5);
    await until(async () => (await use(gone)).status === 401, '401 for that of the program that is gone', 5000, 5);
    assert.ok(performance.now() - start < 1000, `${performance.now() - start} ms`);
    assert.ok(await endedAfter(wire) < 2000);
    assert.equal((await use(next)).status, 200);
    await recorded(0, { op: 'login', subject: 'gone', reason: 'token-ended' });
    await recorded(0, { op: 'login', subject: 'twin', reason: 'token-ended' });
  });

  test('of the program\'s scope holds for its tokens too', async () => {
    const text = await token('scoped'), head = await token('scoped', { scope: 'api:HEAD' });
    assert.equal((await use(text, { method: 'POST', path: '/other/x', body: 'x' })).status, 200);
    assert.equal((await gateway.reload(() => gateway.tenant(tenantFile('acme', { scoped: { scope: ['api GET'] } })))).id, 'SK1102');
    assert.equal((await use(text)).status, 200);
    assert.equal(problemOf(await use(text, { method: 'POST', path: '/other/x', body: 'x' })).reason, 'out-of-scope');
    const from = await count();
    assert.equal((await use(head)).status, 401);
    await recorded(from, { op: 'login', reason: 'token-scope' });
  });
});
