// Debian's Chromium in front of a gateway: https://NAME.test is that gateway, nothing else but localhost has an address, and the tests'
// authority is the only one it trusts beyond its own, so certificates are checked as for anybody. All it keeps is in a
// temporary home, and nothing of it outlives the test file.
import { execFileSync } from 'node:child_process';
import fs from 'node:fs';
import os from 'node:os';
import path from 'node:path';
import { chromium } from 'playwright-core';

const PROGRAM = '/usr/bin/chromium';
const PATIENCE = 15000; // ms until a page that must show something counts as not showing it

// A home whose certificate store, which Chromium reads on Linux, trusts one more authority for servers.
function makeHome(authority) {
  const home = fs.mkdtempSync(path.join(os.tmpdir(), 'sekisho-chromium-'));
  const store = path.join(home, '.pki/nssdb');
  fs.mkdirSync(store, { recursive: true });
  const certutil = (...args) => execFileSync('certutil', ['-d', `sql:${store}`, ...args], { stdio: ['ignore', 'ignore', 'pipe'] });
  certutil('-N', '--empty-password');
  certutil('-A', '-n', 'tests', '-t', 'C,,', '-i', authority.cert);
  return home;
}

// What Chromium complains about on a page: what the console calls an error, a refusal by the Content-Security-Policy among
// them, and exceptions nobody caught. That the page itself came with an error's status is no complaint.
function watch(page) {
  const complaints = [];
  page.on('console', (message) => {
    const itself = message.text().startsWith('Failed to load resource: the server responded') && message.location().url === page.url();
    if (message.type() === 'error' && !itself) {
      complaints.push(message.text());
    }
  });
  page.on('pageerror', (error) => complaints.push(String(error)));
  return complaints;
}

class Chromium {
  constructor(home) {
    this.home = home;
  }

  async start(port) {
    this.browser = await chromium.launch({
      executablePath: PROGRAM,
      chromiumSandbox: false, // it has none for root
      env: { PATH: process.env.PATH, HOME: this.home, LANG: 'C.UTF-8' },
      args: [`--host-resolver-rules=MAP *.test:443 127.0.0.1:${port}, MAP localhost 127.0.0.1, MAP * ~NOTFOUND`],
    });
  }

  // The one page of a context of its own, gone when the test `t` ends; the test fails when Chromium complained of it.
  // `options` are playwright's: locale, javaScriptEnabled, colorScheme, viewport, …
  async page(t, options = {}) {
    const context = await this.browser.newContext(options);
    context.setDefaultTimeout(PATIENCE);
    const page = await context.newPage();
    const complaints = watch(page);
    t.after(async () => {
      await context.close();
      if (complaints.length) {
        throw new Error(`Chromium complains: ${[...new Set(complaints)].join('; ')}`);
      }
    });
    return page;
  }

  async stop() {
    await this.browser?.close();
    remove(this);
  }
}

const running = new Set();

function remove(started) {
  running.delete(started);
  fs.rmSync(started.home, { recursive: true, force: true });
}

export async function startChromium(gateway) {
  const started = new Chromium(makeHome(gateway.authority));
  running.add(started);
  try {
    await started.start(gateway.port);
  } catch (error) {
    remove(started);
    throw error;
  }
  return started;
}

// What no stop() ended: playwright kills the browser at this process's end, or it ends itself when the pipe to it does.
process.on('exit', () => running.forEach(remove));

// A picture of the whole page in the folder that SEKISHO_SHOTS names; without that, nothing.
export async function shoot(page, name) {
  if (process.env.SEKISHO_SHOTS) {
    await page.screenshot({ path: path.join(process.env.SEKISHO_SHOTS, `${name}.png`), fullPage: true });
  }
}

// ---- virtual authenticators

const INSIDE = { // one like those of a laptop or a telephone, whose user just touched the right finger to it
  protocol: 'ctap2',
  transport: 'internal',
  hasResidentKey: true,
  hasUserVerification: true,
  isUserVerified: true,
  automaticPresenceSimulation: true,
};

// A virtual authenticator of a page; it stays while the page goes elsewhere. Credentials are the DevTools protocol's
// WebAuthn.Credential: credentialId, privateKey, rpId, userHandle, signCount, backupEligibility, backupState, ….
class Authenticator {
  constructor(wire, id) {
    this.wire = wire;
    this.id = id;
  }

  send(method, parameters = {}) {
    return this.wire.send(`WebAuthn.${method}`, { authenticatorId: this.id, ...parameters });
  }

  async credentials() {
    return (await this.send('getCredentials')).credentials;
  }

  // Puts a credential in, instead of the one with its id: a copy of another authenticator's, or one with another counter.
  async put(credential) {
    const { credentialId } = credential;
    if ((await this.credentials()).some((held) => held.credentialId === credentialId)) {
      await this.send('removeCredential', { credentialId });
    }
    await this.send('addCredential', { credential });
  }

  // Whether its user is recognised from now on.
  recognise(yes) {
    return this.send('setUserVerified', { isUserVerified: yes });
  }

  async remove() {
    await this.send('removeVirtualAuthenticator');
    await this.wire.detach();
  }
}

// `options` replace those of INSIDE, key by key; {transport: 'usb', hasResidentKey: false, hasUserVerification: false} is a
// plain security key, {defaultBackupEligibility: true, defaultBackupState: true} one whose passkeys are synced.
export async function addAuthenticator(page, options = {}) {
  const wire = await page.context().newCDPSession(page);
  await wire.send('WebAuthn.enable', { enableUI: false });
  const { authenticatorId } = await wire.send('WebAuthn.addVirtualAuthenticator', { options: { ...INSIDE, ...options } });
  return new Authenticator(wire, authenticatorId);
}
