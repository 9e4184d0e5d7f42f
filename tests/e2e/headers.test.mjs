// Only the gateway says who asks and how the request came; what it keeps for itself never passes, in neither direction.
import assert from 'node:assert/strict';
import { createPublicKey, verify } from 'node:crypto';
import { after, before, describe, it } from 'node:test';

import { openTenant, PASSWORD, SERVICE, startGateway } from './lib/gateway.mjs';
import { allRecords } from './lib/person.mjs';
import { startUpstream } from './lib/upstream.mjs';

const HOST = 'acme.test';
const MANY = Array.from({ length: 200 }, (_, i) => `customer-role-${i}`);
const SECRET = 'the-secret-of-the-upstream-0123456789';

let gateway, upstream;
let answerFields = ['Content-Type', 'text/plain'];

before(async () => {
  upstream = await startUpstream((request, response, seen) => {
    const body = JSON.stringify({ url: seen.url, rawHeaders: seen.rawHeaders, headers: seen.headers, trailers: seen.trailers });
    response.writeHead(200, answerFields).end(body);
  });
  const app = (name, more = {}) => ({ name, kind: 'api', path: `/${name}`, upstreams: [upstream.url], ...more });
  gateway = await startGateway({ tenants: [openTenant('acme', upstream.url, {
    apps: [
      app('plain'),
      app('assertion', { identity: ['assertion'] }),
      app('forwarded', { identity: ['forwarded-user'] }),
      app('authrequest', { identity: ['auth-request'] }),
      app('remote', { identity: ['remote'] }),
      app('all', { identity: ['assertion', 'forwarded-user', 'auth-request', 'remote'] }),
      app('inject', { inject: [{ header: 'X-API-Key', value: SECRET }] }),
      app('bearer', { inject: [{ header: 'Authorization', value: 'Bearer of-the-gateway' }] }),
      app('panel', { kind: 'panel', identity: ['assertion', 'remote'] }),
    ],
    roles: [{ name: 'all', allow: ['plain', 'assertion', 'forwarded', 'authrequest', 'remote', 'all', 'inject', 'bearer', 'panel'].map((name) => `${name} * /**`) },
      { name: 'second', allow: [] }, ...MANY.map((name) => ({ name, allow: [] }))],
    users: [{ name: 'hanako', roles: ['all', 'second'] }, { name: 'many', roles: ['all', ...MANY] }],
  })] });
});

after(async () => {
  await gateway?.stop();
  await upstream?.close();
});

const names = (seen) => seen.rawHeaders.filter((_, i) => i % 2 === 0).map((name) => name.toLowerCase());

// What a name looks like to servers that fold it to a variable's name.
const folded = (name) => name.toLowerCase().replace(/[^a-z0-9]/g, '-');

// Logs in at the panel like a browser: the session cookie.
async function login() {
  const page = await gateway.request({ path: '/.sekisho/login' });
  const cookie = page.headers['set-cookie'][0].split(';')[0];
  const token = /name="form" value="([^"]+)"/.exec(page.text)[1];
  const body = new URLSearchParams({ form: token, return: '/panel', user: 'hanako', password: PASSWORD }).toString();
  const answer = await gateway.request({ method: 'POST', path: '/.sekisho/login', body,
    headers: { cookie, origin: `https://${HOST}`, 'content-type': 'application/x-www-form-urlencoded' } });
  assert.equal(answer.status, 303, answer.text);
  return answer.headers['set-cookie'].find((line) => line.startsWith('__Host-sekisho=')).split(';')[0];
}

const identities = ['X-Sekisho-Jwt-Assertion', 'x-sekisho-jwt-assertion', 'X_Sekisho_Jwt_Assertion', 'X.Sekisho.Jwt.Assertion', 'X-SEKISHO-ANYTHING',
  'x-sekisho_jwt-assertion', 'X-Forwarded-User', 'x_forwarded_user', 'X-Forwarded_Groups', 'X.Forwarded.Email', 'X-Forwarded-Preferred-Username',
  'X-Forwarded-Access-Token', 'X-Auth-Request-User', 'x_auth_request_email', 'X-Auth-Request-Groups', 'Remote-User', 'remote_user', 'REMOTE.USER', 'Remote-Groups',
  'X-Remote-User', 'X_Remote_User', 'X-Client-Cert', 'Client-Cert', 'client_cert_chain', 'SSL-Client-Cert', 'SSL_CLIENT_VERIFY', 'X-SSL-Client-DN',
  'X-Forwarded-Client-Cert', 'X-Webauth-User', 'X-Consumer-Username', 'X_Forwarded_For', 'X.Forwarded.Host', 'x-forwarded_proto', 'X_Real_IP', 'X-Original-URL', 'X-Rewrite-URL',
  'X-HTTP-Method-Override'];

describe('a name the gateway speaks with', () => {
  for (const version of [1, 2]) {
    it(`is refused from outside in every spelling, before a login is asked for (HTTP/${version})`, async () => {
      for (const name of identities) {
        for (const user of ['hanako', undefined]) {
          const answer = await gateway.request({ version, user, path: '/plain/forged', headers: { [version === 2 ? name.toLowerCase() : name]: 'admin' } });
          assert.equal(answer.status, 400, `${name}: ${answer.text}`);
          assert.equal(answer.json().reason, 'reserved-header');
        }
      }
      assert.ok(!upstream.requests.some((one) => one.url === '/plain/forged'));
      const records = await gateway.recorded((r) => r.reason === 'reserved-header');
      assert.ok(records.some((r) => r.op === 'message-refused' && r.decision === 'deny' && r.status === 400 && r.path === '/plain/forged'));
    });
  }

  it('is refused beside a good one, twice, empty, and with blanks around', async () => {
    for (const lines of ['Remote-User: a\r\nRemote-User: b\r\n', 'X-Fine: 1\r\nREMOTE_USER: a\r\nX-Fine: 2\r\n', 'Remote-User:\r\n', 'Remote-User:   \t \r\n']) {
      const wire = await gateway.rawTls(HOST);
      wire.write(`GET /plain/twice HTTP/1.1\r\nHost: ${HOST}\r\nAuthorization: ${gateway.basic('hanako')}\r\n${lines}\r\n`);
      assert.equal((await wire.response()).status, 400, lines);
      wire.destroy();
    }
    assert.ok(!upstream.requests.some((one) => one.url === '/plain/twice'));
  });

  for (const version of [1, 2]) {
    for (const name of ['Remote-User', 'x_forwarded_user', 'X-Sekisho-Jwt-Assertion', 'X-Forwarded-For', 'Authorization', 'Host', 'Content-Length', 'Cookie']) {
      it(`never passes in a trailer: ${name} (HTTP/${version})`, async () => {
        const sent = version === 2 ? name.toLowerCase() : name;
        const status = await gateway.request({ version, user: 'hanako', method: 'POST', path: '/plain', body: 'x', headers: version === 1 ? { 'transfer-encoding': 'chunked' } : {},
          trailers: { [sent]: 'admin-in-a-trailer' } }).then((answer) => answer.status, (error) => error.code ?? error.message);
        assert.ok(status === 400 || typeof status === 'string', `answered ${status}`);
        for (const connection of upstream.connections) {
          assert.doesNotMatch(connection.text, /admin-in-a-trailer/);
        }
      });
    }
  }

  it('is refused also when an app injects it: its own spelling and every other', async () => {
    for (const name of ['X-API-Key', 'x-api-key', 'X_API_Key', 'X.Api.Key']) {
      const answer = await gateway.request({ user: 'hanako', path: '/inject/own', headers: { [name]: 'mine' } });
      assert.equal(answer.status, 400, name);
      assert.equal(answer.json().reason, 'reserved-header');
    }
    assert.ok(!upstream.requests.some((one) => one.url === '/inject/own'));
    const other = await gateway.request({ user: 'hanako', path: '/plain', headers: { 'X-API-Key': 'mine' } });
    assert.equal(other.json().headers['x-api-key'], 'mine', 'elsewhere the name is free');
  });
});

describe('a name that an app injects', () => {
  for (const version of [1, 2]) {
    it(`is refused in a trailer in every spelling: the upstream would take it for the gateway's (HTTP/${version})`, async () => {
      for (const name of ['X-API-Key', 'x-api-key', 'X_API_Key', 'X.Api.Key']) {
        const options = { version, user: 'hanako', method: 'POST', body: 'x', headers: version === 1 ? { 'transfer-encoding': 'chunked' } : {},
          trailers: { [version === 2 ? name.toLowerCase() : name]: 'mine-in-a-trailer' } };
        const answer = await gateway.request({ ...options, path: '/inject/trailer' });
        assert.deepEqual([answer.status, answer.json().reason], [400, 'bad-trailer'], name);
        const record = (await allRecords(gateway)).find((r) => r.request === answer.json().id && r.stage !== 'intent');
        assert.equal(record?.reason, 'bad-trailer');
        assert.equal((await gateway.request({ ...options, path: '/plain' })).status, 200, 'elsewhere the name is free');
      }
      assert.ok(!upstream.requests.some((one) => one.url === '/inject/trailer' && one.sha256), 'no upstream has a whole request');
      for (const connection of upstream.connections) {
        assert.doesNotMatch(connection.text, /POST \/inject\/trailer[^]*mine-in-a-trailer/);
      }
    });
  }
});

describe('the way of the request', () => {
  it('is told anew: nothing the client claims of it passes', async () => {
    const claims = { forwarded: 'for=192.0.2.66;by=evil', 'x-forwarded-for': '192.0.2.66', 'x-forwarded-proto': 'http', 'x-forwarded-host': 'evil.test', 'x-forwarded-port': '1',
      'x-real-ip': '192.0.2.66', via: '1.1 evil', 'true-client-ip': '192.0.2.66', 'x-forwarded-prefix': '/evil', 'x-forwarded-server': 'evil' };
    for (const version of [1, 2]) {
      const seen = (await gateway.request({ version, user: 'hanako', path: '/plain', headers: claims })).json();
      assert.equal(seen.headers['x-forwarded-for'], '127.0.0.1');
      assert.equal(seen.headers['x-forwarded-proto'], 'https');
      assert.equal(seen.headers['x-forwarded-host'], HOST);
      assert.equal(seen.headers.forwarded, `for=127.0.0.1;proto=https;host="${HOST}"`);
      for (const gone of ['x-forwarded-port', 'x-real-ip', 'via', 'true-client-ip', 'x-forwarded-prefix', 'x-forwarded-server']) {
        assert.equal(seen.headers[gone], undefined, gone);
      }
      const all = names(seen);
      assert.equal(new Set(all).size, all.length, `a field twice: ${all}`);
      assert.doesNotMatch(JSON.stringify(seen), /evil|192\.0\.2\.66/);
    }
  });

  it('keeps the Host as the client wrote it, port included', async () => {
    for (const version of [1, 2]) {
      for (const authority of [HOST, `${HOST}:8443`]) {
        const seen = (await gateway.request({ version, user: 'hanako', path: '/plain', host: authority, servername: HOST })).json();
        assert.equal(seen.headers.host, authority);
        assert.equal(seen.headers['x-forwarded-host'], authority);
        assert.equal(seen.headers.forwarded, `for=127.0.0.1;proto=https;host="${authority}"`);
        assert.equal(names(seen).filter((name) => name === 'host').length, 1);
      }
    }
  });

  it('ends hop-by-hop fields here, also those that Connection names', async () => {
    const wire = await gateway.rawTls(HOST);
    wire.write(`GET /plain HTTP/1.1\r\nHost: ${HOST}\r\nAuthorization: ${gateway.basic('hanako')}\r\nConnection: keep-alive, X-Hop\r\nX-Hop: 1\r\nKeep-Alive: timeout=5\r\n`
      + 'TE: trailers\r\nProxy-Connection: keep-alive\r\nProxy-Authorization: Basic eA==\r\nUpgrade: h2c\r\nHTTP2-Settings: AAMAAABk\r\nX-End: 2\r\n\r\n');
    const seen = JSON.parse((await wire.response()).body);
    for (const gone of ['x-hop', 'keep-alive', 'te', 'proxy-connection', 'proxy-authorization', 'upgrade', 'http2-settings']) {
      assert.ok(!names(seen).includes(gone), gone);
    }
    assert.equal(seen.headers['x-end'], '2');
    wire.destroy();
  });

  it('cannot be shortened: Connection does not take the gateway\'s own fields away', async () => {
    const wire = await gateway.rawTls(HOST);
    wire.write(`GET /all HTTP/1.1\r\nHost: ${HOST}\r\nAuthorization: ${gateway.basic('hanako')}\r\n`
      + 'Connection: close, X-Forwarded-For, Forwarded, X-Sekisho-Jwt-Assertion, Remote-User, Host, Cookie\r\n\r\n');
    const seen = JSON.parse((await wire.response()).body);
    for (const name of ['x-forwarded-for', 'forwarded', 'x-sekisho-jwt-assertion', 'remote-user', 'host']) {
      assert.ok(names(seen).includes(name), name);
    }
  });
});

describe('credentials', () => {
  it('of Basic are not passed to an api', async () => {
    for (const version of [1, 2]) {
      const seen = (await gateway.request({ version, user: 'hanako', path: '/plain' })).json();
      assert.equal(seen.headers.authorization, undefined);
      assert.doesNotMatch(JSON.stringify(seen), new RegExp(PASSWORD.split(' ')[0]));
    }
  });

  it('of the session are taken out of the cookies, and only they', async () => {
    const session = await login();
    for (const version of [1, 2]) {
      for (const [cookie, passed] of [[`a=1; ${session}; b=2`, 'a=1; b=2'], [session, undefined], [`${session}; __Host-sekisho-form=xyz`, undefined], [`x=__Host-sekisho; ${session}`, 'x=__Host-sekisho']]) {
        const answer = await gateway.request({ version, path: '/panel', headers: { cookie } });
        assert.equal(answer.status, 200, cookie);
        assert.equal(answer.json().headers.cookie, passed, cookie);
      }
    }
  });

  it('of the session are taken out also where they do not count', async () => {
    const session = await login();
    const seen = (await gateway.request({ user: 'hanako', path: '/plain', headers: { cookie: `${session}; a=1` } })).json();
    assert.equal(seen.headers.cookie, 'a=1');
  });

  it('for the upstream are injected, and never shown to the client', async () => {
    const answer = await gateway.request({ user: 'hanako', path: '/inject/it' });
    const seen = upstream.requests.find((one) => one.url === '/inject/it');
    assert.equal(seen.headers['x-api-key'], SECRET);
    assert.equal(seen.rawHeaders.filter((name) => folded(name) === 'x-api-key').length, 1);
    assert.doesNotMatch(JSON.stringify(answer.headers), new RegExp(SECRET));
    for (const path of ['/inject', '/nothing', '/.sekisho/login', '/.sekisho/api/v1/sessions']) {
      const other = await gateway.request({ path });
      assert.doesNotMatch(JSON.stringify([other.headers, other.text]), new RegExp(SECRET));
    }
    assert.doesNotMatch(JSON.stringify(gateway.records()), new RegExp(SECRET));
    assert.doesNotMatch(gateway.said(), new RegExp(SECRET));
  });

  it('for the upstream may be an Authorization: it takes the place of the client\'s own, which the gateway has read', async () => {
    const answer = await gateway.request({ user: 'hanako', path: '/bearer' });
    assert.equal(answer.status, 200, answer.text);
    const seen = answer.json();
    assert.equal(seen.headers.authorization, 'Bearer of-the-gateway');
    assert.equal(names(seen).filter((name) => name === 'authorization').length, 1);
  });

  it('for one app do not reach another', async () => {
    const seen = (await gateway.request({ user: 'hanako', path: '/plain' })).json();
    assert.doesNotMatch(JSON.stringify(seen), new RegExp(SECRET));
  });

  it('are in no record and no log line', async () => {
    const session = await login();
    await gateway.request({ path: '/panel', headers: { cookie: session } });
    await gateway.request({ user: 'hanako', password: 'a wrong password that is long', path: '/plain' });
    const text = JSON.stringify(gateway.records()) + JSON.stringify(gateway.log) + gateway.unparsed;
    for (const secret of [PASSWORD, 'a wrong password that is long', session.split('=')[1], gateway.basic('hanako').split(' ')[1]]) {
      assert.ok(!text.includes(secret), `${secret} is written down`);
    }
  });
});

describe('identity', () => {
  it('is said of a user with very many roles too', async () => {
    const token = (await gateway.request({ user: 'many', path: '/assertion' })).json().headers['x-sekisho-jwt-assertion'];
    assert.deepEqual(decode(token.split('.')[1]).groups, ['all', ...MANY]);
  });


  const decode = (part) => JSON.parse(Buffer.from(part, 'base64url').toString());

  it('is asserted by a signature that the published keys verify', async () => {
    const keys = await gateway.request({ path: '/.well-known/sekisho/jwks.json' });
    assert.equal(keys.status, 200);
    assert.match(keys.headers['content-type'], /^application\/(jwk-set\+)?json/);
    for (const version of [1, 2]) {
      const token = (await gateway.request({ version, user: 'hanako', path: '/assertion' })).json().headers['x-sekisho-jwt-assertion'];
      const [head, claims, signature] = token.split('.');
      const header = decode(head);
      assert.equal(header.alg, 'ES256');
      const jwk = keys.json().keys.find((key) => key.kid === header.kid);
      assert.ok(jwk, `key ${header.kid} is not published`);
      assert.equal(jwk.d, undefined, 'the private key is published');
      const key = createPublicKey({ key: jwk, format: 'jwk' });
      const options = { key, dsaEncoding: 'ieee-p1363' };
      assert.ok(verify('sha256', Buffer.from(`${head}.${claims}`), options, Buffer.from(signature, 'base64url')), 'the signature');
      const forged = Buffer.from(JSON.stringify({ ...decode(claims), sub: 'root' })).toString('base64url');
      assert.ok(!verify('sha256', Buffer.from(`${head}.${forged}`), options, Buffer.from(signature, 'base64url')));
      const said = decode(claims), now = Date.now() / 1000;
      assert.equal(said.sub, 'hanako');
      assert.equal(said.aud, HOST);
      assert.equal(said.iss, `https://${HOST}`);
      assert.equal(said.tenant, `acme@${SERVICE}`);
      assert.deepEqual([...said.groups].sort(), ['all', 'second']);
      assert.ok(said.exp > now && said.exp - now <= 120, `lives for ${said.exp - now} s`);
      assert.ok(said.nbf <= now + 1 && said.iat <= now + 1);
    }
  });

  it('is told in plain fields only where they were chosen', async () => {
    const plain = ['x-forwarded-user', 'x-forwarded-groups', 'x-auth-request-user', 'x-auth-request-groups', 'remote-user', 'remote-groups', 'x-sekisho-jwt-assertion'];
    const chosen = { plain: [], assertion: ['x-sekisho-jwt-assertion'], forwarded: ['x-forwarded-user', 'x-forwarded-groups'],
      authrequest: ['x-auth-request-user', 'x-auth-request-groups'], remote: ['remote-user', 'remote-groups'], all: plain };
    for (const [app, expected] of Object.entries(chosen)) {
      const seen = (await gateway.request({ user: 'hanako', path: `/${app}` })).json();
      assert.deepEqual(plain.filter((name) => name in seen.headers).sort(), [...expected].sort(), app);
      for (const name of expected.filter((one) => one.endsWith('-user'))) {
        assert.equal(seen.headers[name], 'hanako');
      }
      for (const name of expected.filter((one) => one.endsWith('-groups'))) {
        assert.deepEqual(seen.headers[name].split(',').sort(), ['all', 'second']);
      }
    }
  });

  it('reaches a panel in the same way', async () => {
    const seen = (await gateway.request({ path: '/panel', headers: { cookie: await login() } })).json();
    assert.equal(seen.headers['remote-user'], 'hanako');
    assert.equal(decode(seen.headers['x-sekisho-jwt-assertion'].split('.')[1]).sub, 'hanako');
  });
});

describe('answers', () => {
  const hsts = /^max-age=\d{8,}/;

  it('of an upstream get transport security and lose what tells of its making', async () => {
    answerFields = ['Strict-Transport-Security', 'max-age=0', 'Server', 'leaky/1.0', 'X-Powered-By', 'leak', 'Alt-Svc', 'h3=":443"', 'Connection', 'X-Hop', 'X-Hop', '1', 'X-Own', 'kept',
      'Set-Cookie', '__Host-sekisho=stolen; Path=/; Secure', 'Set-Cookie', '__Host-sekisho-form=stolen', 'Set-Cookie', 'own=1', 'Content-Security-Policy', "default-src 'self'"];
    for (const version of [1, 2]) {
      const { headers, status } = await gateway.request({ version, user: 'hanako', path: '/plain' });
      assert.equal(status, 200);
      assert.match(headers['strict-transport-security'], hsts);
      for (const gone of ['server', 'x-powered-by', 'alt-svc', 'x-hop']) {
        assert.equal(headers[gone], undefined, gone);
      }
      assert.equal(headers['x-own'], 'kept');
      assert.deepEqual(headers['set-cookie'], ['own=1']);
      assert.equal(headers['content-security-policy'], "default-src 'self'");
    }
    answerFields = ['Content-Type', 'text/plain'];
  });

  it('of the gateway itself are strict and whole', async () => {
    for (const version of [1, 2]) {
      for (const [path, status] of [['/plain', 401], ['/nowhere', 404], ['/panel', 303], ['/.sekisho/login', 200], ['/.sekisho/nothing', 404]]) {
        const { headers, ...answer } = await gateway.request({ version, path });
        assert.equal(answer.status, status, path);
        assert.match(headers['strict-transport-security'], hsts);
        assert.equal(headers['x-content-type-options'], 'nosniff');
        assert.equal(headers['referrer-policy'], 'same-origin');
        assert.match(headers['cache-control'], /no-store/);
        assert.match(headers['content-security-policy'], /^default-src 'none'; .*frame-ancestors 'none'; base-uri 'none'$/);
        assert.equal(headers['content-length'], String(answer.body.length));
        assert.equal(headers.server, undefined);
        assert.ok(headers.date, `${path} has no Date`);
      }
    }
  });

  it('of 401 and of a denial are for programs: a challenge, and JSON with reason and id', async () => {
    const answer = await gateway.request({ path: '/plain' });
    assert.match(answer.headers['www-authenticate'], /^Basic realm="[^"]+", charset="UTF-8", Bearer realm="[^"]+"$/);
    assert.match(answer.headers['content-type'], /^application\/problem\+json/);
    const { reason, id } = answer.json();
    assert.equal(reason, 'login-required');
    assert.match(id, /^[0-9a-f]{32}$/);
    const [record] = await gateway.recorded({ request: id });
    assert.equal(record.status, 401);
    assert.equal(record.decision, 'challenge');
  });
});
