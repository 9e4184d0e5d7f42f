// A customer's identity provider (provider-process.mjs), and a browser without script that signs in there.
import { fork } from 'node:child_process';
import https from 'node:https';
import { deadline } from './gateway.mjs';

// {issuer, ca, stop(), start(), tell(fault), logoutToken(claims), exchanges()}. `clients`: as they are registered there. `users`: name → {claims, amr, acr, ago}.
export async function startProvider(authority, port, { clients, users }) {
  const { certPem, keyPem } = authority.issue(`provider-${port}`, ['localhost']);
  const made = { issuer: `https://localhost:${port}`, ca: authority.pem, errors: [] };
  let child, waiting = [];
  const said = (key, message) => deadline(new Promise((resolve) => {
    waiting.push({ key, resolve });
    if (message) {
      child.send(message);
    }
  }), `what the provider says of ${key}; it said ${made.errors}`, 20000);
  made.start = async () => {
    child = fork(new URL('provider-process.mjs', import.meta.url), { stdio: ['ignore', 'ignore', 'inherit', 'ipc'], env: { ...process.env, NODE_EXTRA_CA_CERTS: authority.cert, NODE_NO_WARNINGS: '1' } });
    child.on('message', (message) => {
      if (message.error) {
        made.errors.push(message.error);
      }
      waiting = waiting.filter(({ key, resolve }) => !(key in message) || resolve(message));
    });
    await said('ready', { port, cert: certPem.toString(), key: keyPem.toString(), clients, users });
  };
  made.stop = () => new Promise((resolve) => {
    child.once('exit', resolve);
    child.kill();
  });
  made.tell = (fault) => said('fault', { fault });
  made.logoutToken = async (claims) => (await said('logoutToken', { logoutToken: claims })).logoutToken;
  made.exchanges = () => said('answered', { ask: true });
  await made.start();
  return made;
}

// Keeps the provider's cookies: sign in there more than once, and it is one session of one person's.
export class ProviderBrowser {
  constructor(provider) {
    this.provider = provider;
    this.cookies = new Map();
    this.agent = new https.Agent({ ca: provider.ca, keepAlive: true });
  }

  request(target, { method = 'GET', fields } = {}) {
    const url = new URL(target, this.provider.issuer);
    const body = fields && new URLSearchParams(fields).toString();
    return new Promise((resolve, reject) => {
      const request = https.request({ host: '127.0.0.1', servername: 'localhost', port: url.port, path: url.pathname + url.search, method, agent: this.agent,
        headers: { host: url.host, cookie: [...this.cookies].map(([name, value]) => `${name}=${value}`).join('; '),
          ...(body ? { 'content-type': 'application/x-www-form-urlencoded', 'content-length': Buffer.byteLength(body) } : {}) } }, (response) => {
        let text = '';
        response.setEncoding('utf8').on('data', (more) => { text += more; });
        response.on('end', () => {
          for (const line of response.headers['set-cookie'] ?? []) {
            const [, name, value] = /^([^=]+)=([^;]*)/.exec(line);
            if (value && !/expires=Thu, 01 Jan 1970/.test(line)) {
              this.cookies.set(name, value);
            } else {
              this.cookies.delete(name);
            }
          }
          resolve({ status: response.statusCode, location: response.headers.location, text });
        });
      });
      request.on('error', reject);
      request.end(body);
    });
  }

  // From the authorization request to where the provider sends the browser back: that URL.
  async follow(location, user) {
    for (let i = 0; i < 12; i++) {
      let answer = await this.request(location);
      if (answer.text.includes('name="user"')) {
        answer = await this.request(location, { method: 'POST', fields: { user } });
      }
      if (!answer.location) {
        throw new Error(`the provider answered ${answer.status} at ${location}: ${answer.text}; ${this.provider.errors}`);
      }
      location = new URL(answer.location, this.provider.issuer).href;
      if (!location.startsWith(this.provider.issuer)) {
        return location;
      }
    }
    throw new Error('the provider leads in circles');
  }

  close() {
    this.agent.destroy();
  }
}
