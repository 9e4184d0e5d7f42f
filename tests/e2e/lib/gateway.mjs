// A gateway of its own for a test file: certificates, keys, configuration and data in one temporary folder, free ports,
// the real programs. Everything here waits for what it needs to see; nothing sleeps and hopes.
import { execFileSync, spawn } from 'node:child_process';
import { randomBytes } from 'node:crypto';
import fs from 'node:fs';
import http from 'node:http';
import http2 from 'node:http2';
import https from 'node:https';
import net from 'node:net';
import os from 'node:os';
import path from 'node:path';
import tls from 'node:tls';
import { fileURLToPath } from 'node:url';

export const ROOT = path.resolve(path.dirname(fileURLToPath(import.meta.url)), '../../..');
export const BUILD = path.resolve(ROOT, process.env.SEKISHO_BUILD ?? 'build');
export const PASSWORD = 'correct horse battery staple';
export const SERVICE = 'svc';
export const LOOPBACK = { name: 'here', cidrs: ['127.0.0.0/8', '::1/128'] };

const SEKISHOD = path.join(BUILD, 'gateway/supervisor/sekishod');
const SEKISHO = path.join(BUILD, 'gateway/tools/sekisho');
const VERIFY = path.join(BUILD, 'gateway/tools/sekisho-verify');
const UID_BASE = 64100;
const PATIENCE = 15000; // ms until a thing that must happen counts as not happening

// ---- waiting

export function deadline(promise, what, ms = PATIENCE) {
  let timer;
  const late = new Promise((_, reject) => {
    timer = setTimeout(() => reject(new Error(`not within ${ms} ms: ${what}`)), ms);
  });
  return Promise.race([promise, late]).finally(() => clearTimeout(timer));
}

// Asks again until the answer is true; for what announces itself nowhere.
export async function until(ask, what, ms = PATIENCE, every = 20) {
  const end = Date.now() + ms;
  for (;;) {
    const answer = await ask();
    if (answer) {
      return answer;
    }
    if (Date.now() > end) {
      throw new Error(`not within ${ms} ms: ${typeof what === 'function' ? what() : what}`);
    }
    await new Promise((resolve) => setTimeout(resolve, every));
  }
}

export async function freePorts(count) {
  const servers = await Promise.all(
    Array.from({ length: count }, () => new Promise((resolve, reject) => {
      const server = net.createServer().on('error', reject).listen(0, '127.0.0.1', () => resolve(server));
    })),
  );
  const ports = servers.map((server) => server.address().port);
  await Promise.all(servers.map((server) => new Promise((resolve) => server.close(resolve))));
  return ports;
}

// ---- certificates

const EC = ['-newkey', 'ec', '-pkeyopt', 'ec_paramgen_curve:P-256', '-nodes', '-days', '7'];
const RSA = ['-newkey', 'rsa:2048', '-nodes', '-days', '7'];

function openssl(...args) {
  execFileSync('openssl', args, { stdio: ['ignore', 'ignore', 'pipe'] });
}

// A certificate authority in a folder: {cert, key, pem, issue(name, hosts, 'ec' or 'rsa') → {cert, key, certPem, keyPem}}.
export function makeAuthority(folder, name = 'ca') {
  const cert = path.join(folder, `${name}.crt`);
  const key = path.join(folder, `${name}.key`);
  openssl('req', '-x509', ...EC, '-keyout', key, '-out', cert, '-subj', `/CN=${name}`,
    '-addext', 'keyUsage=critical,keyCertSign,cRLSign');
  const issue = (leaf, hosts, kind = 'ec') => {
    const made = { cert: path.join(folder, `${name}-${leaf}.crt`), key: path.join(folder, `${name}-${leaf}.key`) };
    const names = hosts.map((host) => (net.isIP(host) ? `IP:${host}` : `DNS:${host}`)).join(',');
    openssl('req', '-x509', '-CA', cert, '-CAkey', key, ...(kind === 'rsa' ? RSA : EC), '-keyout', made.key, '-out', made.cert,
      '-subj', `/CN=${leaf}`, '-addext', `subjectAltName=${names}`, '-addext', 'basicConstraints=critical,CA:FALSE',
      '-addext', 'keyUsage=critical,digitalSignature', '-addext', 'extendedKeyUsage=serverAuth');
    return { ...made, certPem: fs.readFileSync(made.cert), keyPem: fs.readFileSync(made.key) };
  };
  return { cert, key, pem: fs.readFileSync(cert), issue };
}

// ---- passwords

const hashes = new Map();

export function hashPassword(password) {
  if (!hashes.has(password)) {
    const out = execFileSync(SEKISHO, ['hash-password'], { input: `${password}\n`, stdio: ['pipe', 'pipe', 'pipe'] });
    hashes.set(password, out.toString().trim());
  }
  return hashes.get(password);
}

// ---- tenants

// A tenant that admits from loopback, with one app `api` on / before `upstream` and a user hanako who may do all; what
// is given in `own` replaces that, key by key.
export function openTenant(name, upstream, own = {}) {
  return {
    tenant: name,
    open: true,
    hosts: [`${name}.test`],
    networks: [LOOPBACK],
    from: ['here'],
    apps: [{ name: 'api', kind: 'api', path: '/', upstreams: [upstream] }],
    roles: [{ name: 'all', allow: ['api * /**'] }],
    users: [{ name: 'hanako', roles: ['all'] }],
    ...own,
  };
}

// ---- raw bytes over TLS or plain

// A socket whose received bytes are kept. `end`: null while open, else 'end' (orderly), 'reset' or 'error CODE'.
export class Wire {
  constructor(socket) {
    this.socket = socket;
    this.bytes = Buffer.alloc(0);
    this.end = null;
    this.waiters = new Set();
    socket.on('data', (chunk) => {
      this.bytes = Buffer.concat([this.bytes, chunk]);
      this.#wake();
    });
    socket.on('end', () => this.#finish('end'));
    socket.on('error', (error) => this.#finish(error.code === 'ECONNRESET' || error.code === 'EPIPE' ? 'reset' : `error ${error.code}`));
    socket.on('close', () => this.#finish('end'));
  }

  #wake() {
    for (const waiter of this.waiters) {
      waiter();
    }
  }

  #finish(how) {
    this.end ??= how;
    this.#wake();
  }

  get text() {
    return this.bytes.toString('latin1');
  }

  write(data) {
    if (!this.socket.destroyed) {
      this.socket.write(data);
    }
    return this;
  }

  // Takes what `ask` finds: it gets this wire after every arrival and returns null to go on waiting.
  wait(ask, what, ms = PATIENCE) {
    let waiter;
    const found = new Promise((resolve, reject) => {
      waiter = () => {
        try {
          const answer = ask(this);
          if (answer !== null && answer !== undefined && answer !== false) {
            resolve(answer);
          }
        } catch (error) {
          reject(error);
        }
      };
      this.waiters.add(waiter);
      waiter();
    });
    return deadline(found, what, ms)
      .catch((error) => {
        error.message += `; received ${JSON.stringify(this.text.slice(0, 400))}, ${this.end ?? 'open'}`;
        throw error;
      })
      .finally(() => this.waiters.delete(waiter));
  }

  closed(ms) {
    return this.wait(() => this.end, 'the end of the connection', ms);
  }

  // The next whole HTTP/1 response, taken from the bytes. `head`: it answers a HEAD request.
  response({ head = false, ms = PATIENCE } = {}) {
    return this.wait(() => {
      const parsed = parseResponse(this.bytes, head, this.end !== null);
      if (parsed) {
        this.bytes = this.bytes.subarray(parsed.size);
      } else if (this.end !== null) {
        throw new Error(`connection ended (${this.end}) before a whole response: ${JSON.stringify(this.text.slice(0, 400))}`);
      }
      return parsed;
    }, 'a response', ms);
  }

  destroy() {
    this.socket.destroy();
  }
}

function parseChunks(rest) {
  const parts = [];
  for (let at = 0; ;) {
    const line = rest.indexOf('\r\n', at);
    if (line < 0) {
      return null;
    }
    const size = parseInt(rest.subarray(at, line).toString('latin1'), 16);
    at = line + 2;
    if (size === 0) {
      const trailers = {};
      for (;;) {
        const end = rest.indexOf('\r\n', at);
        if (end < 0) {
          return null;
        }
        const text = rest.subarray(at, end).toString('latin1');
        at = end + 2;
        if (text === '') {
          return { body: Buffer.concat(parts), size: at, trailers };
        }
        trailers[text.slice(0, text.indexOf(':')).toLowerCase()] = text.slice(text.indexOf(':') + 1).trim();
      }
    }
    if (rest.length < at + size + 2) {
      return null;
    }
    parts.push(rest.subarray(at, at + size));
    at += size + 2;
  }
}

function parseResponse(bytes, head, ended) {
  const split = bytes.indexOf('\r\n\r\n');
  if (split < 0) {
    return null;
  }
  const lines = bytes.subarray(0, split).toString('latin1').split('\r\n');
  const status = Number(lines[0].split(' ')[1]);
  const rawHeaders = lines.slice(1).map((line) => [line.slice(0, line.indexOf(':')), line.slice(line.indexOf(':') + 1).trim()]);
  const headers = {};
  for (const [name, value] of rawHeaders) {
    const key = name.toLowerCase();
    headers[key] = key in headers ? `${headers[key]}, ${value}` : value;
  }
  const start = split + 4;
  const made = (body, size, trailers = {}) => ({ line: lines[0], status, headers, rawHeaders, body, trailers, size });
  if (head || status < 200 || status === 204 || status === 304) {
    return made(Buffer.alloc(0), start);
  }
  if (headers['transfer-encoding']) {
    const chunks = parseChunks(bytes.subarray(start));
    return chunks && made(chunks.body, start + chunks.size, chunks.trailers);
  }
  if (headers['content-length'] !== undefined) {
    const length = Number(headers['content-length']);
    return bytes.length < start + length ? null : made(bytes.subarray(start, start + length), start + length);
  }
  return ended ? made(bytes.subarray(start), bytes.length) : null;
}

// ---- the gateway

class Gateway {
  constructor(folder) {
    this.folder = folder;
    this.log = []; // parsed lines
    this.unparsed = []; // whatever else was printed
    this.exited = null; // {code, signal}
    this.sessions = new Set();
    this.sockets = new Set();
  }

  get data() {
    return path.join(this.folder, 'data');
  }

  // -- files

  #write(name, object) {
    const file = path.join(this.folder, name);
    fs.mkdirSync(path.dirname(file), { recursive: true });
    fs.writeFileSync(`${file}.new`, typeof object === 'string' || Buffer.isBuffer(object) ? object : `${JSON.stringify(object, null, 1)}\n`);
    fs.renameSync(`${file}.new`, file);
    return file;
  }

  // A file in the temporary folder, for ca_file and the like; its path.
  file(name, content) {
    return this.#write(name, content);
  }

  // Writes a tenant file. Passwords become hashes (without either: PASSWORD), injected values become files, and the
  // service, a certificate for the hosts and its path are filled in where nothing is said.
  tenant(object) {
    const made = structuredClone(object);
    made.service ??= SERVICE;
    if (!made.certificates) {
      const name = `${made.tenant}-${randomBytes(4).toString('hex')}`;
      const { cert, key } = this.authority.issue(name, made.hosts);
      made.certificates = [{ cert_file: cert, key_file: key }];
    }
    for (const user of made.users ?? []) {
      if (!user.password_hash && (user.backend ?? 'local') === 'local') {
        user.password_hash = hashPassword(user.password ?? PASSWORD);
      }
      delete user.password;
    }
    for (const app of made.apps ?? []) {
      for (const inject of app.inject ?? []) {
        if (inject.value !== undefined) {
          inject.value_file = this.#write(`secrets/${made.tenant}-${app.name}-${inject.header}`, inject.value);
          delete inject.value;
        }
      }
    }
    this.certificates ??= {};
    this.certificates[made.tenant] = made.certificates;
    this.#write(`tenants/${made.tenant}.yaml`, made);
    return made;
  }

  // -- start

  async start(tenants, settings, { environment, programs, through }) {
    const folder = this.folder;
    fs.chmodSync(folder, 0o755); // the programs give up root
    fs.mkdirSync(path.join(folder, 'tenants'));
    fs.writeFileSync(path.join(folder, 'root.key'), randomBytes(32), { mode: 0o400 });
    this.authority = makeAuthority(folder);
    [this.port, this.observe] = await freePorts(2);
    this.settings = {
      listen: [`127.0.0.1:${this.port}`],
      observe: `127.0.0.1:${this.observe}`,
      tenants: 'tenants',
      data: this.data,
      root_key_file: path.join(folder, 'root.key'),
      uid_base: UID_BASE,
      services: [{ name: SERVICE }],
      ...settings,
    };
    this.#write('sekisho.yaml', this.settings);
    for (const tenant of tenants) {
      this.tenant(tenant);
    }
    this.environment = environment;
    this.programs = programs; // their folder, or none: those of the build
    this.through = through; // a command that executes the supervisor, or none
    await this.run();
  }

  // Starts the supervisor on what is in the folder; also after stop() or kill of an earlier one.
  async run() {
    this.exited = null;
    const [program, ...args] = [...this.through ?? [], SEKISHOD, '--config', path.join(this.folder, 'sekisho.yaml'),
      ...(this.programs ? ['--programs', this.programs] : [])];
    this.child = spawn(program, args, { stdio: ['ignore', 'pipe', 'pipe'], env: { ...process.env, ...this.environment } });
    this.ended = new Promise((resolve) => {
      this.child.on('exit', (code, signal) => {
        this.exited = { code, signal };
        resolve(this.exited);
      });
    });
    this.child.on('error', (error) => {
      this.unparsed.push(String(error));
      this.exited ??= { code: -1, signal: null };
    });
    for (const stream of [this.child.stdout, this.child.stderr]) {
      let rest = '';
      stream.setEncoding('utf8').on('data', (text) => {
        const lines = (rest + text).split('\n');
        rest = lines.pop();
        for (const line of lines) {
          this.#line(line);
        }
      });
    }
    await until(async () => {
      if (this.exited) {
        throw new Error(`the gateway ended (${JSON.stringify(this.exited)}) instead of starting:\n${this.said()}`);
      }
      return this.ready();
    }, () => `readyz 200; the gateway said:\n${this.said()}`, 30000);
    // readyz answers for one worker; this line says that all of them serve.
    await this.logged((line) => line.id === 'SK1006');
  }

  #line(text) {
    if (process.env.SEKISHO_SHOW_LOG) {
      process.stderr.write(`${text}\n`);
    }
    try {
      this.log.push(JSON.parse(text));
    } catch {
      this.unparsed.push(text);
    }
  }

  said() {
    return [...this.log.map((line) => JSON.stringify(line)), ...this.unparsed].slice(-40).join('\n');
  }

  // -- observe listener

  observed(page) {
    return new Promise((resolve, reject) => {
      http.get({ host: '127.0.0.1', port: this.observe, path: page, agent: false, timeout: 5000 }, (response) => {
        let body = '';
        response.setEncoding('utf8').on('data', (text) => { body += text; });
        response.on('end', () => resolve({ status: response.statusCode, body }));
        response.on('error', reject);
      }).on('timeout', function timeout() { this.destroy(new Error('observe: timeout')); }).on('error', reject);
    });
  }

  async ready() {
    try {
      return (await this.observed('/readyz')).status === 200;
    } catch {
      return false;
    }
  }

  // All metrics as {name: number}, without the prefix sekisho_.
  async metrics() {
    const { body } = await this.observed('/metrics');
    const all = {};
    for (const line of body.split('\n')) {
      const match = /^sekisho_(\S+) (\S+)$/.exec(line);
      if (match) {
        all[match[1]] = Number(match[2]);
      }
    }
    return all;
  }

  // The first log line from index `from` on that fits.
  logged(fits, { from = 0, ms = PATIENCE } = {}) {
    return until(() => this.log.slice(from).find(fits), () => `a log line; the gateway said:\n${this.said()}`, ms);
  }

  // Changes files, then SIGHUP. `change(gateway)` writes them; returns the line SK1102 (in force on all workers) or
  // SK1101 (refused).
  async reload(change) {
    await change?.(this);
    const from = this.log.length;
    this.child.kill('SIGHUP');
    const line = await this.logged(({ id }) => id === 'SK1102' || id === 'SK1101', { from });
    if (line.id === 'SK1102') {
      await this.logged(({ id, generation }) => id === 'SK1006' && generation >= line.generation, { from });
    }
    return line;
  }

  // -- journal

  records() {
    const out = execFileSync(SEKISHO, ['journal', 'show', '--root-key', this.settings.root_key_file, path.join(this.data, 'journal')],
      { maxBuffer: 1 << 30, stdio: ['ignore', 'pipe', 'pipe'] });
    return out.toString('utf8').split('\n').filter(Boolean).map((line) => JSON.parse(line));
  }

  // All records that fit `fits` (a function, or an object of fields that must be equal), once there is one.
  async recorded(fits, what) {
    const test = typeof fits === 'function' ? fits : (record) => Object.entries(fits).every(([name, value]) => record[name] === value);
    let last = [];
    return until(() => {
      last = this.records();
      const found = last.filter(test);
      return found.length ? found : null;
    }, () => `a record ${what ?? JSON.stringify(fits)}; the last ones:\n${last.slice(-8).map((r) => JSON.stringify(r)).join('\n')}`, 5000, 50);
  }

  // The public key of its checkpoints.
  key() {
    return execFileSync(SEKISHO, ['journal', 'key', path.join(this.folder, 'sekisho.yaml')], { encoding: 'utf8' }).trim();
  }

  get checkpoints() {
    return path.join(this.data, 'signer', 'checkpoints');
  }

  // The journal, opened and held to what is signed.
  verify(...options) {
    // In its first second nothing is signed yet: the file is its header.
    const signed = ['--root-key', this.settings.root_key_file, ...(fs.statSync(this.checkpoints).size > 4096 ? ['--key', this.key(), '--checkpoint', this.checkpoints] : [])];
    try {
      return { status: 0, text: execFileSync(VERIFY, [...signed, ...options, path.join(this.data, 'journal')], { stdio: 'pipe' }).toString() };
    } catch (error) {
      return { status: error.status, text: `${error.stdout}${error.stderr}` };
    }
  }

  // -- processes

  // Process ids of the children of a kind ('worker', 'auth', ...), or of all.
  pids(kind) {
    const { pid } = this.child;
    let text = '';
    try {
      text = fs.readFileSync(`/proc/${pid}/task/${pid}/children`, 'utf8');
    } catch {
      return [];
    }
    return text.trim().split(' ').filter(Boolean).map(Number).filter((child) => {
      try {
        const name = path.basename(fs.readlinkSync(`/proc/${child}/exe`)).replace(' (deleted)', '');
        return kind ? name === `sekisho-${kind}` : true;
      } catch {
        return false;
      }
    });
  }

  // Kills all processes of a kind (or the one at `index`); their ids.
  kill(kind, signal = 'SIGKILL', index = undefined) {
    const all = this.pids(kind);
    const chosen = index === undefined ? all : [all[index]];
    this.killing ||= signal !== 'SIGSTOP';
    for (const pid of chosen) {
      process.kill(pid, signal);
    }
    return chosen;
  }

  // The largest resident set among the workers, in bytes; `peak`: since their start.
  workerMemory(peak = false) {
    const name = peak ? 'VmHWM' : 'VmRSS';
    return Math.max(0, ...this.pids('worker').map((pid) => {
      const match = new RegExp(`^${name}:\\s+(\\d+) kB`, 'm').exec(fs.readFileSync(`/proc/${pid}/status`, 'utf8'));
      return match ? Number(match[1]) * 1024 : 0;
    }));
  }

  // -- clients

  basic(user, password = PASSWORD) {
    return `Basic ${Buffer.from(`${user}:${password}`).toString('base64')}`;
  }

  #tlsOptions(host, options = {}) {
    return {
      host: '127.0.0.1',
      port: this.port,
      servername: host,
      ca: this.authority.pem,
      ...options,
    };
  }

  // A TLS connection with the server name `host`; options go to tls.connect. Resolves after the handshake.
  tls(host, options = {}) {
    const socket = tls.connect(this.#tlsOptions(host, options));
    this.#keep(socket);
    return deadline(new Promise((resolve, reject) => {
      socket.once('secureConnect', () => {
        socket.removeListener('error', reject);
        resolve(socket);
      });
      socket.once('error', reject);
      socket.once('close', () => reject(new Error('closed before the handshake was over')));
    }), `a TLS handshake for ${host}`);
  }

  #keep(socket) {
    this.sockets.add(socket);
    socket.on('close', () => this.sockets.delete(socket));
  }

  // Raw bytes inside TLS: a Wire. HTTP/1 by default.
  async rawTls(host, options = {}) {
    const socket = await this.tls(host, { ALPNProtocols: ['http/1.1'], ...options });
    return new Wire(socket);
  }

  // Raw bytes on the TLS port, without TLS.
  async raw() {
    const socket = net.connect(this.port, '127.0.0.1');
    this.#keep(socket);
    await new Promise((resolve, reject) => { socket.once('connect', resolve).once('error', reject); });
    return new Wire(socket);
  }

  // An HTTP/2 session; closed by stop() at the latest.
  async h2(host, options = {}) {
    const session = http2.connect(`https://${host}`, { ...options,
      createConnection: () => tls.connect(this.#tlsOptions(host, { ALPNProtocols: ['h2'], ...options.tls })) });
    this.sessions.add(session);
    session.on('close', () => this.sessions.delete(session));
    session.on('error', () => {});
    await deadline(new Promise((resolve, reject) => {
      session.once('remoteSettings', resolve).once('error', reject).once('close', () => reject(new Error('h2 session closed')));
    }), `an HTTP/2 session for ${host}`);
    return session;
  }

  // An agent that keeps connections to one host alive.
  agent(options = {}) {
    return new https.Agent({ keepAlive: true, maxSockets: 1, ...options });
  }

  // One whole request. {host, method, path, headers, body (string, Buffer or stream), version, user, password, agent,
  // session, tls, trailers, onResponse(stream)} → {status, headers, rawHeaders, body, text, json(), trailers}.
  async request(options = {}) {
    const o = { host: 'acme.test', method: 'GET', path: '/', version: 1, ...options, headers: { ...options.headers } };
    if (o.user) {
      o.headers.authorization ??= this.basic(o.user, o.password);
    }
    return deadline(o.version === 2 ? this.#request2(o) : this.#request1(o), `${o.method} ${o.host}${o.path}`, o.ms ?? 30000);
  }

  #request1(o) {
    return new Promise((resolve, reject) => {
      if (o.body !== undefined && typeof o.body.pipe !== 'function' && !Object.keys(o.headers).some((name) => /^(content-length|transfer-encoding)$/i.test(name))) {
        o.headers['content-length'] = Buffer.byteLength(o.body); // Node leaves DELETE and OPTIONS without a length
      }
      const request = https.request({ ...this.#tlsOptions(o.servername ?? o.host, o.tls), agent: o.agent ?? false, method: o.method, path: o.path,
        headers: { host: o.host, ...o.headers }, setHost: false });
      request.on('error', reject);
      request.on('response', (response) => {
        o.onResponse?.(response);
        const parts = [];
        response.on('data', (chunk) => parts.push(chunk));
        response.on('error', reject);
        response.on('end', () => resolve(answer(response.statusCode, response.headers, response.rawHeaders, parts, response.trailers,
          { rawTrailers: response.rawTrailers, socket: response.socket })));
      });
      if (o.trailers) {
        request.addTrailers(o.trailers);
      }
      send(request, o.body);
    });
  }

  async #request2(o) {
    const session = o.session ?? await this.h2(o.servername ?? o.host, { tls: o.tls });
    try {
      return await new Promise((resolve, reject) => {
        const headers = { ':method': o.method, ':path': o.path, ':authority': o.host, ...o.headers };
        const stream = session.request(headers, { waitForTrailers: Boolean(o.trailers), endStream: o.body === undefined && !o.trailers });
        const parts = [];
        let head, trailers = {};
        stream.on('response', (h) => { head = h; o.onResponse?.(stream, h); });
        stream.on('trailers', (t) => { trailers = { ...t }; });
        stream.on('wantTrailers', () => stream.sendTrailers(o.trailers));
        stream.on('data', (chunk) => parts.push(chunk));
        stream.on('error', reject);
        session.on('error', reject);
        stream.on('aborted', () => o.body?.unpipe?.(stream)); // answered before all of the body was sent
        stream.on('close', () => {
          if (!head) {
            reject(new Error(`h2 stream closed without a response, code ${stream.rstCode}`));
          } else if (stream.rstCode) {
            reject(new Error(`h2 stream reset, code ${stream.rstCode}, after status ${head[':status']}`));
          } else {
            resolve(answer(head[':status'], head, null, parts, trailers, {}));
          }
        });
        if (o.body !== undefined || o.trailers) {
          send(stream, o.body);
        }
      });
    } finally {
      if (!o.session) {
        session.close();
      }
    }
  }

  // -- stop

  closeClients() {
    for (const session of this.sessions) {
      session.destroy();
    }
    for (const socket of this.sockets) {
      socket.destroy();
    }
  }

  // SIGTERM; must end with 0 and leave no process. `keep`: leave the folder.
  async stop({ keep = Boolean(process.env.SEKISHO_KEEP) } = {}) {
    this.closeClients();
    if (this.child && !this.exited) {
      const children = this.pids();
      this.child.kill('SIGTERM');
      await deadline(this.ended, `the gateway's end; it said:\n${this.said()}`, 45000).catch((error) => {
        this.child.kill('SIGKILL');
        throw error;
      });
      const died = this.killing ? [] : this.log.filter(({ id }) => id === 'SK1004' || id === 'SK1005');
      if (died.length || /Sanitizer|runtime error:/.test(this.unparsed.join('\n'))) {
        throw new Error(`a process of the gateway died of itself:\n${this.said()}`);
      }
      const left = children.filter((pid) => fs.existsSync(`/proc/${pid}`));
      if (this.exited.code !== 0 || left.length) {
        throw new Error(`the gateway ended with ${JSON.stringify(this.exited)}, processes left: ${left}; it said:\n${this.said()}`);
      }
    }
    running.delete(this);
    if (keep) {
      process.stderr.write(`kept: ${this.folder}\n`);
    } else {
      fs.rmSync(this.folder, { recursive: true, force: true });
    }
  }
}

function answer(status, headers, rawHeaders, parts, trailers, more) {
  const body = Buffer.concat(parts);
  return { status, headers, rawHeaders, body, trailers, ...more,
    get text() { return body.toString('utf8'); },
    json() { return JSON.parse(body.toString('utf8')); } };
}

function send(writable, body) {
  if (body && typeof body.pipe === 'function') {
    body.pipe(writable);
  } else {
    writable.end(body);
  }
}

const running = new Set();

function remove(gateway) {
  if (!process.env.SEKISHO_KEEP) {
    fs.rmSync(gateway.folder, { recursive: true, force: true });
  }
}

// What no stop() ended, because a test failed in a way of its own.
process.on('exit', () => {
  for (const gateway of running) {
    gateway.child?.kill('SIGKILL'); // its children end when their channels do
    remove(gateway);
  }
});

export async function startGateway({ tenants = [], settings = {}, ...how } = {}) {
  const gateway = new Gateway(fs.mkdtempSync(path.join(os.tmpdir(), 'sekisho-e2e-')));
  running.add(gateway);
  try {
    await gateway.start(tenants, settings, how);
  } catch (error) {
    gateway.child?.kill('SIGKILL');
    throw error;
  }
  return gateway;
}
