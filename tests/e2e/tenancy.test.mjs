// Nothing crosses tenants, a new tenant admits nobody, and each has its own limits, apps and addresses.
import assert from 'node:assert/strict';
import { constants } from 'node:crypto';
import net from 'node:net';
import tls from 'node:tls';
import { after, before, describe, it } from 'node:test';

import { deadline, hashPassword, openTenant, PASSWORD, SERVICE, startGateway, until, Wire } from './lib/gateway.mjs';
import { startUpstream } from './lib/upstream.mjs';

let gateway, upstreams;

const named = (name) => (request, response, seen) => response.writeHead(200, { 'x-served-by': name }).end(JSON.stringify({ by: name, url: seen.url, headers: seen.headers }));

before(async () => {
  upstreams = {};
  for (const name of ['acme', 'a', 'ab', 'deep', 'second', 'globex', 'panel']) {
    upstreams[name] = await startUpstream(named(name));
  }
  const url = (name) => upstreams[name].url;
  const app = (name, path, more = {}) => ({ name, kind: 'api', path, upstreams: [url(name)], ...more });
  const panel = { name: 'panel', kind: 'panel', path: '/panel', upstreams: [url('panel')] };
  gateway = await startGateway({ tenants: [
    openTenant('acme', url('acme'), {
      hosts: ['acme.test', 'second.acme.test'],
      apps: [app('acme', '/'), app('a', '/a', { hosts: ['acme.test'] }), app('ab', '/a/b'), app('deep', '/only/here', { hosts: ['second.acme.test'] }), app('second', '/a', { hosts: ['second.acme.test'] }), panel],
      roles: [{ name: 'all', allow: ['acme', 'a', 'ab', 'deep', 'second', 'panel'].map((name) => `${name} * /**`) }],
      users: [{ name: 'hanako', roles: ['all'] }, { name: 'both', roles: ['all'], password: 'the password at acme is this' }],
    }),
    openTenant('globex', url('globex'), {
      apps: [app('globex', '/'), panel],
      roles: [{ name: 'all', allow: ['globex * /**', 'panel * /**'] }],
      users: [{ name: 'taro', roles: ['all'] }, { name: 'both', roles: ['all'], password: 'the password at globex is that' }],
    }),
    { ...openTenant('fresh', url('globex')), open: undefined },
    { ...openTenant('shut', url('globex')), open: false },
    { ...openTenant('nowhere', url('globex')), from: undefined },
    { ...openTenant('elsewhere', url('globex')), networks: [{ name: 'here', cidrs: ['192.0.2.0/24', '2001:db8::/32', '::/0'] }] },
    { ...openTenant('rateful', url('globex')), limits: { requests_per_second: 5 } },
    { ...openTenant('narrow', url('globex')), limits: { connections: 3 } },
    { ...openTenant('small', url('globex')), limits: { body: '1k' } },
  ] });
});

after(async () => {
  await gateway?.stop();
  for (const upstream of Object.values(upstreams)) {
    await upstream.close();
  }
});

const total = () => Object.values(upstreams).reduce((sum, one) => sum + one.requests.length, 0);

async function login(to, host, user, password = PASSWORD) {
  const page = await to.request({ host, path: '/.sekisho/login' });
  const form = page.headers['set-cookie'][0].split(';')[0];
  const token = /name="form" value="([^"]+)"/.exec(page.text)[1];
  const answer = await to.request({ host, method: 'POST', path: '/.sekisho/login', body: new URLSearchParams({ form: token, return: '/panel', user, password }).toString(),
    headers: { cookie: form, origin: `https://${host}`, 'content-type': 'application/x-www-form-urlencoded' } });
  const line = answer.headers['set-cookie']?.find((one) => one.startsWith('__Host-sekisho='));
  return { status: answer.status, cookie: line?.split(';')[0] };
}

describe('a connection belongs to the tenant of its server name', () => {
  it('serves all hosts of that tenant and no others, in both versions', async () => {
    for (const version of [1, 2]) {
      for (const [servername, host, status] of [['acme.test', 'acme.test', 200], ['acme.test', 'second.acme.test', 200], ['second.acme.test', 'acme.test', 200],
        ['acme.test', 'globex.test', 421], ['globex.test', 'acme.test', 421], ['globex.test', 'second.acme.test', 421], ['acme.test', 'fresh.test', 421]]) {
        const before = total();
        const answer = await gateway.request({ version, servername, host, user: host === 'globex.test' ? 'taro' : 'hanako' });
        assert.equal(answer.status, status, `${host} on ${servername} over HTTP/${version}`);
        assert.equal(total() - before, status === 200 ? 1 : 0);
      }
    }
  });

  it('goes on after a 421, and coalescing harms nothing (one HTTP/2 session, many authorities)', async () => {
    const session = await gateway.h2('acme.test');
    for (const [host, status] of [['acme.test', 200], ['globex.test', 421], ['second.acme.test', 200], ['globex.test', 421], ['acme.test', 200]]) {
      assert.equal((await gateway.request({ version: 2, session, host, user: 'hanako' })).status, status, host);
    }
    session.close();
    const wire = await gateway.rawTls('acme.test');
    for (const [host, status] of [['globex.test', 421], ['acme.test', 200]]) {
      wire.write(`GET / HTTP/1.1\r\nHost: ${host}\r\nAuthorization: ${gateway.basic('hanako')}\r\n\r\n`);
      assert.equal((await wire.response()).status, status);
    }
    wire.destroy();
  });

  it('shows that tenant\'s certificate and no other\'s', async () => {
    for (const [host, other] of [['acme.test', 'globex.test'], ['second.acme.test', 'globex.test'], ['globex.test', 'acme.test']]) {
      const socket = await gateway.tls(host);
      const { subjectaltname } = socket.getPeerCertificate();
      assert.ok(subjectaltname.includes(`DNS:${host}`));
      assert.ok(!subjectaltname.includes(`DNS:${other}`));
      socket.destroy();
    }
  });

  it('shows the one of the tenant\'s certificates that covers the name, whatever its key', async (t) => {
    const own = await startGateway({ tenants: [openTenant('acme', upstreams.acme.url)] });
    t.after(() => own.stop());
    const hosts = ['acme.test', 'rsa.test', 'ec.test', 'wild.one.test', 'plain.test'];
    const issued = [['acme', ['acme.test', 'plain.test']], ['rsa', ['rsa.test'], 'rsa'], ['ec', ['ec.test']], ['wild', ['*.one.test']]]
      .map(([name, names, kind]) => own.authority.issue(name, names, kind));
    assert.equal((await own.reload((one) => one.tenant(openTenant('acme', upstreams.acme.url, { hosts,
      certificates: issued.map(({ cert, key }) => ({ cert_file: cert, key_file: key })) })))).id, 'SK1102');
    for (const version of ['TLSv1.2', 'TLSv1.3']) {
      for (const [host, name, kind] of [['acme.test', 'acme', 'EC'], ['rsa.test', 'rsa', 'RSA'], ['ec.test', 'ec', 'EC'], ['wild.one.test', 'wild', 'EC'], ['plain.test', 'acme', 'EC']]) {
        const socket = await own.tls(host, { minVersion: version, maxVersion: version });
        const certificate = socket.getPeerCertificate();
        assert.equal(certificate.subject.CN, name, host);
        assert.equal(certificate.asn1Curve ? 'EC' : 'RSA', kind, host);
        if (version === 'TLSv1.2') {
          assert.match(socket.getCipher().name, kind === 'RSA' ? /^ECDHE-RSA-(AES256-GCM|CHACHA20)/ : /^ECDHE-ECDSA-/);
        }
        socket.destroy();
      }
    }
  });

  it('has as many certificates as its file lists', async (t) => {
    const own = await startGateway({ tenants: [openTenant('acme', upstreams.acme.url)] });
    t.after(() => own.stop());
    const hosts = Array.from({ length: 12 }, (_, i) => `h${i}.test`);
    const certificates = hosts.map((host) => own.authority.issue(host, [host])).map(({ cert, key }) => ({ cert_file: cert, key_file: key }));
    assert.equal((await own.reload((one) => one.tenant(openTenant('acme', upstreams.acme.url, { hosts, certificates })))).id, 'SK1102');
    for (const host of hosts) {
      const socket = await own.tls(host);
      assert.equal(socket.getPeerCertificate().subject.CN, host);
      socket.destroy();
    }
  });

  it('is picked among thousands of hosts, each with its own certificate and app', { timeout: 120000 }, async (t) => {
    const many = Array.from({ length: 40 }, (_, n) => openTenant(`many${n}`, upstreams.globex.url, {
      hosts: Array.from({ length: 64 }, (_x, i) => `h${i}.many${n}.test`), users: [{ name: `user${n}`, roles: ['all'] }] }));
    const own = await startGateway({ tenants: many });
    t.after(() => own.stop());
    for (let n = 0; n < many.length; n += 3) {
      for (const i of [0, 63]) {
        const host = `h${i}.many${n}.test`;
        const socket = await own.tls(host);
        assert.ok(socket.getPeerCertificate().subjectaltname.split(', ').includes(`DNS:${host}`));
        socket.destroy();
        assert.equal((await own.request({ host, user: `user${n}` })).status, 200, host);
        assert.equal((await own.request({ host, user: `user${(n + 1) % many.length}` })).status, 401, `${host} with a user of another`);
      }
      const other = `h0.many${(n + 1) % many.length}.test`;
      assert.equal((await own.request({ servername: `h1.many${n}.test`, host: other, user: `user${n}` })).status, 421);
    }
    await assert.rejects(own.tls('h64.many0.test'));
  });

  it('is not recorded on the trail of another', async () => {
    const answer = await gateway.request({ servername: 'acme.test', host: 'globex.test', user: 'hanako' });
    const [record] = await gateway.recorded({ request: answer.json().id });
    const [own] = await gateway.recorded((r) => r.host === 'acme.test' && r.status === 200);
    assert.equal(record.tenant_id, own.tenant_id);
  });
});

describe('TLS', () => {
  // A connection with a session to resume: {reused, session}.
  const connect = (host, version, session, options = {}) => deadline(new Promise((resolve, reject) => {
    const socket = tls.connect({ host: '127.0.0.1', port: gateway.port, servername: host, ca: gateway.authority.pem, minVersion: version, maxVersion: version, session, ALPNProtocols: ['http/1.1'], ...options });
    let ticket, reused;
    socket.on('session', (one) => { ticket = one; });
    socket.on('error', reject);
    socket.on('secureConnect', () => {
      reused = socket.isSessionReused();
      // TLS 1.3 sends its ticket along with the first answer.
      socket.write(`GET /.sekisho/login HTTP/1.1\r\nHost: ${host}\r\nConnection: close\r\n\r\n`);
    });
    socket.resume().on('close', () => resolve({ reused, session: ticket ?? socket.getSession() }));
  }), `a connection to ${host}`);

  for (const version of ['TLSv1.2', 'TLSv1.3']) {
    it(`${version} resumes at the tenant that gave the ticket, and at no other`, async () => {
      const at = {};
      for (const host of ['acme.test', 'globex.test']) {
        at[host] = await connect(host, version);
        assert.equal(at[host].reused, false);
        assert.ok(at[host].session, 'no ticket');
      }
      for (const [from, to, reused] of [['acme.test', 'globex.test', false], ['globex.test', 'acme.test', false], ['acme.test', 'fresh.test', false]]) {
        assert.equal((await connect(to, version, at[from].session)).reused, reused, `a ticket of ${from} at ${to}`);
      }
      for (const host of ['acme.test', 'globex.test']) {
        const again = await connect(host, version, (await connect(host, version)).session);
        assert.equal(again.reused, true, `${host} does not resume`);
      }
    });
  }

  it('TLSv1.2 without tickets crosses no tenants either', async () => {
    const options = { secureOptions: constants.SSL_OP_NO_TICKET };
    const { session } = await connect('acme.test', 'TLSv1.2', undefined, options);
    for (let i = 0; i < 8; i++) { // on either worker
      assert.equal((await connect('globex.test', 'TLSv1.2', session, options)).reused, false);
    }
  });

  it('says in the record that a connection was resumed', async () => {
    const { session } = await connect('acme.test', 'TLSv1.3');
    await connect('acme.test', 'TLSv1.3', session);
    await gateway.recorded((r) => /^TLSv1\.3 TLS_\S+ resumed$/.test(r.tls ?? ''));
  });

  const attempt = (options) => deadline(new Promise((resolve) => {
    const socket = tls.connect({ host: '127.0.0.1', port: gateway.port, servername: 'acme.test', ca: gateway.authority.pem, ...options });
    socket.on('secureConnect', () => {
      const { name } = socket.getCipher();
      resolve(`${socket.getProtocol()} ${name}`);
      socket.destroy();
    });
    socket.on('error', (error) => resolve(error.code ?? error.message));
  }), 'a handshake');

  it('is 1.2 or 1.3 with AES-256-GCM or ChaCha20 and nothing else', async () => {
    const weak = '@SECLEVEL=0';
    for (const version of ['TLSv1', 'TLSv1.1']) {
      assert.match(await attempt({ minVersion: version, maxVersion: version, ciphers: `ALL:${weak}` }), /ALERT|UNSUPPORTED|VERSION/, version);
    }
    for (const suite of ['ECDHE-ECDSA-AES128-GCM-SHA256', 'ECDHE-ECDSA-AES256-SHA384', 'ECDHE-ECDSA-AES128-SHA', 'ECDHE-ECDSA-AES256-SHA', 'ECDHE-ECDSA-AES256-CCM', 'DHE-RSA-AES256-GCM-SHA384', 'AES256-GCM-SHA384']) {
      assert.match(await attempt({ minVersion: 'TLSv1.2', maxVersion: 'TLSv1.2', ciphers: `${suite}:${weak}` }), /ALERT/, suite);
    }
    assert.match(await attempt({ minVersion: 'TLSv1.3', maxVersion: 'TLSv1.3', ciphers: 'TLS_AES_128_GCM_SHA256' }), /ALERT/);
    for (const [version, suite] of [['TLSv1.2', 'ECDHE-ECDSA-AES256-GCM-SHA384'], ['TLSv1.2', 'ECDHE-ECDSA-CHACHA20-POLY1305'], ['TLSv1.3', 'TLS_AES_256_GCM_SHA384'], ['TLSv1.3', 'TLS_CHACHA20_POLY1305_SHA256']]) {
      assert.match(await attempt({ minVersion: version, maxVersion: version, ciphers: suite }), new RegExp(`^${version.replace('.', '\\.')} ${suite}$`));
    }
  });

  it('speaks HTTP/2 with who can, whatever is named first, and HTTP/1.1 with who cannot', async () => {
    for (const [offered, spoken] of [[['h2', 'http/1.1'], 'h2'], [['http/1.1', 'h2'], 'h2'], [['spdy/3', 'h2'], 'h2'], [['http/1.1'], 'http/1.1']]) {
      const socket = await gateway.tls('acme.test', { ALPNProtocols: offered });
      assert.equal(socket.alpnProtocol, spoken, offered.join());
      socket.destroy();
    }
  });

  it('speaks no protocol it was not asked for', async () => {
    assert.match(await attempt({ ALPNProtocols: ['spdy/3', 'h3'] }), /ALERT|PROTOCOL/);
    const socket = await gateway.tls('acme.test');
    assert.equal(socket.alpnProtocol, false);
    const wire = new Wire(socket);
    wire.write('GET / HTTP/1.1\r\nHost: acme.test\r\n\r\n');
    assert.equal((await wire.response()).status, 401, 'without ALPN it is HTTP/1');
    wire.destroy();
  });
});

describe('a tenant admits nobody', () => {
  for (const [tenant, reason, why] of [['fresh', 'tenant-closed', 'until it is opened'], ['shut', 'tenant-closed', 'while it is closed'],
    ['nowhere', 'network-not-allowed', 'without a from'], ['elsewhere', 'network-not-allowed', 'from an address in none of its networks']]) {
    it(why, async () => {
      const before = total();
      for (const version of [1, 2]) {
        for (const [path, user] of [['/', 'hanako'], ['/', undefined], ['/.sekisho/login', undefined], ['/.sekisho/api/v1/sessions', 'hanako'], ['/.well-known/sekisho/jwks.json', undefined]]) {
          const answer = await gateway.request({ version, host: `${tenant}.test`, path, user });
          assert.equal(answer.status, 403, path);
          assert.equal(path === '/.sekisho/login' ? />([a-z-]+)<\/code>/.exec(answer.text)?.[1] : answer.json().reason, reason, path); // a person reads it there
        }
      }
      assert.equal(total(), before);
      assert.ok((await gateway.recorded((r) => r.host === `${tenant}.test` && r.reason === reason && r.decision === 'deny')).length >= 10);
    });
  }

  it('and admits when it is opened, and nobody again when it is closed, at once', async () => {
    const tenant = openTenant('later', upstreams.globex.url, { open: false });
    assert.equal((await gateway.reload((one) => one.tenant(tenant))).id, 'SK1102');
    assert.equal((await gateway.request({ host: 'later.test', user: 'hanako' })).status, 403);
    await gateway.reload((one) => one.tenant({ ...tenant, open: true }));
    assert.equal((await gateway.request({ host: 'later.test', user: 'hanako' })).status, 200);
    await gateway.reload((one) => one.tenant({ ...tenant, open: false }));
    assert.equal((await gateway.request({ host: 'later.test', user: 'hanako' })).status, 403);
  });
});

describe('credentials of one tenant', () => {
  it('are worth nothing at another: cookies', async () => {
    const acme = await login(gateway, 'acme.test', 'hanako');
    assert.equal(acme.status, 303);
    assert.equal((await gateway.request({ host: 'acme.test', path: '/panel', headers: { cookie: acme.cookie } })).status, 200);
    const before = upstreams.panel.requests.length;
    for (const version of [1, 2]) {
      const answer = await gateway.request({ version, host: 'globex.test', path: '/panel', headers: { cookie: acme.cookie } });
      assert.equal(answer.status, 303);
      assert.match(answer.headers.location, /^\/\.sekisho\/login/);
    }
    assert.equal(upstreams.panel.requests.length, before);
    assert.equal((await gateway.request({ host: 'acme.test', path: '/panel', headers: { cookie: acme.cookie } })).status, 200, 'still good at its own');
  });

  it('are worth nothing at another: Basic', async () => {
    const before = upstreams.globex.requests.length;
    for (let i = 0; i < 2; i++) { // the second time one of them is remembered
      assert.equal((await gateway.request({ host: 'acme.test', user: 'hanako' })).status, 200);
      assert.equal((await gateway.request({ host: 'globex.test', user: 'hanako' })).status, 401, 'a user who is not there, with a password that others have');
      assert.equal((await gateway.request({ host: 'acme.test', user: 'both', password: 'the password at acme is this' })).status, 200);
      assert.equal((await gateway.request({ host: 'globex.test', user: 'both', password: 'the password at acme is this' })).status, 401, 'the same name with the other\'s password');
    }
    assert.equal(upstreams.globex.requests.length, before);
    assert.equal((await gateway.request({ host: 'globex.test', user: 'both', password: 'the password at globex is that' })).status, 200);
  });

  it('are worth nothing at another: a login page', async () => {
    assert.equal((await login(gateway, 'globex.test', 'hanako')).status, 403);
    assert.equal((await login(gateway, 'globex.test', 'taro')).status, 303);
  });
});

describe('apps', () => {
  it('are chosen by the longest prefix of whole segments, and by host', async () => {
    for (const [host, path, by] of [['acme.test', '/', 'acme'], ['acme.test', '/x', 'acme'], ['acme.test', '/a', 'a'], ['acme.test', '/a/', 'a'], ['acme.test', '/a/c', 'a'], ['acme.test', '/a/b', 'ab'],
      ['acme.test', '/a/b/c', 'ab'], ['acme.test', '/a/bc', 'a'], ['acme.test', '/ab', 'acme'], ['acme.test', '/only/here', 'acme'], ['acme.test', '/%61/%62/c', 'ab'],
      ['second.acme.test', '/only/here', 'deep'], ['second.acme.test', '/only/here/too', 'deep'], ['second.acme.test', '/only', 'acme'], ['second.acme.test', '/a/b', 'ab'], ['second.acme.test', '/', 'acme']]) {
      for (const version of [1, 2]) {
        const answer = await gateway.request({ version, host, path, user: 'hanako' });
        assert.equal(answer.status, 200, `${host}${path}`);
        assert.equal(answer.json().by, by, `${host}${path}`);
      }
    }
  });

  it('belong to a tenant of a service: tenants of one name under two services are two', async (t) => {
    const own = await startGateway({ tenants: [openTenant('acme', upstreams.acme.url)],
      settings: { services: [{ name: SERVICE }, { name: 'other', limits: { body: '1k' } }] } });
    t.after(() => own.stop());
    const ask = (host, options = {}) => own.request({ host, path: '/', user: 'hanako', ...options });
    assert.equal((await ask('acme.test')).status, 200);
    const { cert, key } = own.authority.issue('other', ['other.test']);
    const other = openTenant('acme', upstreams.globex.url, { service: 'other', hosts: ['other.test'], certificates: [{ cert_file: cert, key_file: key }],
      users: [{ name: 'jiro', roles: ['all'], password_hash: hashPassword(PASSWORD) }] });
    assert.equal((await own.reload((one) => one.file('tenants/acme-of-other.yaml', other))).id, 'SK1102');
    assert.equal((await ask('other.test')).status, 401, 'a user of the other service\'s tenant');
    const answer = await ask('other.test', { user: 'jiro' });
    assert.equal(answer.json().by, 'globex');
    assert.equal((await ask('acme.test', { user: 'jiro' })).status, 401);
    assert.equal((await ask('other.test', { user: 'jiro', method: 'POST', body: Buffer.alloc(2000) })).status, 413, 'its service\'s limit');
    assert.equal((await ask('acme.test', { method: 'POST', body: Buffer.alloc(2000) })).status, 200);
    const trails = (host) => new Set(own.records().filter((r) => r.host === host && r.op === 'request').map((r) => r.tenant_id));
    assert.deepEqual([trails('acme.test').size, trails('other.test').size], [1, 1]);
    assert.notDeepEqual(trails('acme.test'), trails('other.test'));
  });

  it('may differ at one path on two hosts', async () => {
    assert.equal((await gateway.request({ host: 'second.acme.test', path: '/a/x', user: 'hanako' })).json().by, 'second');
    assert.equal((await gateway.request({ host: 'acme.test', path: '/a/x', user: 'hanako' })).json().by, 'a');
  });
});

describe('limits of one tenant', () => {
  it('of the rate answer 429 with Retry-After and touch nobody else', async () => {
    const session = await gateway.h2('rateful.test');
    const ask = () => gateway.request({ version: 2, session, host: 'rateful.test', user: 'hanako' });
    assert.equal((await ask()).status, 200);
    const answers = await Promise.all(Array.from({ length: 40 }, ask));
    const good = answers.filter((one) => one.status === 200).length, late = answers.filter((one) => one.status === 429);
    assert.equal(good + late.length, 40);
    assert.ok(good >= 3 && good <= 12, `${good} of 40 passed at 5 a second`);
    assert.equal(late[0].json().reason, 'too-many-requests');
    assert.match(late[0].headers['retry-after'], /^\d+$/);
    assert.equal((await gateway.request({ host: 'acme.test', user: 'hanako' })).status, 200);
    await gateway.recorded((r) => r.host === 'rateful.test' && r.status === 429 && r.reason === 'too-many-requests');
    await until(async () => (await ask()).status === 200, 'the end of the 429s', 5000, 250);
    session.close();
  });

  it('of the rate hold over all workers together', async (t) => {
    const own = await startGateway({ tenants: [{ ...openTenant('acme', upstreams.acme.url), limits: { requests_per_second: 10 } }], settings: { workers: 4 } });
    t.after(() => own.stop());
    const start = performance.now();
    const answers = await Promise.all(Array.from({ length: 80 }, () => own.request({ user: 'hanako' })));
    const seconds = (performance.now() - start) / 1000;
    const good = answers.filter(({ status }) => status === 200).length;
    assert.ok(answers.every(({ status }) => status === 200 || status === 429));
    assert.ok(good <= 12 + 10 * seconds, `${good} of 80 passed in ${seconds} s at 10 a second`);
  });

  it('of connections refuse one more, over all workers, and give it back', async () => {
    const open = [];
    for (let i = 0; i < 3; i++) {
      open.push(await gateway.rawTls('narrow.test'));
      open[i].write('GET /.sekisho/login HTTP/1.1\r\nHost: narrow.test\r\n\r\n');
      assert.equal((await open[i].response()).status, 200);
    }
    const more = await gateway.rawTls('narrow.test');
    await more.closed();
    assert.equal(more.text, '');
    await gateway.recorded((r) => r.op === 'connection-refused' && r.reason === 'too-many-connections');
    assert.equal((await gateway.request({ host: 'acme.test', user: 'hanako' })).status, 200, 'another tenant');
    open.pop().destroy();
    await until(() => gateway.request({ host: 'narrow.test', user: 'hanako' }).then(({ status }) => status === 200, () => false), 'a free place');
    for (const wire of open) {
      wire.destroy();
    }
  });

  it('of connections are not used up by workers that died', { timeout: 30000 }, async () => {
    for (let round = 0; round < 2; round++) {
      const open = [];
      for (let i = 0; i < 3; i++) {
        await until(() => gateway.rawTls('narrow.test').then(async (wire) => {
          wire.write('GET /.sekisho/login HTTP/1.1\r\nHost: narrow.test\r\n\r\n');
          return wire.response({ ms: 2000 }).then(() => open.push(wire), () => false);
        }, () => false), `connection ${i} of round ${round}`, 8000, 100);
      }
      const from = gateway.log.length;
      const killed = gateway.kill('worker');
      await Promise.all(open.map((wire) => wire.closed()));
      await until(() => gateway.pids('worker').length === killed.length && gateway.pids('worker').every((pid) => !killed.includes(pid)), 'new workers');
      await gateway.logged(({ id }) => id === 'SK1006', { from });
    }
    assert.equal((await gateway.request({ host: 'narrow.test', user: 'hanako' })).status, 200);
  });

  it('of the body are its own', async () => {
    const body = Buffer.alloc(2000);
    assert.equal((await gateway.request({ host: 'small.test', user: 'hanako', method: 'POST', body })).status, 413);
    assert.equal((await gateway.request({ host: 'small.test', user: 'hanako', method: 'POST', body: body.subarray(0, 1024) })).status, 200);
    assert.equal((await gateway.request({ host: 'acme.test', user: 'hanako', method: 'POST', body })).status, 200);
  });

  it('come from its service where it has none, and change with a reload of either', async (t) => {
    const own = await startGateway({ tenants: [openTenant('acme', upstreams.acme.url)], settings: { services: [{ name: SERVICE, limits: { body: '1k' } }] } });
    t.after(() => own.stop());
    const ask = (size) => own.request({ user: 'hanako', method: 'POST', body: Buffer.alloc(size) }).then(({ status }) => status);
    assert.equal(await ask(1500), 413);
    await own.reload((one) => one.tenant(openTenant('acme', upstreams.acme.url, { limits: { body: '2k' } })));
    assert.equal(await ask(1500), 200);
    assert.equal(await ask(2500), 413);
    await own.reload((one) => one.tenant(openTenant('acme', upstreams.acme.url)));
    assert.equal(await ask(1500), 413);
    await own.reload((one) => one.file('sekisho.yaml', { ...one.settings, services: [{ name: SERVICE, limits: { body: '3k' } }] }));
    assert.equal(await ask(2500), 200, 'the service\'s new limit');
    assert.equal(await ask(3500), 413);
  });
});

describe('PROXY protocol v2', () => {
  let own;
  const signature = Buffer.from([0x0d, 0x0a, 0x0d, 0x0a, 0x00, 0x0d, 0x0a, 0x51, 0x55, 0x49, 0x54, 0x0a]);

  before(async () => {
    own = await startGateway({
      settings: { balancers: ['127.0.0.1/32'], timeouts: { handshake: '2s' } },
      tenants: [{ ...openTenant('acme', upstreams.acme.url), networks: [{ name: 'here', cidrs: ['192.0.2.0/24', '2001:db8::/32', '127.0.0.2/32'] }] }],
    });
  });

  after(() => own?.stop());

  function header(source, port = 4711, { command = 1, version = 2, tlv = Buffer.alloc(0), family } = {}) {
    const v6 = source.includes(':');
    const bytes = (text) => (v6 ? Buffer.from(expand(text), 'hex') : Buffer.from(text.split('.').map(Number)));
    const ports = Buffer.alloc(4);
    ports.writeUInt16BE(port, 0);
    ports.writeUInt16BE(443, 2);
    const payload = Buffer.concat([bytes(source), bytes(v6 ? '2001:db8::1' : '192.0.2.1'), ports, tlv]);
    const length = Buffer.alloc(2);
    length.writeUInt16BE(payload.length);
    return Buffer.concat([signature, Buffer.from([version << 4 | command, family ?? (v6 ? 0x21 : 0x11)]), length, payload]);
  }

  function expand(text) {
    const [left, right = ''] = text.split('::');
    const groups = (part) => part.split(':').filter(Boolean).flatMap((one) => (one.includes('.')
      ? [one.split('.').slice(0, 2), one.split('.').slice(2)].map(([a, b]) => (Number(a) * 256 + Number(b)).toString(16)) : [one])).map((one) => one.padStart(4, '0'));
    const [a, b] = [groups(left), groups(right)];
    return [...a, ...Array(8 - a.length - b.length).fill('0000'), ...b].join('');
  }

  // Connects, sends the prefix (in pieces when it is a list), then asks over TLS: the answer, or why there was none.
  async function ask(prefix, { localAddress = '127.0.0.1', to = own, path = '/' } = {}) {
    const socket = net.connect({ port: to.port, host: '127.0.0.1', localAddress });
    await new Promise((resolve, reject) => { socket.once('connect', resolve).once('error', reject); });
    socket.setNoDelay(true);
    if (Array.isArray(prefix)) {
      for (const piece of prefix) {
        socket.write(piece);
        await new Promise((resolve) => setTimeout(resolve, 5));
      }
    } else {
      socket.write(prefix); // at once with the handshake: Node sees an end only once TLS reads
    }
    const { localPort } = socket;
    return deadline(new Promise((resolve) => {
      socket.on('error', (error) => resolve({ failed: error.code, localPort }));
      socket.on('close', () => resolve({ failed: 'closed', localPort }));
      const inside = tls.connect({ socket, servername: 'acme.test', ca: to.authority.pem, ALPNProtocols: ['http/1.1'] });
      inside.on('error', (error) => resolve({ failed: error.code ?? error.message, localPort }));
      inside.on('secureConnect', () => {
        const wire = new Wire(inside);
        wire.write(`GET ${path} HTTP/1.1\r\nHost: acme.test\r\nAuthorization: ${to.basic('hanako')}\r\nConnection: close\r\n\r\n`);
        wire.response().then((answer) => resolve({ ...answer, json: JSON.parse(answer.body), localPort }), (error) => resolve({ failed: error.message, localPort }));
      });
    }), 'an answer').finally(() => socket.destroy());
  }

  it('of a listed balancer announces the address that is judged, recorded and passed on', async () => {
    for (const [source, told] of [['192.0.2.7', '192.0.2.7'], ['2001:db8::7', '2001:db8::7'], ['::ffff:192.0.2.9', '192.0.2.9']]) {
      const answer = await ask(header(source, 4711), { path: `/${told}` });
      assert.equal(answer.status, 200, `${source}: ${answer.failed}`);
      assert.equal(answer.json.headers['x-forwarded-for'], told);
      assert.equal(answer.json.headers.forwarded, `for=${told.includes(':') ? `"[${told}]"` : told};proto=https;host="acme.test"`);
      const [record] = await own.recorded((r) => r.path === `/${told}`);
      assert.equal(record.address, told);
      assert.equal(record.port, 4711);
    }
    const logins = await own.recorded((r) => r.op === 'login');
    assert.equal(logins[0].address, '192.0.2.7');
  });

  it('of a listed balancer is judged by the networks', async () => {
    const before = total();
    for (const source of ['198.51.100.1', '2001:db9::1', '::ffff:198.51.100.2', '127.0.0.1']) {
      const answer = await ask(header(source), { path: '/from-outside' });
      assert.equal(answer.status, 403, source);
      assert.equal(answer.json.reason, 'network-not-allowed');
    }
    assert.equal(total(), before);
    const records = await own.recorded((r) => r.path === '/from-outside' && r.reason === 'network-not-allowed');
    assert.deepEqual([...new Set(records.map((r) => r.address))].sort(), ['127.0.0.1', '198.51.100.1', '198.51.100.2', '2001:db9::1']);
  });

  it('may come byte by byte, with additions, and with the handshake in one piece', async () => {
    assert.equal((await ask([...header('192.0.2.8')].map((byte) => Buffer.from([byte])))).status, 200);
    assert.equal((await ask(header('192.0.2.8', 1, { tlv: Buffer.from([0x04, 0, 3, 1, 2, 3, 0x20, 0, 5, 1, 0, 0, 0, 0]) }))).status, 200);
  });

  it('of a listed balancer must be there and must be right', async () => {
    const before = total();
    for (const [what, prefix] of [['no header', Buffer.alloc(0)], ['version 1', 'PROXY TCP4 192.0.2.7 192.0.2.1 4711 443\r\n'], ['a wrong version', header('192.0.2.7', 1, { version: 3 })],
      ['an unknown command', header('192.0.2.7', 1, { command: 2 })], ['a unix socket', header('192.0.2.7', 1, { family: 0x31 })], ['no family', header('192.0.2.7', 1, { family: 0x00 })],
      ['a datagram', header('192.0.2.7', 1, { family: 0x12 })], ['a datagram of IPv6', header('2001:db8::7', 1, { family: 0x22 })],
      ['no transport', header('192.0.2.7', 1, { family: 0x10 })], ['no transport of IPv6', header('2001:db8::7', 1, { family: 0x20 })],
      ['an unknown transport', header('192.0.2.7', 1, { family: 0x13 })], ['a transport without a family', header('192.0.2.7', 1, { family: 0x01 })],
      ['a family too large for its bytes', header('192.0.2.7', 1, { family: 0x21 })], ['an endless addition', header('192.0.2.7', 1, { tlv: Buffer.alloc(4000) })],
      ['a wrong signature', Buffer.concat([Buffer.from('\r\n\r\n\0\r\nQUIX\n', 'latin1'), header('192.0.2.7').subarray(12)])], ['two headers', Buffer.concat([header('192.0.2.7'), header('192.0.2.8')])]]) {
      const answer = await ask(prefix);
      assert.ok(answer.failed, `${what}: answered ${answer.status}`);
      if (what !== 'two headers') {
        await own.recorded((r) => r.op === 'connection-refused' && r.reason === 'bad-proxy-header' && r.port === answer.localPort, what);
      }
    }
    assert.equal(total(), before);
  });

  it('that stops in the middle is cut off', async () => {
    const wire = new Wire(net.connect(own.port, '127.0.0.1'));
    await new Promise((resolve) => wire.socket.once('connect', resolve));
    wire.write(header('192.0.2.7').subarray(0, 20));
    const { localPort } = wire.socket;
    await wire.closed(5000);
    await own.recorded((r) => r.op === 'connection-refused' && r.reason === 'handshake-timeout' && r.port === localPort);
  });

  it('of the balancer itself (LOCAL) counts as the balancer\'s own address', async () => {
    for (const family of [0x11, 0x12, 0x00, 0xff]) {
      const answer = await ask(header('192.0.2.7', 1, { command: 0, family }));
      assert.equal(answer.status, 403, answer.failed);
      assert.equal(answer.json.reason, 'network-not-allowed');
    }
    const bare = await ask(Buffer.concat([signature, Buffer.from([0x20, 0x00, 0, 0])]));
    assert.equal(bare.status, 403, bare.failed);
  });

  it('of anybody else is refused, and without it they come as themselves', async () => {
    const before = total();
    const forged = await ask(header('192.0.2.7'), { localAddress: '127.0.0.2' });
    assert.ok(forged.failed, `answered ${forged.status}`);
    await own.recorded((r) => r.op === 'connection-refused' && r.port === forged.localPort && r.address === '127.0.0.2');
    assert.equal(total(), before);
    const answer = await ask(Buffer.alloc(0), { localAddress: '127.0.0.2' });
    assert.equal(answer.status, 200, answer.failed);
    assert.equal(answer.json.headers['x-forwarded-for'], '127.0.0.2');
    const main = await ask(header('127.0.0.1'), { to: gateway });
    assert.ok(main.failed, 'a gateway without balancers takes none');
  });

  it('follows the list when it is reloaded', async () => {
    const line = await own.reload((one) => one.file('sekisho.yaml', { ...one.settings, balancers: ['127.0.0.2/32'] }));
    assert.equal(line.id, 'SK1102');
    const old = await ask(header('192.0.2.7'));
    assert.ok(old.failed, 'who is off the list may still announce addresses');
    assert.equal((await ask(header('192.0.2.7'), { localAddress: '127.0.0.2' })).status, 200);
  });
});
