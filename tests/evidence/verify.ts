// Verifies an archive of evidence: gateway/journal/FORMAT.md, section Evidence. Written from that document alone, so that what it and sekisho-verify
// both say does not rest on one program. Where the document leaves a choice, the strict one is taken.
//   KEY ARCHIVE [CHECKPOINT...]      says in one line of JSON what holds, or at which step it fails; status 0, 1, or 2 when there was nothing to judge
import { createHash, createPublicKey, verify as isSignature, type KeyObject } from 'node:crypto';
import fs from 'node:fs';
import { pathToFileURL } from 'node:url';

const BLOCK = 512;
const WINDOW = 1 << 18; // What is held of a file at a time.
const NOTE_LIMIT = 1 << 20; // The sixteen signatures that a note may have by C2SP, and more, fit in it.
const RECORD_LIMIT = 4096;
const U64_MAX = (1n << 64n) - 1n;
const MEMBERS = ['evidence', 'checkpoint', 'left', 'tiles', 'right', 'salts', 'records'];
const TILE = 256n;
const SALT = 16;
const HASH = 32;
const HOUR = 3_600_000_000_000n; // Times are in ns.
const DAY = 24n * HOUR;

// What was given is not what it should be, and where.
class Failure extends Error {
  step: number;
  seq: bigint | null;

  constructor(step: number, what: string, seq: bigint | null = null) {
    super(what);
    this.step = step;
    this.seq = seq;
  }
}

// Bytes are no CBOR, or not the CBOR that they should be; who asked knows of which record.
class Malformed extends Error {}

class Misuse extends Error {}

const sha256 = (...parts: Uint8Array[]): Buffer => parts.reduce((hash, part) => hash.update(part), createHash('sha256')).digest();

// A stretch of a file. Positions are the stretch's own; whoever asks has made sure that they are in it.
class Source {
  descriptor: number;
  from: number;
  size: number;
  window: Buffer = Buffer.alloc(0);
  windowAt = 0;

  constructor(descriptor: number, from: number, size: number) {
    this.descriptor = descriptor;
    this.from = from;
    this.size = size;
  }

  // Where in the window they begin: at most WINDOW bytes.
  hold(at: number, count: number): number {
    if (at < this.windowAt || at + count > this.windowAt + this.window.length) {
      const window = Buffer.allocUnsafe(Math.min(WINDOW, this.size - at));
      for (let filled = 0; filled < window.length;) {
        const got = fs.readSync(this.descriptor, window, filled, window.length - filled, this.from + at + filled);
        if (got === 0) {
          throw new Misuse('the archive became shorter while it was read');
        }
        filled += got;
      }
      this.window = window;
      this.windowAt = at;
    }
    return at - this.windowAt;
  }

  bytes(at: number, count: number): Buffer {
    const from = this.hold(at, count);
    return this.window.subarray(from, from + count);
  }

  each(at: number, count: number, use: (chunk: Buffer) => void): void {
    for (let done = 0; done < count;) {
      const chunk = this.bytes(at + done, Math.min(WINDOW, count - done));
      use(chunk);
      done += chunk.length;
    }
  }

  isZero(at: number, count: number): boolean {
    let zero = true;
    this.each(at, count, (chunk) => { zero &&= chunk.every((byte) => byte === 0); });
    return zero;
  }

  part(at: number, size: number): Source {
    return new Source(this.descriptor, this.from + at, size);
  }
}

// ---- Step 1: the archive

// POSIX: octal digits, then spaces or NULs to the field's end.
function octal(field: Buffer): number | null {
  const match = /^([0-7]+)[ \0]+$/.exec(field.toString('latin1'));
  return match ? parseInt(match[1], 8) : null;
}

// A header's text: what is behind it is zeros.
function nameOf(field: Buffer): string | null {
  const match = /^([^\0]*)\0*$/.exec(field.toString('latin1'));
  return match ? match[1] : null;
}

// The size that a header tells of the member.
function readHeader(header: Buffer, member: string): number {
  const refuse = (what: string): never => { throw new Failure(1, `${member}: ${what}`); };
  if (header.every((byte) => byte === 0)) {
    refuse('is missing');
  }
  if (header.toString('latin1', 257, 265) !== 'ustar\x0000') {
    refuse('not the header of a ustar archive');
  }
  const sum = header.reduce((total, byte, at) => total + (at >= 148 && at < 156 ? 0x20 : byte), 0);
  if (octal(header.subarray(148, 156)) !== sum) {
    refuse('its header\'s checksum is wrong');
  }
  if (nameOf(header.subarray(0, 100)) !== member) {
    refuse('another member stands in its place');
  }
  if (header[156] !== 0x30) {
    refuse('not a plain file');
  }
  const zeros = [[157, 257], [345, 512]]; // A link's target; a prefix of the name, and what the header has no use for.
  const numbers = [[100, 108], [108, 116], [116, 124], [136, 148]]; // Mode, owner, group, time.
  const devices = [[329, 337], [337, 345]];
  if (zeros.some(([from, to]) => header.subarray(from, to).some((byte) => byte !== 0))
    || numbers.some(([from, to]) => octal(header.subarray(from, to)) === null)
    || devices.some(([from, to]) => !/^[0-7]*[ \0]*$/.test(header.toString('latin1', from, to)))
    || nameOf(header.subarray(265, 297)) === null || nameOf(header.subarray(297, 329)) === null) {
    refuse('its header is not as a plain file\'s');
  }
  return octal(header.subarray(124, 136)) ?? refuse('its header has no size');
}

function openArchive(archive: Source): Source[] {
  let at = 0;
  const members = MEMBERS.map((member) => {
    if (archive.size - at < BLOCK) {
      throw new Failure(1, `${member}: the archive ends before it`);
    }
    const size = readHeader(archive.bytes(at, BLOCK), member);
    const padded = Math.ceil(size / BLOCK) * BLOCK;
    if (archive.size - at - BLOCK < padded) {
      throw new Failure(1, `${member}: the archive ends within it`);
    }
    const found = archive.part(at + BLOCK, size);
    if (!archive.isZero(at + BLOCK + size, padded - size)) {
      throw new Failure(1, `${member}: what fills its last block is not zero`);
    }
    at += BLOCK + padded;
    return found;
  });
  const rest = archive.size - at;
  if (!archive.isZero(at, rest)) {
    throw new Failure(1, 'there is something behind the last member');
  }
  if (rest < 2 * BLOCK || rest % BLOCK !== 0) {
    throw new Failure(1, 'the archive does not end with two blocks of zeros or more');
  }
  return members;
}

function readRange(member: Source): { first: bigint, end: bigint } {
  const text = member.size <= 128 ? member.bytes(0, member.size).toString('latin1') : '';
  const match = /^sekisho-evidence 1\nfirst (0|[1-9][0-9]{0,19})\nend (0|[1-9][0-9]{0,19})\n$/.exec(text);
  if (!match) {
    throw new Failure(1, 'evidence: not the lines that it should have');
  }
  const [first, end] = [BigInt(match[1]), BigInt(match[2])];
  if (first > end || end > U64_MAX) {
    throw new Failure(1, 'evidence: not a range');
  }
  return { first, end };
}

// ---- Step 2: checkpoints

type GatewayKey = { node: string, raw: Buffer, key: KeyObject };
type Checkpoint = { origin: string, tenant: string, size: bigint, root: Buffer, time: string };

// Standard base64 in its one form: what it decodes to is written so.
function unbase64(text: string): Buffer | null {
  const bytes = Buffer.from(text, 'base64');
  return bytes.toString('base64') === text ? bytes : null;
}

const keyId = (name: string, raw: Buffer): string => sha256(Buffer.from(`${name}\n`), Buffer.from([1]), raw).toString('hex', 0, 4);

function readKey(vkey: string): GatewayKey {
  const match = /^(sekisho\/([0-9a-f]{32}))\+([0-9a-f]{8})\+([A-Za-z0-9+/]{44})$/.exec(vkey);
  const bytes = match && unbase64(match[4]);
  if (!match || !bytes || bytes.length !== 33 || bytes[0] !== 1 || keyId(match[1], bytes.subarray(1)) !== match[3]) {
    throw new Misuse('KEY is not a gateway\'s key: sekisho/NODE+ID+BASE64');
  }
  const raw = bytes.subarray(1);
  return { node: match[2], raw, key: createPublicKey({ key: { kty: 'OKP', crv: 'Ed25519', x: raw.toString('base64url') }, format: 'jwk' }) };
}

// The note's text has the gateway's signature under the name. Of others' signatures C2SP says that they are ignored, when they are signatures at all.
function checkSignatures(text: string, lines: string[], name: string, { raw, key }: GatewayKey, refuse: (what: string) => never): void {
  let found = 0;
  for (const line of lines) {
    const match = /^— ([^\s+]+) ([A-Za-z0-9+/]+={0,2})$/.exec(line);
    const bytes = match && unbase64(match[2]);
    if (!match || !bytes || bytes.length < 5) {
      return refuse('a line behind its text is no signature');
    }
    if (match[1] === name && bytes.toString('hex', 0, 4) === keyId(name, raw)) {
      found += 1;
      if (bytes.length !== 68 || !isSignature(null, Buffer.from(text), key, bytes.subarray(4))) {
        refuse('the signature is wrong');
      }
    }
  }
  if (found !== 1) {
    refuse(found === 0 ? 'not signed by this key under its origin\'s name' : 'signed more than once');
  }
}

const CHECKPOINT = new RegExp('^(sekisho/([0-9a-f]{32})/[0-9a-f]{32}/([0-9a-f]{32}))\n(0|[1-9][0-9]{0,19})\n([A-Za-z0-9+/]{43}=)\n'
  + 'time ([0-9]{4}-[0-9]{2}-[0-9]{2}T[0-9]{2}:[0-9]{2}:[0-9]{2}\\.[0-9]{3}Z)\nclock (?:(?:set|free) (?:0|[1-9][0-9]{0,19}) us|unknown)\n$');

function isTime(text: string): boolean {
  const time = new Date(text);
  return !Number.isNaN(time.getTime()) && time.toISOString() === text;
}

const nanoseconds = (time: string): bigint => BigInt(Date.parse(time)) * 1_000_000n;

function readCheckpoint(note: Buffer, key: GatewayKey, what: string): Checkpoint {
  const refuse = (why: string): never => { throw new Failure(2, `${what}: ${why}`); };
  let whole = '';
  try {
    whole = new TextDecoder('utf-8', { fatal: true, ignoreBOM: true }).decode(note);
  } catch {
    refuse('not a note: no UTF-8');
  }
  const blank = whole.lastIndexOf('\n\n');
  if (blank < 0 || !whole.endsWith('\n') || /[\0-\x09\x0b-\x1f]/.test(whole)) {
    refuse('not a note');
  }
  const text = whole.slice(0, blank + 1);
  const match = CHECKPOINT.exec(text);
  if (!match) {
    return refuse('its text is not a checkpoint\'s');
  }
  const [, origin, node, tenant, size, root, time] = match;
  checkSignatures(text, whole.slice(blank + 2, -1).split('\n'), origin, key, refuse);
  const hash = unbase64(root);
  if (BigInt(size) > U64_MAX || !hash || !isTime(time)) {
    return refuse('its text is not a checkpoint\'s');
  }
  if (node !== key.node) {
    refuse('of another gateway than the key');
  }
  return { origin, tenant, size: BigInt(size), root: hash, time };
}

// ---- Step 3: the tree

const node = (left: Buffer, right: Buffer): Buffer => sha256(Buffer.from([1]), left, right);

// The tree of what was added so far, by its peaks. What is added is a whole subtree that may stand there: it is not larger than the last peak.
class Tree {
  peaks: { leaves: bigint, hash: Buffer }[] = [];
  size = 0n;

  add(leaves: bigint, hash: Buffer): void {
    this.size += leaves;
    let peak = { leaves, hash };
    while (this.peaks.at(-1)?.leaves === peak.leaves) {
      peak = { leaves: peak.leaves * 2n, hash: node(this.peaks.pop()!.hash, peak.hash) };
    }
    this.peaks.push(peak);
  }

  // Of no leaves, the hash of nothing: RFC 9162, section 2.1.1.
  root(): Buffer {
    return this.peaks.length === 0 ? sha256() : this.peaks.map(({ hash }) => hash).reduceRight((right, left) => node(left, right));
  }

  // The tree of this one's leaves, and the other's behind them.
  with(other: Tree): Tree {
    const both = new Tree();
    both.peaks = [...this.peaks];
    both.size = this.size;
    other.peaks.forEach(({ leaves, hash }) => both.add(leaves, hash));
    return both;
  }
}

// How many leaves each of the subtrees has that make up [from, to).
function* subtrees(from: bigint, to: bigint, bound: bigint): Generator<bigint> {
  while (from < to) {
    let leaves = from === 0n ? bound : from & -from;
    leaves = leaves > bound ? bound : leaves;
    while (leaves > to - from) {
      leaves >>= 1n;
    }
    yield leaves;
    from += leaves;
  }
}

const UNBOUNDED = 1n << 63n; // No subtree of fewer than 2^64 leaves is larger.

// Adds a member's roots to the tree: just as many as make up [tree's size, to).
function addRoots(tree: Tree, to: bigint, bound: bigint, member: Source, name: string): void {
  let at = 0;
  for (const leaves of subtrees(tree.size, to, bound)) {
    if (member.size - at < HASH) {
      throw new Failure(3, `${name}: fewer roots than the range has subtrees`);
    }
    tree.add(leaves, member.bytes(at, HASH));
    at += HASH;
  }
  if (at !== member.size) {
    throw new Failure(3, `${name}: more than the roots of the range's subtrees`);
  }
}

// ---- Steps 4 and 5: records

type Head = { major: number, info: number, argument: number, next: number };

// An item's first bytes. An argument of 2^53 and more is not exact here: no length or count that large is met.
function readHead(source: Source, at: number, end: number): Head {
  if (at >= end) {
    throw new Malformed('it breaks off');
  }
  const from = source.hold(at, Math.min(9, end - at));
  const initial = source.window[from];
  const major = initial >> 5;
  const info = initial & 31;
  if (info < 24) {
    return { major, info, argument: info, next: at + 1 };
  }
  if (info > 27) {
    throw new Malformed(info === 31 ? 'an indefinite length' : 'a length of no meaning');
  }
  const width = 1 << (info - 24);
  if (end - at - 1 < width) {
    throw new Malformed('it breaks off');
  }
  const argument = width === 8 ? Number(source.window.readBigUInt64BE(from + 1)) : source.window.readUIntBE(from + 1, width);
  if (major === 7 && width === 1 && argument < 32) {
    throw new Malformed('a simple value of no meaning');
  }
  return { major, info, argument, next: at + 1 + width };
}

// Where the item ends that begins here, of whatever CBOR of definite lengths.
function endOfItem(source: Source, start: number): number {
  let at = start;
  for (let left = 1; left > 0; left--) {
    const { major, argument, next } = readHead(source, at, source.size);
    at = next;
    if (major === 2 || major === 3) {
      if (argument > source.size - at) {
        throw new Malformed('it breaks off');
      }
      at += argument;
    }
    left += major === 4 ? argument : major === 5 ? 2 * argument : major === 6 ? 1 : 0;
  }
  return at;
}

type Field = { major: number, sizes?: number[], limit?: number, values?: number[], below?: bigint };

const unsigned = (...values: number[]): Field => ({ major: 0, ...values.length > 0 && { values } });
const below = (limit: bigint): Field => ({ major: 0, below: limit });
const bytes = (...sizes: number[]): Field => ({ major: 2, sizes });
const text = (limit: number): Field => ({ major: 3, limit });
const OPS = [1, 2, 3, 4, 10, 11, 12, 13, 14, 15, 16, 17, 18, 20, 21, 30, 31, 32, 33, 34, 40, 41, 42, 43, 44];
const [PRUNED, HELD, KEPT] = [41n, 42n, 44n];

const FIELDS = new Map<bigint, Field>([
  [1n, unsigned(1)], [2n, bytes(16)], [3n, unsigned()], [4n, bytes(16)], [5n, unsigned()], [6n, unsigned()], [9n, unsigned(...OPS)],
  [10n, unsigned(1, 2, 3, 4, 5, 6, 7, 8)], [12n, unsigned(1, 2, 3, 4)], [13n, text(64)], [15n, text(512)], [20n, text(128)], [22n, text(64)], [23n, text(128)],
  [30n, bytes(4, 16)], [32n, below(1n << 16n)], [33n, text(128)], [40n, bytes(16)], [41n, text(32)], [42n, text(255)], [43n, text(1024)], [44n, text(64)],
  [45n, text(256)], [46n, text(128)], [47n, below(1n << 16n)], [48n, unsigned()], [49n, unsigned()], [50n, unsigned()], [60n, text(512)], [70n, unsigned()],
  [90n, text(128)],
]);

// An integer, which must be in its shortest form.
function readNumber(source: Source, at: number, head: Head): bigint {
  const value = head.info === 27 ? source.bytes(at + 1, 8).readBigUInt64BE() : BigInt(head.argument);
  const least = head.info < 24 ? 0n : head.info === 24 ? 24n : 1n << BigInt(8 << (head.info - 25));
  if (value < least) {
    throw new Malformed('a number longer than it needs to be');
  }
  return value;
}

const UTF8 = new TextDecoder('utf-8', { fatal: true });

// Bytes or text of a record, behind its head.
function readString(source: Source, { major, argument, next }: Head, end: number): Buffer {
  if (argument > end - next) {
    throw new Malformed('it breaks off');
  }
  const string = source.bytes(next, argument);
  try {
    if (major === 3) {
      UTF8.decode(string);
    }
  } catch {
    throw new Malformed('text that is not UTF-8');
  }
  return string;
}

// What a value is, as a field of this key may be.
function readValue(source: Source, at: number, end: number, key: bigint): { value: bigint | Buffer, next: number } {
  const field = FIELDS.get(key); // None, of a later version's key.
  const head = readHead(source, at, end);
  const refuse = (what: string): never => { throw new Malformed(`key ${key}: ${what}`); };
  if (field ? head.major !== field.major : ![0, 2, 3].includes(head.major)) {
    refuse('a value of another type');
  }
  const number = readNumber(source, at, head);
  if (field && number === 0n) {
    refuse('zero or empty, and present');
  }
  if (head.major === 0) {
    if (field?.values && !field.values.includes(Number(number)) || number >= (field?.below ?? U64_MAX + 1n)) {
      refuse('a number of no meaning');
    }
    return { value: number, next: head.next };
  }
  if (field && (field.sizes ? !field.sizes.includes(head.argument) : head.argument > field.limit!)) {
    refuse('a value of another length');
  }
  const value = readString(source, head, end);
  if ((key === 2n || key === 4n) && value.every((byte) => byte === 0)) {
    refuse('an id of zeros, and present');
  }
  return { value, next: head.next + value.length };
}

type Entry = { tenant: string, seq: bigint, time: bigint, op: bigint, stage: bigint, request: string, detail: string };

// A record, which must be just as the document's section CBOR has it.
function readRecord(source: Source, start: number, end: number): Entry {
  if (end - start > RECORD_LIMIT) {
    throw new Malformed('longer than any record');
  }
  const map = readHead(source, start, end);
  if (map.major !== 5) {
    throw new Malformed('not a map');
  }
  const count = readNumber(source, start, map);
  const entry: Entry = { tenant: '0'.repeat(32), seq: 0n, time: 0n, op: 0n, stage: 0n, request: '', detail: '' };
  let at = map.next;
  let last = -1n;
  for (let i = 0n; i < count; i++) {
    const head = readHead(source, at, end);
    if (head.major !== 0) {
      throw new Malformed('a key that is no integer, or below zero');
    }
    const key = readNumber(source, at, head);
    if (key <= last) {
      throw new Malformed('keys that do not ascend');
    }
    if (i === 0n && key !== 1n) {
      throw new Malformed('no version');
    }
    const { value, next } = readValue(source, head.next, end, key);
    if (key === 2n) {
      entry.tenant = (value as Buffer).toString('hex');
    } else if (key === 3n) {
      entry.seq = value as bigint;
    } else if (key === 5n) {
      entry.time = value as bigint;
    } else if (key === 9n) {
      entry.op = value as bigint;
    } else if (key === 10n) {
      entry.stage = value as bigint;
    } else if (key === 40n) {
      entry.request = (value as Buffer).toString('latin1');
    } else if (key === 60n) {
      entry.detail = (value as Buffer).toString();
    }
    last = key;
    at = next;
  }
  if (last < 1n) {
    throw new Malformed('no version');
  }
  return entry;
}

// Which intents came to something: an outcome is that of all intents of its request id before it.
class Pairs {
  open = 0;
  closedBefore = 0;
  waiting = new Map<string, number>();

  add({ stage, request }: Entry): void {
    if (stage === 1n || stage === 4n) {
      this.waiting.set(request, (this.waiting.get(request) ?? 0) + 1);
      this.open += 1;
    } else if (stage === 2n || stage === 6n || stage === 7n) {
      const closed = this.waiting.get(request);
      if (closed === undefined) {
        this.closedBefore += 1;
      } else {
        this.open -= closed;
        this.waiting.set(request, 0);
      }
    }
  }
}

// ---- Step 6: what was erased, and what should be

type Erasing = { first: bigint, end: bigint, days: bigint };

// What the range's trail-pruned, trail-held and trail-kept say, and the first that may not say it.
class Erasings {
  failure: Failure | null = null;
  days: bigint | null = null;
  pruned: Erasing | null = null;
  held: Erasing[] = [];

  add({ op, seq, time, detail }: Entry): void {
    if (op !== PRUNED && op !== HELD && op !== KEPT || this.failure) {
      return;
    }
    const refuse = (what: string): void => { this.failure = new Failure(6, `record ${seq}: ${what}`, seq); };
    if (op === KEPT) {
      const kept = /^days=([1-9][0-9]*)$/.exec(detail);
      if (!kept || BigInt(kept[1]) > 36600n) {
        return refuse('its detail says no number of days');
      }
      this.days = BigInt(kept[1]);
      return;
    }
    const match = /^first=(0|[1-9][0-9]*) end=(0|[1-9][0-9]*) until=([0-9]{4}-[0-9]{2}-[0-9]{2}) days=([1-9][0-9]*)$/.exec(detail);
    if (!match) {
      return refuse('its detail does not say what was erased');
    }
    const [first, end, days] = [match[1], match[2], match[4]].map(BigInt);
    const until = `${match[3]}T00:00:00.000Z`;
    if (first >= end || end > seq) {
      return refuse('its detail names no records before it');
    }
    if (!isTime(until) || until < '1971' || until >= '2400' || days > 36600n) {
      return refuse('its detail names no day, or too many');
    }
    if (op === HELD) {
      this.held.push({ first, end, days });
    } else if (time < nanoseconds(until) + days * DAY) {
      refuse(`erased before ${match[3]} and ${days} days`);
    } else {
      this.pruned = { first, end, days };
      this.days = days;
    }
  }
}

// The first record of the range, all of which are right, that should have been erased when the checkpoint was made; of the latest time up to it.
function checkAges(records: Source, first: bigint, end: bigint, { time, size }: Checkpoint, { days, held }: Erasings): void {
  if (days === null || end < size) {
    return;
  }
  const oldest = nanoseconds(time) - (days + 1n) * DAY - 2n * HOUR;
  const holds = held.sort((a, b) => (a.first < b.first ? -1 : a.first > b.first ? 1 : 0));
  let [at, hold] = [0, 0];
  let heldTo = 0n; // By the holds that begin at the record at hand, or before it.
  let latest = 0n;
  for (let seq = first; at < records.size; seq++) {
    const next = endOfItem(records, at);
    for (; holds[hold]?.first <= seq; hold++) {
      heldTo = holds[hold].end > heldTo ? holds[hold].end : heldTo;
    }
    const { time: own } = readRecord(records, at, next);
    latest = own > latest ? own : latest;
    if (seq >= heldTo && latest < oldest) {
      throw new Failure(6, `record ${seq}: kept for longer than ${days} days`, seq);
    }
    at = next;
  }
}

// ---- Steps 4 and 5: all records

type Evidence = { first: bigint, end: bigint, checkpoint: Checkpoint, left: Source, tiles: Source, salts: Source, records: Source };

// Roots that the leaves of the range make, of the sizes that are asked for.
type Roots = Map<bigint, Buffer>;

function checkRecords(evidence: Evidence, asked: Set<bigint>): { pairs: Pairs, erasings: Erasings, roots: Roots } {
  const { first, end, checkpoint, salts, records } = evidence;
  if (BigInt(salts.size) !== (end - first) * BigInt(SALT)) {
    throw new Failure(4, 'salts: not as many as the range has numbers');
  }
  const pairs = new Pairs();
  const erasings = new Erasings();
  const roots: Roots = new Map();
  const before = new Tree(); // What goes before the tile at hand.
  addRoots(before, first, UNBOUNDED, evidence.left, 'left');
  const note = (tile: Tree): void => {
    if (asked.has(before.size + tile.size)) {
      roots.set(before.size + tile.size, before.with(tile).root());
    }
  };
  note(new Tree());

  // There are the right number of records first, then each tile is right, then each record: what is found too early waits.
  let tileFailure: Failure | null = null;
  let recordFailure: Failure | null = null;
  let at = 0;
  let seq = first;
  let tileAt = 0;
  for (const leaves of subtrees(first, end, TILE)) {
    const tile = new Tree();
    for (const tileFirst = seq; seq < tileFirst + leaves; seq++) {
      const next = nextRecord(records, at);
      const hash = createHash('sha256').update(Buffer.from([0])).update(salts.bytes(Number(seq - first) * SALT, SALT));
      records.each(at, next - at, (chunk) => { hash.update(chunk); });
      tile.add(1n, hash.digest());
      note(tile);
      recordFailure ??= checkRecord(records, at, next, checkpoint, seq, [pairs, erasings]);
      at = next;
    }
    if (!tile.root().equals(evidence.tiles.bytes(tileAt, HASH))) {
      tileFailure ??= new Failure(4, `records ${seq - leaves} to ${seq - 1n}: not what the tile's root says`, seq - leaves);
    }
    before.add(leaves, tile.root());
    tileAt += HASH;
  }
  if (at !== records.size) {
    throw new Failure(4, 'records: more than the range has numbers');
  }
  const failure = tileFailure ?? recordFailure;
  if (failure) {
    throw failure;
  }
  return { pairs, erasings, roots };
}

function nextRecord(records: Source, at: number): number {
  if (at === records.size) {
    throw new Failure(4, 'records: fewer than the range has numbers');
  }
  try {
    return endOfItem(records, at);
  } catch (error) {
    throw error instanceof Malformed ? new Failure(4, `records: cannot be counted, for one is no CBOR: ${error.message}`) : error;
  }
}

function checkRecord(records: Source, at: number, next: number, { tenant }: Checkpoint, seq: bigint, uses: { add(entry: Entry): void }[]): Failure | null {
  try {
    const entry = readRecord(records, at, next);
    if (entry.tenant !== tenant) {
      return new Failure(5, `record ${seq}: another tenant's`, seq);
    }
    if (entry.seq !== seq) {
      return new Failure(5, `record ${seq}: its number is another`, seq);
    }
    uses.forEach((use) => use.add(entry));
    return null;
  } catch (error) {
    if (error instanceof Malformed) {
      return new Failure(5, `record ${seq}: not in deterministic form: ${error.message}`, seq);
    }
    throw error;
  }
}

// ---- All of it

function withFile<T>(path: string, use: (descriptor: number, size: number) => T): T {
  let descriptor: number;
  try {
    if (!fs.statSync(path).isFile()) {
      throw new Misuse(`${path}: not a file`);
    }
    descriptor = fs.openSync(path, 'r');
  } catch (error) {
    throw error instanceof Misuse ? error : new Misuse(`${path}: cannot be read: ${(error as NodeJS.ErrnoException).code}`);
  }
  try {
    return use(descriptor, fs.fstatSync(descriptor).size);
  } finally {
    fs.closeSync(descriptor);
  }
}

function readNote(source: Source, key: GatewayKey, what: string): Checkpoint {
  if (source.size > NOTE_LIMIT) {
    throw new Failure(2, `${what}: too long for a note`);
  }
  const parts: Buffer[] = [];
  source.each(0, source.size, (chunk) => { parts.push(Buffer.from(chunk)); });
  return readCheckpoint(Buffer.concat(parts), key, what);
}

function verifyArchive(archive: Source, key: GatewayKey, others: string[]): string {
  const [range, note, left, tiles, right, salts, records] = openArchive(archive);
  const { first, end } = readRange(range);

  const checkpoint = readNote(note, key, 'checkpoint');
  const further = others.map((path) => withFile(path, (descriptor, size) => ({ path, ...readNote(new Source(descriptor, 0, size), key, path) })));

  const { size } = checkpoint;
  if (end > size) {
    throw new Failure(3, 'evidence: its end is above the checkpoint\'s size');
  }
  const tree = new Tree();
  addRoots(tree, first, UNBOUNDED, left, 'left');
  addRoots(tree, end, TILE, tiles, 'tiles');
  addRoots(tree, size, UNBOUNDED, right, 'right');
  if (!tree.root().equals(checkpoint.root)) {
    throw new Failure(3, 'the tree has not the checkpoint\'s root');
  }

  const { pairs, erasings, roots } = checkRecords({ first, end, checkpoint, left, tiles, salts, records }, new Set(further.map((other) => other.size)));
  if (erasings.failure) {
    throw erasings.failure;
  }
  checkAges(records, first, end, checkpoint, erasings);

  roots.set(size, checkpoint.root);
  for (const other of further.filter(({ tenant }) => tenant === checkpoint.tenant)) {
    if (other.origin !== checkpoint.origin) {
      throw new Failure(7, `${other.path}: of another journal`);
    }
    const root = roots.get(other.size);
    if (!root) {
      throw new Failure(7, `${other.path}: of a size that the archive says nothing of`);
    }
    if (!root.equals(other.root)) {
      throw new Failure(7, `${other.path}: of another root than these records make`);
    }
  }
  return `{"good":true,"first":${first},"end":${end},"size":${size},"tenant":"${checkpoint.tenant}","time":"${checkpoint.time}",`
    + `"records":${end - first},"open":${pairs.open},"closed_before":${pairs.closedBefore},"pruned":${erasings.pruned?.end ?? null}}`;
}

// What is to be said of the arguments, and the exit status.
export function judge(args: string[]): { status: number, said: string } {
  try {
    if (args.length < 2) {
      throw new Misuse('usage: verify KEY ARCHIVE [CHECKPOINT...]');
    }
    const [vkey, path, ...others] = args;
    const key = readKey(vkey);
    return { status: 0, said: withFile(path, (descriptor, size) => verifyArchive(new Source(descriptor, 0, size), key, others)) };
  } catch (error) {
    if (error instanceof Failure) {
      return { status: 1, said: `{"good":false,"step":${error.step},"what":${JSON.stringify(error.message)},"seq":${error.seq}}` };
    }
    return { status: 2, said: `verify: ${error instanceof Error ? error.message : error}` };
  }
}

if (process.argv[1] && import.meta.url === pathToFileURL(fs.realpathSync(process.argv[1])).href) {
  const { status, said } = judge(process.argv.slice(2));
  (status === 2 ? console.error : console.log)(said);
  process.exitCode = status;
}
