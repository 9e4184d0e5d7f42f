// Authorities that vouch for clients, as real ones do: with databases, revocation lists, and whatever is wrong with a certificate
// that should be refused.
import { execFileSync } from 'node:child_process';
import { X509Certificate } from 'node:crypto';
import fs from 'node:fs';
import path from 'node:path';

function openssl(...args) {
  execFileSync('openssl', args, { stdio: ['ignore', 'ignore', 'pipe'] });
}

// A time as openssl ca takes it, so many days from now.
function day(days) {
  return `${new Date(Date.now() + days * 86400000).toISOString().replace(/[-:T]/g, '').slice(0, 14)}Z`;
}

const KEYS = { ec: ['ec', 'ec_paramgen_curve:P-256'], rsa1024: ['rsa', 'rsa_keygen_bits:1024'], rsa2048: ['rsa', 'rsa_keygen_bits:2048'],
  ed25519: ['ed25519'] };

function makeKey(file, kind) {
  const [algorithm, option] = KEYS[kind];
  openssl('genpkey', '-algorithm', algorithm, ...(option ? ['-pkeyopt', option] : []), '-out', file);
}

export class Authority {
  // `own`: {issuer, key, pathlen, ca, constraints, md, from, to}; without an issuer it signs itself.
  constructor(folder, name, own = {}) {
    this.folder = path.join(folder, name);
    this.name = name;
    fs.mkdirSync(this.folder);
    fs.writeFileSync(this.file('index'), '');
    fs.writeFileSync(this.file('index.attr'), 'unique_subject = no\n');
    fs.writeFileSync(this.file('serial'), '1000\n');
    fs.writeFileSync(this.file('crlnumber'), '01\n');
    fs.writeFileSync(this.file('cnf'), `[ca]\ndefault_ca = d\n[d]\ndatabase = ${this.file('index')}\nserial = ${this.file('serial')}\n`
      + `crlnumber = ${this.file('crlnumber')}\nnew_certs_dir = ${this.folder}\ncertificate = ${this.file('crt')}\nprivate_key = ${this.file('key')}\n`
      + 'default_md = sha256\npolicy = p\ncopy_extensions = none\n[p]\ncommonName = optional\norganizationName = optional\n[crl]\nauthorityKeyIdentifier = keyid:always\n');
    makeKey(this.file('key'), own.key ?? 'ec');
    const basic = own.ca === false ? 'CA:FALSE' : `CA:TRUE${own.pathlen === undefined ? '' : `,pathlen:${own.pathlen}`}`;
    const extensions = [`basicConstraints=critical,${basic}`, 'keyUsage=critical,keyCertSign,cRLSign', 'subjectKeyIdentifier=hash',
      ...(own.constraints ? [`nameConstraints=critical,${own.constraints}`] : [])];
    if (own.issuer) {
      own.issuer.sign(this.file('key'), this.file('crt'), `/CN=${name}`, [...extensions, 'authorityKeyIdentifier=keyid:always'], own);
    } else {
      openssl('req', '-x509', '-new', '-key', this.file('key'), '-out', this.file('crt'), '-subj', `/CN=${name}`, '-days', '7',
        ...extensions.slice(0, 2).flatMap((extension) => ['-addext', extension]), ...extensions.slice(3).flatMap((extension) => ['-addext', extension]));
    }
    this.pem = fs.readFileSync(this.file('crt'), 'utf8');
    this.chain = own.issuer ? this.pem + own.issuer.chain : ''; // what its clients send behind their own
  }

  file(kind) {
    return path.join(this.folder, `ca.${kind}`);
  }

  sign(key, certificate, subject, extensions, { md = 'sha256', from = -1, to = 7 } = {}) {
    const request = `${certificate}.csr`;
    const file = `${certificate}.ext`;
    fs.writeFileSync(file, `[e]\n${extensions.map((line) => line.replace('=', ' = ')).join('\n')}\n`);
    openssl('req', '-new', '-key', key, '-out', request, '-subj', subject);
    openssl('ca', '-batch', '-notext', '-config', this.file('cnf'), '-in', request, '-out', certificate, '-md', md, '-extfile', file, '-extensions', 'e',
      '-startdate', day(from), '-enddate', day(to));
  }

  // {cert, key, fingerprint}, as tls.connect takes it. `own`: {key, san, usage, ca, subject, md, from, to}.
  client(name, own = {}) {
    const key = path.join(this.folder, `${name}.key`);
    const certificate = path.join(this.folder, `${name}.crt`);
    makeKey(key, own.key ?? 'ec');
    this.sign(key, certificate, own.subject ?? `/CN=${name}`, [`basicConstraints=critical,CA:${own.ca ? 'TRUE' : 'FALSE'}`,
      'keyUsage=critical,digitalSignature', 'subjectKeyIdentifier=hash', 'authorityKeyIdentifier=keyid:always',
      ...(own.usage === null ? [] : [`extendedKeyUsage=${own.usage ?? 'clientAuth'}`]), ...(own.san ? [`subjectAltName=${own.san}`] : [])], own);
    const leaf = fs.readFileSync(certificate, 'utf8');
    return { cert: leaf + this.chain, key: fs.readFileSync(key, 'utf8'), file: certificate,
      fingerprint: new X509Certificate(leaf).fingerprint256.replaceAll(':', '').toLowerCase() };
  }

  revoke(client) {
    openssl('ca', '-config', this.file('cnf'), '-revoke', client.file);
  }

  // A revocation list of some days ago, good until so many days from now.
  list(days = 1, since = -2) {
    const file = this.file('crl');
    openssl('ca', '-config', this.file('cnf'), '-gencrl', '-crlexts', 'crl', '-crl_lastupdate', day(since), '-crl_nextupdate', day(days), '-out', file);
    return fs.readFileSync(file, 'utf8');
  }
}
