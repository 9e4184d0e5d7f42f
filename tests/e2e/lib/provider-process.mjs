// A real OpenID Connect provider, in a process of its own (provider.mjs): it signs in whoever the form or `login_hint` names, and does wrong when it is told to.
import { createHmac, createSign, generateKeyPairSync, randomUUID } from 'node:crypto';
import https from 'node:https';
import Provider from 'oidc-provider';

const b64 = (value) => Buffer.from(JSON.stringify(value)).toString('base64url');
const part = (token, n) => JSON.parse(Buffer.from(token.split('.')[n], 'base64url'));

function newKey() {
  const { privateKey } = generateKeyPairSync('ec', { namedCurve: 'P-256' });
  return { jwk: { ...privateKey.export({ format: 'jwk' }), kid: randomUUID(), alg: 'ES256', use: 'sig' }, privateKey };
}

function sign({ jwk, privateKey }, header, claims) {
  const input = `${b64({ alg: 'ES256', kid: jwk.kid, ...header })}.${b64(claims)}`;
  return `${input}.${createSign('sha256').update(input).sign({ key: privateKey, dsaEncoding: 'ieee-p1363' }).toString('base64url')}`;
}

// What is wrong with an ID token, by the name of the fault.
const lies = {
  nonce: (key, token) => sign(key, {}, { ...part(token, 1), nonce: 'another' }),
  audience: (key, token) => sign(key, {}, { ...part(token, 1), aud: 'another' }),
  party: (key, token) => sign(key, {}, { ...part(token, 1), azp: 'another' }),
  issuer: (key, token) => sign(key, {}, { ...part(token, 1), iss: 'https://another.test' }),
  expired: (key, token) => sign(key, {}, { ...part(token, 1), exp: Math.floor(Date.now() / 1000) - 100 }),
  key: (key, token) => sign(newKey(), { kid: key.jwk.kid }, part(token, 1)),
  none: (key, token) => `${b64({ alg: 'none' })}.${token.split('.')[1]}.`,
  hmac: (key, token) => {
    const input = `${b64({ alg: 'HS256', kid: key.jwk.kid })}.${token.split('.')[1]}`;
    return `${input}.${createHmac('sha256', JSON.stringify(key.jwk)).update(input).digest('base64url')}`;
  },
  unverified: (key, token) => sign(key, {}, { ...part(token, 1), email_verified: false }),
  timeless: (key, token) => sign(key, {}, { ...part(token, 1), auth_time: undefined }),
};

process.once('message', ({ port, cert, key: tlsKey, clients, users }) => {
  const key = newKey();
  console.warn = console.info = () => {}; // what the provider warns of in development is nothing here
  let fault = '';
  const told = []; // codes that were exchanged
  const provider = new Provider(`https://localhost:${port}`, {
    clients,
    jwks: { keys: [key.jwk] },
    claims: { openid: ['sub', 'acr', 'amr', 'auth_time', 'sid', 'groups', 'realm_access'], email: ['email', 'email_verified'] },
    conformIdTokenClaims: false,
    acrValues: ['urn:mfa'],
    cookies: { keys: ['of a test'] },
    pkce: { required: () => true, methods: ['S256'] },
    features: { devInteractions: { enabled: false }, backchannelLogout: { enabled: true }, rpInitiatedLogout: { enabled: true,
      logoutSource: (ctx, form) => { ctx.body = `<!doctype html><link rel="icon" href="data:,"><title>Log out</title>${form}<button type="submit" form="op.logoutForm" value="yes" name="logout">Log out</button>`; } } },
    interactions: { url: (ctx, { uid }) => `/interaction/${uid}` },
    findAccount: (ctx, sub) => ({ accountId: sub, claims: () => ({ sub, ...users[sub]?.claims }) }),
    httpOptions: () => ({ dnsLookup: (name, options, done) => (options.all ? done(null, [{ address: '127.0.0.1', family: 4 }]) : done(null, '127.0.0.1', 4)) }),
  });
  provider.on('backchannel.error', (ctx, error) => process.send({ error: String(error) }));
  provider.on('server_error', (ctx, error) => process.send({ error: String(error?.stack ?? error) }));
  provider.use(async (ctx, next) => {
    if (ctx.path !== '/token' && ctx.path !== '/.well-known/openid-configuration') {
      await next();
    } else if (fault === 'broken') {
      ctx.status = 500;
    } else if (fault === 'huge') {
      ctx.body = `{"id_token":"${'x'.repeat(100000)}"}`;
    } else if (fault === 'hang') {
      await new Promise(() => {});
    } else {
      if (ctx.path === '/token') {
        told.push(ctx.get('authorization').startsWith('Basic '));
      }
      await next();
      if (ctx.path === '/token' && lies[fault] && ctx.body.id_token) {
        ctx.body.id_token = lies[fault](key, ctx.body.id_token);
      } else if (fault === 'stranger' && ctx.path !== '/token') {
        ctx.body.issuer = 'https://another.test';
      }
    }
  });
  const callback = provider.callback();

  async function interact(request, response) {
    const { prompt, params, session, grantId } = await provider.interactionDetails(request, response);
    let body = '';
    for await (const chunk of request) {
      body += chunk;
    }
    if (prompt.name === 'login') {
      const user = new URLSearchParams(body).get('user') ?? params.login_hint;
      if (!user) {
        response.setHeader('content-type', 'text/html');
        response.end('<!doctype html><link rel="icon" href="data:,"><title>Example login</title><form method="post"><label>User <input name="user"></label><button>Sign in</button></form>');
        return;
      }
      const result = user === 'nobody' ? { error: 'access_denied', error_description: 'no' }
        : { login: { accountId: user, amr: users[user]?.amr, acr: users[user]?.acr, ts: Math.floor(Date.now() / 1000) - (users[user]?.ago ?? 0) } };
      await provider.interactionFinished(request, response, result, { mergeWithLastSubmission: false });
      return;
    }
    const grant = grantId ? await provider.Grant.find(grantId) : new provider.Grant({ accountId: session.accountId, clientId: params.client_id });
    grant.addOIDCScope(params.scope);
    await provider.interactionFinished(request, response, { consent: { grantId: await grant.save() } }, { mergeWithLastSubmission: true });
  }

  const server = https.createServer({ cert, key: tlsKey }, (request, response) => {
    if (request.url.startsWith('/interaction/')) {
      interact(request, response).catch((error) => { process.send({ error: String(error?.stack ?? error) }); response.destroy(); });
    } else {
      callback(request, response);
    }
  });
  process.on('message', ({ fault: next, logoutToken, ask }) => {
    fault = next ?? fault;
    if (logoutToken) {
      const now = Math.floor(Date.now() / 1000);
      process.send({ logoutToken: sign(key, { typ: 'logout+jwt' }, { iss: `https://localhost:${port}`, aud: clients[0].client_id, iat: now, exp: now + 120, jti: randomUUID(),
        events: { 'http://schemas.openid.net/event/backchannel-logout': {} }, ...logoutToken }) });
    }
    if (ask) {
      process.send({ answered: told.length, basic: told.every(Boolean) });
    }
    if (next !== undefined) {
      process.send({ fault });
    }
  });
  server.listen(port, '127.0.0.1', () => process.send({ ready: true }));
  process.on('disconnect', () => process.exit(0));
});
