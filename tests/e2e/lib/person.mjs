// What people and administrators do at a gateway: log in with a browser, hold a WebSocket or a download open, run the
// command line tools, load it from many connections at once.
import { spawn, spawnSync } from 'node:child_process';
import { createHash, randomBytes } from 'node:crypto';
import fs from 'node:fs';
import os from 'node:os';
import path from 'node:path';
import { BUILD, PASSWORD, Wire, deadline, startGateway, until } from './gateway.mjs';
import { startUpstream } from './upstream.mjs';

export const SEKISHO = path.join(BUILD, 'gateway/tools/sekisho');
export const VERIFY = path.join(BUILD, 'gateway/tools/sekisho-verify');
export const SEKISHOD = path.join(BUILD, 'gateway/supervisor/sekishod');
export const SESSION_COOKIE = '__Host-sekisho';
export const FORM_COOKIE = '__Host-sekisho-form';

// Starts a gateway and stops it, and what is given besides, when the test `t` (or a suite's `after`) ends.
export async function gatewayFor(t, options) {
  const gateway = await startGateway(options);
  t.after(() => gateway.stop());
  return gateway;
}

export async function upstreamFor(t, handler, options) {
  const upstream = await startUpstream(handler, options);
  t.after(() => upstream.close());
  return upstream;
}

// ---- browser

function formToken(page) {
  return /name="form" value="([^"]*)"/.exec(page)?.[1];
}

// A browser without script: keeps cookies, sends forms. Every request may be changed by `headers`.
export class Browser {
  constructor(gateway, host, options = {}) {
    this.gateway = gateway;
    this.host = host;
    this.cookies = new Map();
    this.options = options; // of every request: tls, agent, …
  }

  async send(method, target, { headers = {}, body, ...options } = {}) {
    const cookie = [...this.cookies].map(([name, value]) => `${name}=${value}`).join('; ');
    const response = await this.gateway.request({ host: this.host, method, path: target, body,
      headers: { ...(cookie ? { cookie } : {}), ...headers }, ...this.options, ...options });
    for (const line of response.headers['set-cookie'] ?? []) {
      const [, name, value] = /^([^=]+)=([^;]*)/.exec(line);
      if (/max-age=0\b/i.test(line)) {
        this.cookies.delete(name);
      } else {
        this.cookies.set(name, value);
      }
    }
    return response;
  }

  get(target, options) {
    return this.send('GET', target, options);
  }

  post(target, fields, options = {}) {
    return this.send('POST', target, { body: new URLSearchParams(fields).toString(), ...options,
      headers: { 'content-type': 'application/x-www-form-urlencoded', origin: `https://${this.host}`, 'sec-fetch-site': 'same-origin', ...options.headers } });
  }

  // Opens the login page and sends it filled in; the answer to that.
  async login(user, password = PASSWORD, { back = '/', headers = {} } = {}) {
    const page = await this.get(`/.sekisho/login?return=${encodeURIComponent(back)}`, { headers });
    return this.post('/.sekisho/login', { form: formToken(page.text), return: back, user, password }, { headers });
  }

  get session() {
    return this.cookies.get(SESSION_COOKIE);
  }
}

export async function loggedIn(gateway, host, user, password) {
  const browser = new Browser(gateway, host);
  const answer = await browser.login(user, password);
  if (answer.status !== 303 || !browser.session) {
    throw new Error(`login of ${user} at ${host}: ${answer.status} ${answer.text}`);
  }
  return browser;
}

// What a page that asks a further question must be sent back with.
export function questionOf(page) {
  const [state, back, user] = ['state', 'return', 'user'].map((name) => new RegExp(`name="${name}" value="([^"]*)"`).exec(page.text)?.[1]);
  return { form: formToken(page.text), state, return: back, ...(user ? { user } : {}) };
}

// Answers every question of every page with what `say` says to its label, until there is none: {page, asked}.
export async function answerAll(browser, page, say) {
  const asked = [];
  while (page.status === 200 && questionOf(page).state && asked.length < 16) {
    const labels = [...page.text.matchAll(/<label for="a\d+">([^<]*)</g)].map(([, label]) => label);
    const fields = new URLSearchParams(questionOf(page));
    for (const label of labels) {
      fields.append('answer', say(label));
      asked.push(label);
    }
    page = await browser.post('/.sekisho/login', fields);
  }
  return { page, asked };
}

export { formToken };

// ---- open streams

// A WebSocket through the gateway: a Wire behind the 101. {headers, tls}
export async function openWebSocket(gateway, host, target, { headers = {}, tls } = {}) {
  const wire = await gateway.rawTls(host, tls);
  const key = randomBytes(16).toString('base64');
  const lines = Object.entries({ host, upgrade: 'websocket', connection: 'Upgrade', 'sec-websocket-version': '13', 'sec-websocket-key': key, ...headers });
  wire.write(`GET ${target} HTTP/1.1\r\n${lines.map(([name, value]) => `${name}: ${value}\r\n`).join('')}\r\n`);
  const response = await wire.response();
  if (response.status !== 101) {
    wire.destroy();
    throw new Error(`WebSocket: ${response.line}\n${response.body}`);
  }
  return wire;
}

// An upstream: WebSockets that say back each byte, /stream that sends a line every 50 ms for ever, anything else is
// answered at once with what was seen.
export async function startPanel(t) {
  const upstream = await startUpstream((request, response) => {
    if (request.url.startsWith('/stream')) {
      response.writeHead(200, { 'content-type': 'text/plain' });
      const timer = setInterval(() => response.write('more\n'), 50);
      response.on('close', () => clearInterval(timer));
      response.write('more\n');
      return;
    }
    const body = JSON.stringify({ method: request.method, url: request.url, headers: request.headers });
    response.writeHead(200, { 'content-type': 'application/json', 'content-length': Buffer.byteLength(body) });
    response.end(body);
  });
  upstream.server.on('upgrade', (request, socket) => {
    const accept = createHash('sha1').update(`${request.headers['sec-websocket-key']}258EAFA5-E914-47DA-95CA-C5AB0DC85B11`).digest('base64');
    socket.write(`HTTP/1.1 101 Switching Protocols\r\nupgrade: websocket\r\nconnection: Upgrade\r\nsec-websocket-accept: ${accept}\r\n\r\n`);
    socket.on('data', (chunk) => socket.write(chunk));
    socket.on('error', () => {});
  });
  t.after(() => upstream.close());
  return upstream;
}

// A download that never ends: a Wire that has begun to receive.
export async function openDownload(gateway, host, headers, target = '/stream') {
  const wire = await gateway.rawTls(host);
  const lines = Object.entries({ host, ...headers });
  wire.write(`GET ${target} HTTP/1.1\r\n${lines.map(([name, value]) => `${name}: ${value}\r\n`).join('')}\r\n`);
  await wire.wait(() => wire.text.includes('more\n'), 'the beginning of a download');
  return wire;
}

// How long until `wire` was ended, in ms, counted from this call.
export async function endedAfter(wire, ms = 10000) {
  const start = performance.now();
  await wire.closed(ms);
  return performance.now() - start;
}

// ---- load

// `connections` keep-alive clients that send what `next(i)` says, one after the other, until stop() is called; every
// answer goes to `each({asked, status, response, error})`. An error makes a new connection. It ends with the test `t` at
// the latest.
export function startLoad(t, gateway, connections, next, each) {
  let running = true;
  let count = 0;
  const one = async (client) => {
    let agent = gateway.agent();
    while (running) {
      const asked = next(count++, client);
      try {
        const response = await gateway.request({ agent, ms: 20000, ...asked });
        each({ asked, status: response.status, response });
      } catch (error) {
        each({ asked, error });
        agent.destroy();
        agent = gateway.agent();
        await new Promise((resolve) => setImmediate(resolve));
      }
    }
    agent.destroy();
  };
  const all = Promise.all(Array.from({ length: connections }, (_, client) => one(client)));
  const stop = () => {
    running = false;
    return deadline(all, 'the end of the load', 40000);
  };
  t.after(stop);
  return { stop };
}

// ---- tools

// Runs `sekisho …`: {status, stdout, stderr}.
export function sekisho(args, { input = '', env = {}, program = SEKISHO } = {}) {
  const { status, stdout, stderr } = spawnSync(program, args, { input, encoding: 'utf8', env: { ...process.env, ...env }, maxBuffer: 1 << 28 });
  return { status, stdout, stderr };
}

// The same while this process goes on serving its upstreams.
export function sekishoLive(args, { input = '', env = {}, program = SEKISHO } = {}) {
  return deadline(new Promise((resolve, reject) => {
    const child = spawn(program, args, { env: { ...process.env, ...env } });
    let stdout = '', stderr = '';
    child.stdout.on('data', (text) => { stdout += text; });
    child.stderr.on('data', (text) => { stderr += text; });
    child.on('error', reject);
    child.on('close', (status) => resolve({ status, stdout, stderr }));
    child.stdin.on('error', () => {});
    child.stdin.end(input);
  }), `the end of ${args.join(' ')}`, 40000);
}

// `sekisho session …` at a host of this gateway.
export function sessionTool(gateway, host, user, args, password = PASSWORD) {
  return sekishoLive(['session', ...args.slice(0, 1), '--server', `https://${host}:${gateway.port}`, '--user', user, '--cacert', gateway.authority.cert,
    '--resolve', `${host}:${gateway.port}:127.0.0.1`, ...args.slice(1)], { env: { SEKISHO_PASSWORD: password } });
}

// A folder of links to the gateway's programs, of which a test can take one away: {folder, take(kind), give(kind)}.
export function programsFor(t) {
  const folder = fs.mkdtempSync(path.join(os.tmpdir(), 'sekisho-programs-'));
  const link = (kind) => path.join(folder, `sekisho-${kind}`);
  const give = (kind) => fs.symlinkSync(path.join(BUILD, `gateway/${kind}/sekisho-${kind}`), link(kind));
  fs.chmodSync(folder, 0o755);
  ['audit', 'signer', 'reader', 'feed', 'store', 'auth', 'factor', 'pam', 'worker'].forEach(give);
  t.after(() => fs.rmSync(folder, { recursive: true, force: true }));
  return { folder, give, take: (kind) => fs.rmSync(link(kind)) };
}

// ---- journal

export function journalFiles(gateway) {
  const folder = path.join(gateway.data, 'journal');
  return fs.readdirSync(folder).filter((name) => /^journal-\d+\.skj$/.test(name)).sort().map((name) => path.join(folder, name));
}

// All records whatever the journal's files are doing right now: a file may be renamed while it is being listed.
export async function allRecords(gateway) {
  return until(() => {
    try {
      return gateway.records();
    } catch {
      return null;
    }
  }, 'a readable journal');
}

export function problemOf(response) {
  return JSON.parse(response.text);
}

// Lets time pass where time itself is what is tested: a limit, or that something does not happen.
export function elapse(ms) {
  return new Promise((resolve) => setTimeout(resolve, ms));
}

// SIGTERM and wait, with the folder kept: gateway.run() starts it again on the same data.
export async function halt(gateway) {
  gateway.closeClients();
  gateway.child.kill('SIGTERM');
  const { code } = await deadline(gateway.ended, `the gateway's end; it said:\n${gateway.said()}`, 45000);
  if (code !== 0) {
    throw new Error(`the gateway ended with ${code}; it said:\n${gateway.said()}`);
  }
}

// Starts it where it is not expected to become ready: resolves with the first log line of that id. End it with abort().
export async function startShut(gateway, id) {
  const from = gateway.log.length;
  gateway.killing = true; // processes end of themselves here: stop() need not wonder
  const starting = gateway.run().then(() => 'ready', () => 'not ready');
  const line = await gateway.logged((entry) => entry.id === id, { from, ms: 10000 }).catch((error) => error);
  return { line, from, async abort() {
    if (!gateway.exited) {
      gateway.child.kill('SIGTERM');
      await deadline(gateway.ended, 'the end of a gateway that is shut', 45000);
    }
    await starting;
  } };
}

export function sql(file, statement) {
  const { status, stdout, stderr } = spawnSync('sqlite3', [file, statement], { encoding: 'utf8' });
  if (status !== 0) {
    throw new Error(`sqlite3 ${file}: ${stderr}`);
  }
  return stdout.trim();
}
