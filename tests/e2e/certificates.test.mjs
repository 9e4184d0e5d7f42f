// Client certificates through the real gateway: who is let in by one, and what is refused, each with its reason; never across
// tenants, and never by a resumed session.
import assert from 'node:assert/strict';
import { createHash, randomBytes } from 'node:crypto';
import fs from 'node:fs';
import os from 'node:os';
import path from 'node:path';
import { after, before, describe, test } from 'node:test';
import tls from 'node:tls';
import { PASSWORD, openTenant, startGateway } from './lib/gateway.mjs';
import { Authority } from './lib/pki.mjs';
import { endedAfter, loggedIn, openWebSocket, startPanel } from './lib/person.mjs';
import { startUpstream } from './lib/upstream.mjs';

let gateway, upstream, folder, root, inner, other, list;
const clients = {};
const KEY = randomBytes(32).toString('base64url');

function rules(own) {
  return { roles: [{ name: 'all', allow: ['api * /api/**', 'panel * /**'] }], users: ['hanako', 'jiro@acme.test', 'CN=saburo', 'upn@acme.test', 'urn:robot'].map((name) => ({ name, roles: ['all'] }))
    .concat([{ name: 'gone', roles: ['all'], disabled: true }]), ...own };
}

function tenantFile(name, own, app = {}) {
  return openTenant(name, upstream.url, rules({
    apps: [{ name: 'api', kind: 'api', path: '/api', upstreams: [upstream.url], identity: ['remote', 'client-cert', 'client-cert-chain'], ...app },
      { name: 'panel', kind: 'panel', path: '/', upstreams: [upstream.url], factors: 'password+certificate' }], ...own }));
}

// Writes what a tenant's rules for certificates name, and gives them.
function trust(name, authorities, lists = '', own = {}) {
  fs.writeFileSync(path.join(folder, `${name}.pem`), authorities.map(({ pem }) => pem).join(''));
  if (lists) {
    fs.writeFileSync(path.join(folder, `${name}.crl`), lists);
  }
  return { client_certificates: { ca_file: path.join(folder, `${name}.pem`), ...(lists ? { crl_files: [path.join(folder, `${name}.crl`)] } : {}), ...own } };
}

before(async () => {
  folder = fs.mkdtempSync(path.join(os.tmpdir(), 'sekisho-pki-'));
  root = new Authority(folder, 'root');
  inner = new Authority(folder, 'inner', { issuer: root, pathlen: 0 });
  other = new Authority(folder, 'other');
  clients.email = inner.client('email', { san: 'email:jiro@acme.test' });
  clients.subject = inner.client('saburo');
  clients.upn = inner.client('upn', { san: 'otherName:1.3.6.1.4.1.311.20.2.3;UTF8:upn@acme.test' });
  clients.uri = inner.client('uri', { san: 'URI:urn:robot' });
  clients.pinned = inner.client('pinned');
  clients.revoked = inner.client('revoked', { san: 'email:jiro@acme.test' });
  clients.nobody = inner.client('nobody', { san: 'email:nobody@acme.test' });
  clients.device = inner.client('device');
  clients.stranger = other.client('stranger', { san: 'email:jiro@acme.test' });
  inner.revoke(clients.revoked);
  list = root.list() + inner.list();
  upstream = await startUpstream();
  const map = [{ by: 'fingerprint', value: clients.pinned.fingerprint, user: 'hanako' }, { by: 'email' }, { by: 'upn' }, { by: 'uri' }, { by: 'subject', value: 'CN=saburo', user: 'CN=saburo' }];
  gateway = await startGateway({
    tenants: [tenantFile('acme', { ...trust('acme', [root], list, { map }), users: [...rules({}).users, { name: 'bound', backend: 'key', roles: ['all'],
      keys: [{ sha256: createHash('sha256').update(KEY).digest('hex'), expires: '2099-01-01', certificate: clients.device.fingerprint }] }] }), tenantFile('strict', trust('strict', [root], list, { map, required: true })),
      tenantFile('beta', trust('beta', [other], '', { map: [{ by: 'email' }] })), tenantFile('none', {}),
      tenantFile('stale', trust('stale', [root], root.list() + inner.list(-1))), tenantFile('lenient', trust('lenient', [root], root.list() + inner.list(-1), { stale_crl: true, map: [{ by: 'email' }] })),
      tenantFile('lacking', trust('lacking', [root], root.list()))],
    settings: { workers: 2 },
  });
});

after(async () => {
  await gateway?.stop();
  await upstream?.close();
  fs.rmSync(folder, { recursive: true, force: true });
});

const WEAK = { ciphers: 'DEFAULT@SECLEVEL=0' };
const ask = (client, own = {}) => gateway.request({ path: '/api/x', tls: client && { cert: client.cert, key: client.key, ...own.tls }, ...own, ...(own.tls ? { tls: { cert: client?.cert, key: client?.key, ...own.tls } } : {}) });

// The handshake with it ends, and the record says why.
async function refused(client, detail, own = {}) {
  for (const version of ['TLSv1.2', 'TLSv1.3']) {
    await assert.rejects(ask(client, { ...own, tls: { minVersion: version, maxVersion: version, ...own.tls } }), undefined, `${detail} with ${version}`);
  }
  const found = await gateway.recorded((r) => r.op === 'connection-refused' && r.detail === detail && r.host === (own.host ?? 'acme.test'));
  assert.ok(found.length >= 2, detail);
  assert.equal(found.at(-1).reason, 'handshake-failed');
}

describe('a program with a certificate', () => {
  for (const [by, user] of [['pinned', 'hanako'], ['email', 'jiro@acme.test'], ['upn', 'upn@acme.test'], ['uri', 'urn:robot'], ['subject', 'CN=saburo']]) {
    test(`is who the map says: ${by}`, async () => {
      for (const version of [1, 2]) {
        const response = await ask(clients[by], { version });
        assert.equal(response.status, 200, response.text);
        assert.equal(response.json().headers['remote-user'], user);
      }
      const [record] = await gateway.recorded({ op: 'request', subject: user });
      assert.match(record.tls, new RegExp(` certificate ${clients[by].fingerprint}$`));
      assert.equal(record.factors, 'x5c');
    });
  }

  test('is nobody when the map names nobody that there is', async () => {
    assert.equal((await ask(clients.nobody)).status, 401);
    assert.equal((await ask(clients.device)).status, 401);
    await gateway.recorded({ op: 'login', subject: 'nobody@acme.test', decision: 'deny', reason: 'unknown-user' });
  });

  test('may say who else it is by a password', async () => {
    const response = await ask(clients.email, { user: 'hanako' });
    assert.equal(response.json().headers['remote-user'], 'hanako');
  });

  test("is no credential for another site's page", async () => {
    assert.equal((await ask(clients.email, { headers: { 'sec-fetch-site': 'cross-site' } })).status, 401);
    assert.equal((await ask(clients.email, { headers: { 'sec-fetch-site': 'none' } })).status, 200);
    for (const [origin, status] of [['https://evil.test', 401], ['null', 401], ['http://acme.test', 401], ['https://acme.test', 200]]) {
      assert.equal((await ask(clients.email, { method: 'POST', body: 'x', headers: { origin } })).status, status, origin);
    }
  });

  test('has a key that is good with that certificate alone', async () => {
    const headers = { authorization: `Bearer sekisho_bound_${KEY}` };
    for (let turn = 0; turn < 2; turn++) { // remembered or not
      assert.equal((await ask(clients.device, { headers })).json().headers['remote-user'], 'bound');
      assert.equal((await ask(clients.pinned, { headers })).status, 401);
      assert.equal((await ask(undefined, { headers })).status, 401);
    }
    const records = await gateway.recorded({ op: 'login', subject: 'bound', decision: 'deny' });
    assert.equal(records[0].reason, 'key-without-certificate');
  });

  test('is told to the upstream as RFC 9440 has it, and cannot be claimed', async () => {
    const [leaf, between] = clients.email.cert.match(/(?<=-----BEGIN CERTIFICATE-----)[^-]+/g).map((text) => `:${text.replace(/\s/g, '')}:`);
    const { 'client-cert': header, 'client-cert-chain': chain } = (await ask(clients.email)).json().headers;
    assert.deepEqual([header, chain], [leaf, between]);
    // What is sent along and has no part in the chain is not passed on.
    const more = { ...clients.email, cert: clients.email.cert + other.pem };
    assert.equal((await ask(more)).json().headers['client-cert-chain'], between);
    const without = (await ask(undefined, { user: 'hanako' })).json().headers;
    assert.deepEqual([without['client-cert'], without['client-cert-chain']], [undefined, undefined]);
    for (const name of ['client-cert', 'Client_Cert', 'client-cert-chain']) {
      assert.equal((await ask(clients.email, { headers: { [name]: header } })).status, 400, name);
    }
  });
});

describe('a person with a certificate', () => {
  test('needs it beside the password where the rules say so', async () => {
    const without = await loggedIn(gateway, 'acme.test', 'hanako');
    const denied = await without.get('/zones');
    assert.equal(denied.status, 403);
    assert.match(denied.text, /factor-required/);
    for (const [client, status] of [['device', 200], ['pinned', 200], ['email', 403]]) {
      const browser = await loggedIn(gateway, 'acme.test', 'hanako');
      const { cert, key } = clients[client];
      assert.equal((await browser.get('/zones', { tls: { cert, key } })).status, status, client);
    }
  });

  test('has no session by it alone', async () => {
    const { cert, key } = clients.pinned;
    assert.equal((await gateway.request({ path: '/zones', tls: { cert, key } })).status, 303);
  });
});

describe('what is refused in the handshake', () => {
  const hostile = [
    ['of an authority that is not the tenant\'s', 'certificate-untrusted', () => clients.stranger],
    ['revoked', 'certificate-revoked', () => clients.revoked],
    ['expired', 'certificate-expired', () => inner.client('expired', { from: -5, to: -1 })],
    ['not yet valid', 'certificate-not-yet-valid', () => inner.client('early', { from: 1, to: 5 })],
    ['for servers', 'certificate-wrong-purpose', () => inner.client('server', { usage: 'serverAuth' })],
    ['for nothing by name', 'certificate-wrong-purpose', () => inner.client('any', { usage: null })],
    ['an authority itself', 'certificate-wrong-purpose', () => root.client('authority', { ca: true })],
    ['with RSA of 1024 bits', 'certificate-too-weak', () => inner.client('short', { key: 'rsa1024' })],
    ['signed with SHA-1', 'certificate-too-weak', () => inner.client('sha1', { md: 'sha1' })],
    ['below an authority that may have none below it', 'certificate-path', () => {
      const below = new Authority(folder, 'below', { issuer: inner });
      fs.writeFileSync(path.join(folder, 'acme.crl'), list + below.list());
      return below.client('deep');
    }],
    ['by somebody who is no authority', 'certificate-path', () => new Authority(folder, 'false', { issuer: root, ca: false }).client('x')],
    ['outside the names of its authority', 'certificate-name-constraints', () => {
      const narrow = new Authority(folder, 'narrow', { issuer: root, constraints: 'permitted;email:only.test' });
      return narrow.client('wide', { san: 'email:jiro@acme.test' });
    }],
    ['with a broken signature', 'certificate-bad-signature', () => {
      const { cert, key } = inner.client('broken');
      const [leaf, ...rest] = cert.split(/(?<=-----END CERTIFICATE-----\n)/);
      const der = Buffer.from(leaf.split('\n').slice(1, -2).join(''), 'base64');
      der[der.length - 5] ^= 1;
      return { key, cert: `-----BEGIN CERTIFICATE-----\n${der.toString('base64').match(/.{1,64}/g).join('\n')}\n-----END CERTIFICATE-----\n${rest.join('')}` };
    }],
    ['whose authority is not sent', 'certificate-untrusted', () => ({ ...clients.email, cert: clients.email.cert.split(/(?<=-----END CERTIFICATE-----\n)/)[0] })],
  ];
  for (const [what, reason, make] of hostile) {
    test(`one ${what}: ${reason}`, async () => {
      const client = make();
      if (reason === 'certificate-path' || reason === 'certificate-name-constraints') {
        // Without lists, which each of these authorities would have to have one on.
        gateway.tenant(tenantFile('open', trust('open', [root])));
        assert.equal((await gateway.reload()).id, 'SK1102');
        await refused(client, reason, { host: 'open.test', tls: WEAK });
      } else {
        await refused(client, reason, { tls: WEAK });
      }
    });
  }

  test('all, where an authority has no list, or an old one and old ones do not count', async () => {
    await refused(clients.email, 'revocation-list-missing', { host: 'lacking.test' });
    await refused(clients.email, 'revocation-list-stale', { host: 'stale.test' });
    assert.equal((await ask(clients.email, { host: 'lenient.test' })).status, 200);
    await refused(clients.revoked, 'certificate-revoked', { host: 'lenient.test' });
  });

  test('none at all, where one is required', async () => {
    await refused(undefined, 'certificate-required', { host: 'strict.test', user: 'hanako' });
    assert.equal((await ask(clients.email, { host: 'strict.test' })).status, 200);
    assert.equal((await ask(undefined, { host: 'acme.test', user: 'hanako' })).status, 200);
  });
});

describe('a tenant', () => {
  test("takes no other's: by its own name, by Host, or on a connection to it", async () => {
    await refused(clients.email, 'certificate-untrusted', { host: 'beta.test' });
    await refused(clients.stranger, 'certificate-untrusted', {});
    for (const version of [1, 2]) {
      assert.equal((await ask(clients.email, { version, host: 'beta.test', servername: 'acme.test' })).status, 421);
      assert.equal((await ask(undefined, { version, host: 'strict.test', servername: 'none.test' })).status, 421);
    }
  });

  test('that asks for none is shown none', async () => {
    assert.equal((await ask(clients.stranger, { host: 'none.test' })).status, 401);
  });

  // CVE-2025-23419, CVE-2025-23048: a session of one host opened another's door, because its certificate was not asked for again.
  for (const version of ['TLSv1.2', 'TLSv1.3']) {
    test(`opens to no resumed session, its own or another's, with ${version}`, async () => {
      const connect = (servername, session, client) => new Promise((resolve, reject) => {
        const socket = tls.connect({ host: '127.0.0.1', port: gateway.port, servername, session, ca: gateway.authority.pem, minVersion: version, maxVersion: version,
          cert: client?.cert, key: client?.key }, () => {
          socket.write(`GET /api/x HTTP/1.1\r\nHost: ${servername}\r\nConnection: close\r\n\r\n`);
        });
        let session2, text = '';
        socket.on('session', (made) => { session2 = made; });
        socket.on('data', (bytes) => { text += bytes; });
        socket.on('error', reject);
        socket.on('end', () => resolve({ session: session2 ?? socket.getSession(), reused: socket.isSessionReused(), status: Number(/^HTTP\/1.1 (\d+)/.exec(text)?.[1]) }));
      });
      const first = await connect('acme.test', undefined, clients.email);
      assert.equal(first.status, 200);
      const again = await connect('acme.test', first.session);
      assert.deepEqual([again.reused, again.status], [false, 401]);
      const plain = await connect('none.test');
      const resumed = await connect('none.test', plain.session);
      assert.equal(resumed.reused, true, 'sessions are resumed where no certificate is asked for');
      await assert.rejects(connect('strict.test', plain.session));
      await assert.rejects(connect('strict.test', first.session));
      const beta = await connect('beta.test', first.session);
      assert.deepEqual([beta.reused, beta.status], [false, 401]);
    });
  }

  test('that takes an authority or a certificate back closes open connections to it at their next request', async () => {
    const session = await gateway.h2('acme.test', { tls: { cert: clients.email.cert, key: clients.email.key } });
    const request = () => gateway.request({ version: 2, session, path: '/api/x' });
    assert.equal((await request()).status, 200);
    const kept = fs.readFileSync(path.join(folder, 'acme.crl'));
    inner.revoke(clients.email);
    fs.writeFileSync(path.join(folder, 'acme.crl'), root.list() + inner.list());
    assert.equal((await gateway.reload()).id, 'SK1102');
    const response = await request();
    assert.equal(response.status, 421);
    assert.match(response.text, /certificate-changed/);
    session.close();
    await refused(clients.email, 'certificate-revoked', {});
    fs.writeFileSync(path.join(folder, 'acme.crl'), kept);
    assert.equal((await gateway.reload()).id, 'SK1102');
  });
});

// What is open while the rules change, at tenant `held`: a session of HTTP/2 and a WebSocket by one certificate.
describe('an open connection', () => {
  let panel, closePanel, client;
  before(async () => {
    client = inner.client('held', { san: 'email:jiro@acme.test' });
    panel = await startPanel({ after: (close) => { closePanel = close; } });
  });
  after(() => closePanel?.());

  const rulesFor = (own) => ({ client_certificates: { ca_file: path.join(folder, 'held.pem'), crl_files: [path.join(folder, 'held.crl')], map: [{ by: 'email' }], ...own },
    apps: [{ name: 'api', kind: 'api', path: '/api', upstreams: [panel.url] }], roles: [{ name: 'all', allow: ['api * /api/**'] }] });
  const setRules = async (own, lists = list) => {
    trust('held', [root], lists);
    gateway.tenant(tenantFile('held', rulesFor(own)));
    assert.equal((await gateway.reload()).id, 'SK1102');
  };
  const open = async ({ cert, key } = client) => {
    const session = await gateway.h2('held.test', { tls: { cert, key } });
    const wire = await openWebSocket(gateway, 'held.test', '/api/ws', { tls: { cert, key } });
    return { session, wire, status: async () => (await gateway.request({ version: 2, session, host: 'held.test', path: '/api/x' })).status,
      says: async () => {
        const from = wire.text.length;
        wire.write('echo');
        await wire.wait(() => wire.text.length >= from + 4, 'an echo');
      } };
  };

  test('outlives a new list and new rules by which it is still right', async () => {
    await setRules();
    const held = await open();
    assert.equal(await held.status(), 200);
    const fresh = root.list() + inner.list();
    assert.notEqual(fresh, list);
    await setRules({}, fresh);
    assert.equal(await held.status(), 200);
    await setRules({ map: [{ by: 'fingerprint', value: client.fingerprint, user: 'jiro@acme.test' }] }, fresh);
    assert.equal(await held.status(), 200);
    await held.says();
    held.session.close();
    held.wire.destroy();
  });

  test('is closed to whom the map no longer means', async () => {
    for (const map of [[], [{ by: 'email', value: 'jiro@acme.test', user: 'hanako' }]]) {
      await setRules();
      const held = await open();
      assert.equal(await held.status(), 200);
      await setRules({ map });
      assert.ok(await endedAfter(held.wire) < 2000);
      assert.equal(await held.status(), 421);
      held.session.close();
    }
  });

  test('ends with its certificate, without a reload', async () => {
    await setRules();
    const held = await open(inner.client('brief', { san: 'email:jiro@acme.test', to: 3 / 86400 }));
    assert.equal(await held.status(), 200);
    await held.says();
    await endedAfter(held.wire);
    assert.equal(await held.status(), 421);
    await gateway.recorded({ op: 'stream', stage: 'end', detail: 'certificate-changed', host: 'held.test' });
    held.session.close();
  });

  test('is verified again when a list ends, and by the one that came since', async () => {
    const soon = root.list() + inner.list(4 / 86400);
    await setRules({}, soon);
    const held = await open();
    assert.equal(await held.status(), 200);
    await endedAfter(held.wire);
    assert.equal(await held.status(), 421);
    await setRules({}, root.list() + inner.list());
    assert.equal(await held.status(), 200);
    held.session.close();
  });
});

test('mistakes in the rules are refused with the place and what to do', async () => {
  const cases = [[{ ca_file: '/nowhere' }, /cannot be read/], [{ ca_file: clients.device.file }, /no authority/], [{ ca_file: path.join(folder, 'acme.crl') }, /no certificate/],
    [{ ca_file: path.join(folder, 'acme.pem'), crl_files: [path.join(folder, 'acme.pem')] }, /no revocation list/],
    [{ ca_file: path.join(folder, 'acme.pem'), map: [{ by: 'email', value: 'x@y' }] }, /or neither/],
    [{ ca_file: path.join(folder, 'acme.pem'), map: [{ by: 'email', value: 'x@y', user: 'nobody' }] }, /no user is named/],
    [{ ca_file: path.join(folder, 'acme.pem'), map: [{ by: 'fingerprint', value: 'AB', user: 'hanako' }] }, /SHA-256/]];
  for (const [client_certificates, expected] of cases) {
    gateway.tenant(tenantFile('wrong', { client_certificates }));
    const event = await gateway.reload();
    assert.equal(event.id, 'SK1101', JSON.stringify(client_certificates));
    assert.match(JSON.stringify(event), expected);
    fs.rmSync(path.join(gateway.folder, 'tenants/wrong.yaml'));
  }
});
