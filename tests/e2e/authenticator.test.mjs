// What Chromium and its virtual authenticators make on a page of the gateway's host is what the verifier of the factor
// helpers takes (gateway/factor/webauthn.h), and is refused for the reason it should be refused for.
import assert from 'node:assert/strict';
import { execFileSync } from 'node:child_process';
import { randomBytes } from 'node:crypto';
import path from 'node:path';
import { after, before, describe, test } from 'node:test';
import { addAuthenticator, startChromium } from './lib/chromium.mjs';
import { BUILD, openTenant, startGateway } from './lib/gateway.mjs';
import { startUpstream } from './lib/upstream.mjs';

const ASK = path.join(BUILD, 'tests/unit/factor/ask-webauthn');
const RP = 'acme.test';
const [VERIFIED, ATTESTED, NOT_SYNCED] = [1, 2, 4]; // enum sk_factor_policy
const [UV, BE, BS] = [4, 8, 16]; // enum sk_factor_flag
const [ES256, EDDSA, RS256] = [-7, -8, -257];
const KEY = { transport: 'usb', hasResidentKey: false, hasUserVerification: false };

let gateway, upstream, chromium;

before(async () => {
  upstream = await startUpstream();
  gateway = await startGateway({ tenants: ['acme', 'beta'].map((name) => openTenant(name, upstream.url)), settings: { workers: 1 } });
  chromium = await startChromium(gateway);
});

after(async () => {
  await chromium?.stop();
  await gateway?.stop();
  await upstream?.close();
});

const hex = (base64url) => Buffer.from(base64url, 'base64url').toString('hex');

// The verifier's answer: {reason, …}, numbers as numbers, an algorithm with its sign, bytes as hexadecimal.
function ask(what, fields) {
  const question = { rp_id: Buffer.from(RP).toString('hex'), origins: Buffer.from(`https://${RP}`).toString('hex'),
    now: Math.floor(Date.now() / 1000), ...fields };
  const lines = execFileSync(ASK, [what, ...Object.entries(question).map(([name, value]) => `${name}=${value}`)], { encoding: 'utf8' }).trim().split('\n');
  const said = Object.fromEntries(lines.map((line) => line.split('=')));
  for (const name of ['counter', 'flags', 'attested']) {
    said[name] = Number(said[name]);
  }
  for (const name of ['reason', 'format']) {
    said[name] = Buffer.from(said[name] ?? '', 'hex').toString();
  }
  said.algorithm = Number(BigInt.asIntN(64, BigInt(said.algorithm ?? 0)));
  return said;
}

async function loginPage(t, host = RP) {
  const page = await chromium.page(t);
  await page.goto(`https://${host}/.sekisho/login`);
  return page;
}

// navigator.credentials.create: {made, verify(policy, more)}.
async function create(page, { algorithms = [ES256, RS256], resident = 'required', verification = 'required', attestation = 'none', rp = RP, user = 'dXNlcg' } = {}) {
  const challenge = randomBytes(32).toString('base64url');
  const made = await page.evaluate(async (options) => {
    const publicKey = PublicKeyCredential.parseCreationOptionsFromJSON(options);
    return (await navigator.credentials.create({ publicKey })).toJSON();
  }, { challenge, rp: { id: rp, name: 'Acme' }, user: { id: user, name: 'hanako', displayName: 'Hanako' }, attestation,
    pubKeyCredParams: algorithms.map((alg) => ({ type: 'public-key', alg })), authenticatorSelection: { residentKey: resident, userVerification: verification } });
  return { made, verify: (policy = 0, more = {}) => ask('register', { challenge: hex(challenge), policy, client_data: hex(made.response.clientDataJSON),
    attestation: hex(made.response.attestationObject), ...more }) };
}

// navigator.credentials.get, of any passkey or of those with the ids `allow`: {got, verify(registered, policy, more)}.
async function get(page, { allow = [], verification = 'required' } = {}) {
  const challenge = randomBytes(32).toString('base64url');
  const got = await page.evaluate(async (options) => {
    const publicKey = PublicKeyCredential.parseRequestOptionsFromJSON(options);
    return (await navigator.credentials.get({ publicKey })).toJSON();
  }, { challenge, rpId: RP, userVerification: verification, allowCredentials: allow.map((id) => ({ type: 'public-key', id })) });
  return { got, verify: (registered, policy = 0, more = {}) => ask('assert', { challenge: hex(challenge), policy, key: registered.key,
    counter: registered.counter, eligible: registered.flags & BE ? 1 : 0, client_data: hex(got.response.clientDataJSON),
    authenticator: hex(got.response.authenticatorData), signature: hex(got.response.signature), ...more }) };
}

test('a passkey: made, kept with its user, found again without a name, and its user verified', async (t) => {
  const page = await loginPage(t);
  const authenticator = await addAuthenticator(page);
  const user = randomBytes(16).toString('base64url');
  const { made, verify } = await create(page, { user });
  const registered = verify(VERIFIED | NOT_SYNCED);
  assert.deepEqual([registered.reason, registered.flags, registered.format, registered.algorithm], ['', UV, 'none', ES256]);
  assert.equal(registered.credential, hex(made.rawId));
  const [kept] = await authenticator.credentials();
  assert.deepEqual([kept.isResidentCredential, hex(kept.credentialId), hex(kept.userHandle), kept.rpId], [true, hex(made.rawId), hex(user), RP]);

  await page.goto(`https://${RP}/.sekisho/login?return=/elsewhere`); // the authenticator goes along
  const { got, verify: check } = await get(page);
  assert.deepEqual([got.rawId, got.response.userHandle], [made.rawId, user]);
  const said = check(registered, VERIFIED);
  assert.deepEqual([said.reason, said.flags, said.counter], ['', UV, registered.counter + 1]);
  assert.equal(check(registered, 0, { challenge: hex(randomBytes(32).toString('base64url')) }).reason, 'wrong-challenge');
  assert.equal(check(registered, 0, { origins: Buffer.from(`https://${RP}:8443`).toString('hex') }).reason, 'wrong-origin');
  assert.equal(check(registered, 0, { rp_id: Buffer.from('beta.test').toString('hex') }).reason, 'wrong-rp');
});

describe('algorithms', () => {
  for (const [name, algorithm] of Object.entries({ ES256, EDDSA, RS256 })) {
    test(name, async (t) => {
      const page = await loginPage(t);
      await addAuthenticator(page);
      const registered = (await create(page, { algorithms: [algorithm] })).verify();
      assert.deepEqual([registered.reason, registered.algorithm], ['', algorithm]);
      assert.equal((await get(page)).verify(registered).reason, '');
    });
  }
});

test('a security key without PIN: present, not verified, and known by its id alone', async (t) => {
  const page = await loginPage(t);
  await addAuthenticator(page, KEY);
  const { made, verify } = await create(page, { resident: 'discouraged', verification: 'discouraged' });
  const registered = verify();
  assert.deepEqual([registered.reason, registered.flags], ['', 0]);
  assert.equal(verify(VERIFIED).reason, 'user-not-verified');
  assert.deepEqual(made.response.transports, ['usb']);
  const { verify: check } = await get(page, { allow: [made.rawId], verification: 'discouraged' });
  assert.equal(check(registered).reason, '');
  assert.equal(check(registered, VERIFIED).reason, 'user-not-verified');
});

test('a key of the older kind, U2F', async (t) => {
  const page = await loginPage(t);
  await addAuthenticator(page, { ...KEY, protocol: 'u2f' });
  const { made, verify } = await create(page, { resident: 'discouraged', verification: 'discouraged', attestation: 'direct' });
  const registered = verify();
  assert.deepEqual([registered.reason, registered.format], ['', 'fido-u2f']);
  assert.equal((await get(page, { allow: [made.rawId], verification: 'discouraged' })).verify(registered).reason, '');
});

test('a statement by the maker counts when the root above it is known', async (t) => {
  const page = await loginPage(t);
  await addAuthenticator(page);
  const { made, verify } = await create(page, { attestation: 'direct' });
  const object = Buffer.from(made.response.attestationObject, 'base64url');
  const chain = object.indexOf('x5c') + 4; // an array of one certificate, which is its own issuer
  const roots = object.subarray(chain + 3, chain + 3 + object.readUInt16BE(chain + 1)).toString('hex');
  assert.deepEqual([verify().reason, verify().format, verify().attested], ['', 'packed', 0]);
  assert.equal(verify(ATTESTED).reason, 'attestation-untrusted');
  assert.deepEqual([verify(ATTESTED, { roots }).reason, verify(ATTESTED, { roots }).attested], ['', 1]);
  const deny = verify().aaguid;
  assert.equal(verify(0, { roots, deny }).reason, 'authenticator-not-allowed');
});

test('who is not recognised gets nothing where that is required', async (t) => {
  const page = await loginPage(t);
  const authenticator = await addAuthenticator(page);
  const registered = (await create(page)).verify();
  await authenticator.recognise(false);
  await assert.rejects(get(page), /NotAllowedError/);
  assert.equal((await get(page, { verification: 'discouraged' })).verify(registered, VERIFIED).reason, 'user-not-verified');
  await authenticator.recognise(true);
  assert.equal((await get(page)).verify(registered, VERIFIED).reason, '');
});

test('a copy of a key is noticed by its counter', async (t) => {
  const page = await loginPage(t);
  const authenticator = await addAuthenticator(page);
  const registered = (await create(page)).verify();
  const [credential] = await authenticator.credentials();
  const used = (await get(page)).verify(registered);
  assert.equal(used.reason, '');

  const thief = await loginPage(t);
  const copy = await addAuthenticator(thief);
  await copy.put(credential);
  assert.equal((await get(thief)).verify({ ...registered, counter: used.counter }).reason, 'counter-went-back');
  await copy.put({ ...credential, signCount: 1000 });
  assert.equal((await get(thief)).verify({ ...registered, counter: used.counter }).counter, 1001);
  const available = () => thief.evaluate(() => PublicKeyCredential.isUserVerifyingPlatformAuthenticatorAvailable());
  assert.equal(await available(), true);
  await copy.remove();
  assert.equal(await available(), false);
});

test('a synced passkey says so, and whoever changes that is refused', async (t) => {
  const page = await loginPage(t);
  const authenticator = await addAuthenticator(page, { defaultBackupEligibility: true, defaultBackupState: true });
  const { verify } = await create(page);
  const registered = verify();
  assert.deepEqual([registered.reason, registered.flags], ['', UV | BE | BS]);
  assert.equal(verify(NOT_SYNCED).reason, 'synced-passkey');
  assert.equal((await get(page)).verify(registered).reason, '');
  const [credential] = await authenticator.credentials();
  await authenticator.put({ ...credential, backupEligibility: false, backupState: false });
  assert.equal((await get(page)).verify(registered).reason, 'backup-flags-changed');
});

test('a page of another host makes no passkey for this one', async (t) => {
  const page = await loginPage(t, 'beta.test');
  await addAuthenticator(page);
  await assert.rejects(create(page), /SecurityError/);
});
