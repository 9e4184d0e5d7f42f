// Archives of evidence, right ones and ones that were tampered with, and what a verifier must say of each. Made from gateway/journal/FORMAT.md alone, of
// records that nobody recorded, signed by keys that are no gateway's; always the same ones.
//   for (const { name, group, key, archive, checkpoints, expected, reading } of cases()) ...
// `expected` has good; of what is wrong step (6: one of `checkpoints` is not met) and seq; of what is right all that is to be said. `reading` says which
// choice an expectation rests on, where the document can be read in several ways.
import assert from 'node:assert/strict';
import { createHash, createPrivateKey, createPublicKey, sign } from 'node:crypto';

const sha256 = (...parts) => parts.reduce((hash, part) => hash.update(part), createHash('sha256')).digest();

// ---- Chance that is always the same

export class Chance {
  constructor(seed) {
    this.seed = seed;
    this.count = 0;
  }

  bytes(size) {
    const blocks = [];
    for (let have = 0; have < size; have += 32) {
      blocks.push(sha256(`${this.seed} ${this.count++}`));
    }
    return Buffer.concat(blocks).subarray(0, size);
  }

  below(bound) {
    return this.bytes(6).readUIntBE(0, 6) % bound;
  }

  of(list) {
    return list[this.below(list.length)];
  }
}

export function flipped(bytes, bit) {
  const other = Buffer.from(bytes);
  other[bit >> 3] ^= 1 << (bit & 7);
  return other;
}

const without = (list, i) => list.filter((_, at) => at !== i);
const changed = (list, i, value) => list.map((old, at) => (at === i ? value : old));
const swapped = (list, i) => list.map((old, at) => (at === i ? list[i + 1] : at === i + 1 ? list[i] : old));
const inserted = (list, i, value) => [...list.slice(0, i), value, ...list.slice(i)];
const doubled = (list, i) => list.flatMap((old, at) => (at === i ? [old, old] : [old]));

// ---- CBOR

// An item's head; `width` bytes behind the first one can make it longer than it needs to be.
function head(major, argument, width) {
  const value = BigInt(argument);
  const count = width ?? (value < 24n ? 0 : value < 1n << 8n ? 1 : value < 1n << 16n ? 2 : value < 1n << 32n ? 4 : 8);
  return count === 0 ? Buffer.from([major << 5 | Number(value)])
    : Buffer.concat([Buffer.from([major << 5 | 24 + Math.log2(count)]), Buffer.from(value.toString(16).padStart(2 * count, '0'), 'hex')]);
}

const unsigned = (value, width) => head(0, value, width);
const bytes = (value, width) => Buffer.concat([head(2, value.length, width), value]);
const text = (value, width) => Buffer.concat([head(3, Buffer.byteLength(value), width), Buffer.from(value)]);
const map = (entries, width) => Buffer.concat([head(5, entries.length, width), ...entries.flatMap(([key, value]) => [Buffer.isBuffer(key) ? key : unsigned(key), value])]);
const hex = (value) => Buffer.from(value.replaceAll(' ', ''), 'hex');

const OPERATOR = Buffer.alloc(16);
const STAGE = { intent: 1, outcome: 2, single: 3, start: 4, progress: 5, end: 6, unknown: 7, aggregate: 8 };

// What was "recorded", as [key, encoded value]. Not each field is in each, and now and then there is one that a later version might add.
function entriesOf(seq, tenant, stage, request, chance) {
  const always = [
    [1, unsigned(1)],
    ...tenant.equals(OPERATOR) ? [] : [[2, bytes(tenant)]],
    ...BigInt(seq) === 0n ? [] : [[3, unsigned(seq)]],
    [4, bytes(chance.bytes(16))], [5, unsigned(1_790_000_000_000_000_000n + BigInt(chance.below(1e12)))], [6, unsigned(1 + chance.below(1e12))],
    [9, unsigned(chance.of([1, 2, 3, 10, 20, 30, 40]))], [10, unsigned(stage)], [12, unsigned(1 + chance.below(4))],
    ...stage === STAGE.single ? [] : [[40, bytes(request)]],
    [60, text('d'.repeat(1 + chance.below(300)))],
  ];
  const sometimes = [
    [13, text('rule')], [15, text('tenants/acme/roles/all')], [20, text(chance.of(['hanako', '花子', 'x'.repeat(128)]))],
    [30, bytes(Buffer.concat([Buffer.from([10]), chance.bytes(chance.of([3, 15]))]))], [32, unsigned(1 + chance.below(65535))],
    [33, text('TLSv1.3 TLS_AES_128_GCM_SHA256')], [41, text('POST')], [42, text('acme.test')], [43, text(chance.of(['/', '/請求書/2026', `/${'x'.repeat(1023)}`]))],
    [47, unsigned(chance.of([200, 403, 502]))], [70, unsigned(chance.of([1, 23, 24, 255, 256, 65535, 65536, 4294967295, 4294967296]))],
    [91, text('later')], [500, unsigned(7)], [70000, bytes(Buffer.from('later'))],
  ];
  return [...always, ...sometimes.filter(() => chance.below(3) === 0)].sort(([a], [b]) => a - b);
}

// How many items a sequence has, or null when it is none: what is met by who splits records before looking at them.
function countItems(sequence) {
  let at = 0;
  const refuse = () => { throw new RangeError('no CBOR'); };
  const take = (count) => {
    at += count <= sequence.length - at ? count : refuse();
    return sequence.subarray(at - count, at);
  };
  // → whether it was a break; `inside` is the item of indefinite length that it is in.
  const item = (inside = null) => {
    const initial = take(1)[0];
    const [major, info] = [initial >> 5, initial & 31];
    if (initial === 0xff) {
      return inside !== null || refuse();
    }
    if (info > 27 && (info < 31 || major < 2 || major > 5) || (inside === 2 || inside === 3) && (major !== inside || info === 31)) {
      refuse();
    }
    if (info === 31) {
      let count = 0;
      while (!item(major)) {
        count += 1;
      }
      return major === 5 && count % 2 === 1 ? refuse() : false;
    }
    const argument = info < 24 ? BigInt(info) : BigInt(`0x${take(1 << (info - 24)).toString('hex')}`);
    if (major === 7 && info === 24 && argument < 32n) {
      refuse();
    }
    if (major === 2 || major === 3) {
      take(Number(argument));
    }
    for (let left = { 4: argument, 5: 2n * argument, 6: 1n }[major] ?? 0n; left > 0n; left--) {
      item();
    }
    return false;
  };
  try {
    let count = 0;
    for (; at < sequence.length; count++) {
      item();
    }
    return count;
  } catch (error) {
    return error instanceof RangeError ? null : assert.fail(error);
  }
}

// ---- Trees

// The subtrees that make up [from, to): [where it begins, how many leaves it has].
function subtreesOf(from, to, bound = 1n << 64n) {
  const found = [];
  for (let at = BigInt(from); at < BigInt(to);) {
    let leaves = 1n;
    while (at % (2n * leaves) === 0n && at + 2n * leaves <= BigInt(to) && 2n * leaves <= bound) {
      leaves *= 2n;
    }
    found.push([at, leaves]);
    at += leaves;
  }
  return found;
}

// The root of [from, to), by RFC 9162's definition; what is known of it, single leaves for one, is `known`, from where and how many leaves to the hash.
function rootOf(known, from, to) {
  const count = BigInt(to) - BigInt(from);
  if (count === 0n) {
    return sha256();
  }
  const found = known.get(`${from}+${count}`);
  if (found) {
    return found;
  }
  assert.ok(count > 1n, `leaf ${from} is not known`);
  let half = 1n;
  while (2n * half < count) {
    half *= 2n;
  }
  const root = sha256(Buffer.from([1]), rootOf(known, from, BigInt(from) + half), rootOf(known, BigInt(from) + half, to));
  known.set(`${from}+${count}`, root);
  return root;
}

// ---- Tar

// Fields of a header can be given otherwise, as bytes; its checksum is right unless it is given too.
function tarHeader(name, size, fields = {}) {
  const header = Buffer.alloc(512);
  const all = { name: [0, name], mode: [100, '0000644\0'], uid: [108, '0000000\0'], gid: [116, '0000000\0'], size: [124, `${size.toString(8).padStart(11, '0')}\0`],
    mtime: [136, '15123456701\0'], type: [156, '0'], link: [157, ''], magic: [257, 'ustar\x0000'], uname: [265, 'root'], gname: [297, 'root'], major: [329, '0000000\0'],
    minor: [337, '0000000\0'], prefix: [345, ''], rest: [500, ''] };
  for (const [field, [at, usual]] of Object.entries(all)) {
    Buffer.from(fields[field] ?? usual, 'latin1').copy(header, at);
  }
  header.fill(' ', 148, 156);
  const sum = header.reduce((total, byte) => total + byte, 0);
  Buffer.from(fields.checksum ?? `${sum.toString(8).padStart(6, '0')}\0 `, 'latin1').copy(header, 148);
  return header;
}

function tarEntry({ name, content, fields, padding = 0 }) {
  return Buffer.concat([tarHeader(name, content.length, fields), content, Buffer.alloc(-content.length & 511, padding)]);
}

const tar = (entries, end = Buffer.alloc(1024)) => Buffer.concat([...entries.map(tarEntry), end]);

// ---- Gateways, trails, checkpoints

function gatewayOf(seed) {
  const secret = sha256(`key ${seed}`);
  const key = createPrivateKey({ key: Buffer.concat([hex('302e020100300506032b657004220420'), secret]), format: 'der', type: 'pkcs8' });
  const raw = createPublicKey(key).export({ format: 'der', type: 'spki' }).subarray(-32);
  const node = sha256(`node ${seed}`).toString('hex', 0, 16);
  return { key, raw, node };
}

const keyIdOf = (name, raw) => sha256(name, Buffer.from([0x0a, 1]), raw).subarray(0, 4);
const vkeyOf = ({ node, raw }) => `sekisho/${node}+${keyIdOf(`sekisho/${node}`, raw).toString('hex')}+${Buffer.concat([Buffer.from([1]), raw]).toString('base64')}`;
const signatureLine = (signed, name, gateway) => `— ${name} ${Buffer.concat([keyIdOf(name, gateway.raw), sign(null, Buffer.from(signed), gateway.key)]).toString('base64')}\n`;

function noteOf(signed, name, gateway) {
  return `${signed}\n${signatureLine(signed, name, gateway)}`;
}

const TIME = '2026-11-27T08:24:18.928Z';
const BASE64 = 'ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/';
const textOf = (origin, size, root, time = TIME, clock = 'set 1500 us') => `${origin}\n${size}\n${root.toString('base64')}\ntime ${time}\nclock ${clock}\n`;

const GATEWAY = gatewayOf('ours');
const ACME = sha256('tenant acme').subarray(0, 16);
const BETA = sha256('tenant beta').subarray(0, 16);
const EPOCH = sha256('epoch').toString('hex', 0, 16);

// A tenant's records from `start` on. What is before that, and behind them up to the checkpoint's size, has made-up roots.
class Trail {
  constructor(tenant, start, records) {
    Object.assign(this, { tenant, start: BigInt(start), records, gateway: GATEWAY, epoch: EPOCH, known: new Map() });
    records.forEach(({ salt, cbor }, i) => this.known.set(`${this.start + BigInt(i)}+1`, sha256(Buffer.from([0]), salt, cbor)));
  }

  static made(tenant, start, size, seed) {
    const chance = new Chance(seed);
    const requests = Array.from({ length: 1 + Math.ceil(size / 3) }, () => chance.bytes(16));
    return new Trail(tenant, start, Array.from({ length: size }, (_, i) => {
      const entries = entriesOf(BigInt(start) + BigInt(i), tenant, 1 + chance.below(8), chance.of(requests), chance);
      return { salt: chance.bytes(16), cbor: map(entries), entries };
    }));
  }

  // With other records, or an altered one, of which the tree is made: as if the gateway itself had recorded and signed them.
  with(records) {
    return new Trail(this.tenant, this.start, records);
  }

  altered(seq, change) {
    const i = Number(BigInt(seq) - this.start);
    const cbor = change(this.records[i].entries);
    return this.with(changed(this.records, i, { ...this.records[i], cbor: Buffer.isBuffer(cbor) ? cbor : map(cbor) }));
  }

  get origin() {
    return `sekisho/${this.gateway.node}/${this.epoch}/${this.tenant.toString('hex')}`;
  }

  end() {
    return this.start + BigInt(this.records.length);
  }

  text(size = this.end()) {
    return textOf(this.origin, size, rootOf(this.known, 0n, size));
  }

  checkpoint(size = this.end()) {
    return noteOf(this.text(size), this.origin, this.gateway);
  }

  roots(from, to, bound) {
    return subtreesOf(from, to, bound).map(([at, leaves]) => rootOf(this.known, at, at + leaves));
  }

  of(list, first, end) {
    return this.records.slice(Number(BigInt(first) - this.start), Number(BigInt(end) - this.start)).map((record) => record[list]);
  }

  // The members' contents, in pieces where they are made of some.
  members(first, end, size = this.end()) {
    return { evidence: `sekisho-evidence 1\nfirst ${first}\nend ${end}\n`, checkpoint: this.checkpoint(size), left: this.roots(0n, first), tiles: this.roots(first, end, 256n),
      right: this.roots(end, size), salts: this.of('salt', first, end), records: this.of('cbor', first, end) };
  }

  // By the definition, record for record.
  told(first, end, size = this.end()) {
    const range = this.of('entries', first, end).map((entries) => Object.fromEntries(entries.map(([key, value]) => [key, value.toString('hex')])));
    const stageIn = (record, ...names) => names.some((name) => unsigned(STAGE[name]).toString('hex') === record[10]);
    const begins = (record) => stageIn(record, 'intent', 'start');
    const closes = (record) => stageIn(record, 'outcome', 'end', 'unknown');
    return { good: true, first: BigInt(first), end: BigInt(end), size: BigInt(size), tenant: this.tenant.toString('hex'), time: TIME, records: BigInt(end) - BigInt(first),
      open: range.filter((record, i) => begins(record) && !range.slice(i + 1).some((later) => closes(later) && later[40] === record[40])).length,
      closed_before: range.filter((record, i) => closes(record) && !range.slice(0, i).some((earlier) => begins(earlier) && earlier[40] === record[40])).length };
  }
}

const joined = (content) => (Array.isArray(content) ? Buffer.concat(content) : Buffer.from(content));
const entriesFor = (members) => Object.entries(members).map(([name, content]) => ({ name, content: joined(content) }));
const archiveOf = (members) => tar(entriesFor(members));
const tileFirst = (seq, first, end) => Number(subtreesOf(first, end, 256n).find(([at, leaves]) => BigInt(seq) < at + leaves)[0]);

// ---- Cases

const right = (name, archive, expected, more) => ({ name, archive, expected, ...more });
const wrong = (step, name, archive, seq = null, more = {}) => ({ name, archive, expected: { good: false, step, seq }, ...more });

// A range and a tree in which each member has several roots, and tiles several sizes.
const SMALL = { first: 5, end: 19, size: 24 };
const small = Trail.made(ACME, 0, SMALL.size, 'small');
const beta = Trail.made(BETA, 0, SMALL.size, 'beta');
const MEMBERS = () => small.members(SMALL.first, SMALL.end);
const EVIDENCE = (first, end) => `sekisho-evidence 1\nfirst ${first}\nend ${end}\n`;

const EDGES = [0, 1, 2, 3, 4, 5, 7, 8, 9, 15, 16, 17, 31, 32, 33, 63, 64, 65, 127, 128, 129, 255, 256, 257, 258, 511, 512, 513, 599, 600];

function* ranges() {
  const chance = new Chance('ranges');
  const large = Trail.made(ACME, 0, 600, 'large');
  const whole = (first, end, size) => right(`[${first}, ${end}) of ${size}`, archiveOf(large.members(first, end, size)), large.told(first, end, size));
  for (const size of EDGES) {
    const from = chance.below(size + 1);
    const to = from + chance.below(size - from + 1);
    const all = [[0, 0], [size, size], [from, from], [0, size], [0, to], [from, size], [from, to]];
    for (const [first, end] of new Map(all.map((range) => [String(range), range])).values()) {
      yield whole(first, end, size);
    }
  }
  const seen = new Set();
  while (seen.size < 120) {
    const size = chance.below(601);
    const first = chance.below(size + 1);
    const end = first + chance.below(size - first + 1);
    if (!EDGES.includes(size) && !seen.has(`${first} ${end} ${size}`)) {
      seen.add(`${first} ${end} ${size}`);
      yield whole(first, end, size);
    }
  }
  // Only from 512 on is there more than one way to make up a range of whole tiles.
  const larger = Trail.made(ACME, 0, 1300, 'larger');
  for (const [first, end] of [[512, 1024], [512, 1300], [511, 1025], [1024, 1300], [0, 1300], [768, 1300]]) {
    yield right(`[${first}, ${end}) of 1300`, archiveOf(larger.members(first, end)), larger.told(first, end));
  }
  for (const first of [0, 5, 23]) {
    yield right(`one record, ${first}`, archiveOf(small.members(first, first + 1)), small.told(first, first + 1));
  }
}

function* forms() {
  const told = small.told(SMALL.first, SMALL.end);
  const entries = entriesFor(MEMBERS());
  for (const blocks of [3, 20, 1000]) {
    yield right(`${blocks} blocks of zeros at the end`, tar(entries, Buffer.alloc(512 * blocks)), told);
  }
  const others = { mode: '0000400\0', uid: '0001750\0', gid: '0001750\0', mtime: '00000000000\0', uname: 'hanako', gname: 'staff' };
  yield right('another owner, mode and time', tar(entries.map((entry) => ({ ...entry, fields: others }))), told);
  yield right('numbers that end with a space', tar(entries.map((entry) => ({ ...entry, fields: { mode: '000644 \0', uid: '000000 \0', gid: '000000 \0',
    size: `${entry.content.length.toString(8).padStart(11, '0')} `, mtime: '15123456701 ' } }))), told);
  yield right('no device numbers', tar(entries.map((entry) => ({ ...entry, fields: { major: '', minor: '' } }))), told);
  for (const clock of ['set 0 us', 'free 16000000 us', 'unknown']) {
    const text = textOf(small.origin, SMALL.size, rootOf(small.known, 0, SMALL.size), TIME, clock);
    yield right(`clock ${clock}`, archiveOf({ ...MEMBERS(), checkpoint: noteOf(text, small.origin, GATEWAY) }), told);
  }
  const operator = Trail.made(OPERATOR, 0, 40, 'operator');
  yield right('the operator\'s own trail', archiveOf(operator.members(3, 37)), operator.told(3, 37));
  const witness = gatewayOf('witness');
  const reading = 'Checkpoints: a C2SP signed note may have others\' signatures, which are ignored';
  yield right('another\'s signature behind', archiveOf({ ...MEMBERS(), checkpoint: small.checkpoint() + signatureLine(small.text(), 'witness.example', witness) }), told, { reading });
  yield right('another\'s signature before', archiveOf({ ...MEMBERS(), checkpoint: `${small.text()}\n${signatureLine(small.text(), 'witness.example', witness)}`
    + signatureLine(small.text(), small.origin, GATEWAY) }), told, { reading });
}

// Numbers that are no doubles: what is before and behind is made up, and fits nevertheless.
function* numbers() {
  for (const [first, size, behind] of [[2n ** 32n - 3n, 6, 5], [2n ** 53n - 2n, 300, 70], [2n ** 63n - 3n, 6, 2n ** 62n], [2n ** 64n - 5n, 4, 0]]) {
    const trail = Trail.made(ACME, first, size, `at ${first}`);
    const [end, all] = [trail.end(), trail.end() + BigInt(behind)];
    for (const [from, to] of [[0n, first], [end, all]]) {
      subtreesOf(from, to).forEach(([at, leaves]) => trail.known.set(`${at}+${leaves}`, sha256(`made up ${at}`)));
    }
    const about = `[${first}, ${end}) of ${all}`;
    yield right(about, archiveOf(trail.members(first, end, all)), trail.told(first, end, all));
    const members = trail.members(first, end, all);
    yield wrong(4, `${about}: the last salt`, archiveOf({ ...members, salts: changed(members.salts, size - 1, flipped(members.salts[size - 1], 3)) }),
      subtreesOf(first, end, 256n).at(-1)[0]);
    const other = trail.altered(end - 1n, (entries) => entries.map(([key, value]) => [key, key === 3 ? unsigned(end - 2n) : value]));
    subtreesOf(0n, first).concat(subtreesOf(end, all)).forEach(([at, leaves]) => other.known.set(`${at}+${leaves}`, trail.known.get(`${at}+${leaves}`)));
    yield wrong(5, `${about}: the last number`, archiveOf(other.members(first, end, all)), end - 1n);
  }
}

function* archives() {
  const entries = entriesFor(MEMBERS());
  const bytesOf = tar(entries);
  const names = entries.map(({ name }) => name);
  const extra = { name: 'more', content: Buffer.from('more') };
  for (const [i, name] of names.entries()) {
    yield wrong(1, `no ${name}`, tar(without(entries, i)));
    yield wrong(1, `${name} twice`, tar(doubled(entries, i)));
    yield wrong(1, `${name} again at the end`, tar([...entries, entries[i]]));
    yield wrong(1, `a member before ${name}`, tar(inserted(entries, i, extra)));
    yield wrong(1, `${name} only`, tar([entries[i]]));
    const as = (what, fields, more) => wrong(1, `${name} ${what}`, tar(changed(entries, i, { ...entries[i], fields, ...more })));
    yield as('by another name', { name: `${name}.` });
    yield as('in a folder', { name: `./${name}` });
    yield as('in a folder by its prefix', { prefix: '.' });
    yield as('in capitals', { name: name.toUpperCase() });
    yield as('with more behind its name', { name: `${name}\0more` });
    for (const [what, type] of [['a link', '1'], ['a symbolic link', '2'], ['a device', '3'], ['a folder', '5'], ['a pipe', '6'], ['contiguous', '7'], ['an extension', 'x'],
      ['a global extension', 'g'], ['a long name', 'L'], ['a sparse file', 'S']]) {
      yield as(`as ${what}`, { type });
    }
    yield { ...as('as a file of older archives', { type: '\0' }), reading: 'Evidence: "POSIX ustar: plain files": type 0 only, not the NUL of older archives' };
    yield as('with a link\'s target', { link: 'evidence' });
    yield as('with GNU\'s magic', { magic: 'ustar  \0' });
    yield as('without magic', { magic: '\0\0\0\0\0\0\0\0' });
    yield as('with a wrong checksum', { checksum: '000000\0 ' });
    yield as('with a size of 8 GiB', { size: '77777777777\0' });
    yield as('with a size that is no number', { size: '0000000000x\0' });
    yield as('with a size in binary', { size: `\x80${'\0'.repeat(10)}\x01` });
    yield as('with a giant size in binary', { size: '\xff'.repeat(12) });
    yield as('without a size', { size: '\0'.repeat(12) });
    if (entries[i].content.length % 512 !== 0) {
      yield { ...as('with its last block not filled with zeros', {}, { padding: 1 }), reading: 'Evidence: what fills a member\'s last block is taken for part of the "zeros"' };
    }
  }
  for (const i of names.keys()) {
    for (let j = i + 1; j < names.length; j++) {
      yield wrong(1, `${names[i]} and ${names[j]} exchanged`, tar(entries.map((entry, at) => entries[at === i ? j : at === j ? i : at])));
    }
  }
  yield wrong(1, 'all in reverse', tar([...entries].reverse()));
  yield wrong(1, 'a member behind', tar([...entries, extra]));
  yield wrong(1, 'a member behind the zeros', Buffer.concat([bytesOf, tar([extra])]));
  yield wrong(1, 'zeros between members', Buffer.concat([...entries.slice(0, 3).map(tarEntry), Buffer.alloc(512), ...entries.slice(3).map(tarEntry), Buffer.alloc(1024)]));
  yield wrong(1, 'a byte behind', Buffer.concat([bytesOf, Buffer.from([1])]));
  yield wrong(1, 'a block behind', Buffer.concat([bytesOf, Buffer.alloc(512, 1)]));
  yield wrong(1, 'a byte among zeros', tar(entries, flipped(Buffer.alloc(10240), 8 * 5000)));
  yield wrong(1, 'a zero behind', Buffer.concat([bytesOf, Buffer.alloc(1)]), null, { reading: 'Evidence: zeros at the end are whole blocks' });
  yield wrong(1, 'no zeros at the end', tar(entries, Buffer.alloc(0)));
  yield wrong(1, 'one block of zeros', tar(entries, Buffer.alloc(512)));
  yield wrong(1, 'one byte less', bytesOf.subarray(0, -1));
  yield wrong(1, 'nothing', Buffer.alloc(0));
  yield wrong(1, 'nothing but zeros', Buffer.alloc(1024));
  yield wrong(1, 'chance', new Chance('archive').bytes(10240));
  for (let size = 512; size < bytesOf.length; size += 512) {
    yield wrong(1, `cut off at ${size}`, bytesOf.subarray(0, size));
    yield wrong(1, `cut off at ${size - 200}`, bytesOf.subarray(0, size - 200));
  }
  for (const content of ['', 'sekisho-evidence 2\nfirst 5\nend 19\n', 'sekisho-evidence 01\nfirst 5\nend 19\n', 'sekisho-evidence\nfirst 5\nend 19\n', 'first 5\nend 19\n',
    'sekisho-evidence 1\nend 19\nfirst 5\n', 'sekisho-evidence 1\nfirst 5\n', 'sekisho-evidence 1\nfirst 5\nend 19', 'sekisho-evidence 1\nfirst 5\nend 19\n\n',
    'sekisho-evidence 1\nfirst 5\nend 19\nmore\n', 'sekisho-evidence 1\r\nfirst 5\r\nend 19\r\n', 'sekisho-evidence 1\nfirst  5\nend 19\n', 'sekisho-evidence 1\nfirst 5 \nend 19\n',
    ' sekisho-evidence 1\nfirst 5\nend 19\n', 'sekisho-evidence 1\nfirst 5\nend 19\n\0', '\ufeffsekisho-evidence 1\nfirst 5\nend 19\n', 'Sekisho-evidence 1\nfirst 5\nend 19\n',
    ...[['05', 19], [5, '019'], ['+5', 19], [-5, 19], ['', 19], ['0x5', 19], ['5.0', 19], ['5e0', 19], ['five', 19], ['00', 19], [19, 5], [20, 19], [5, 2n ** 64n],
      [2n ** 64n + 5n, 2n ** 64n + 19n], [5, `1${'0'.repeat(40)}`], [5, '9'.repeat(100000)]].map(([first, end]) => EVIDENCE(first, end))]) {
    yield wrong(1, `evidence: ${JSON.stringify(content.slice(0, 60))}`, archiveOf({ ...MEMBERS(), evidence: content }));
  }
}

function* checkpoints() {
  const chance = new Chance('checkpoints');
  const members = MEMBERS();
  const as = (name, checkpoint, more) => wrong(2, name, archiveOf({ ...members, checkpoint }), null, more);
  const note = Buffer.from(members.checkpoint);
  const archive = archiveOf(members);
  const stranger = gatewayOf('stranger');
  yield wrong(2, 'another gateway\'s key', archive, null, { key: vkeyOf(stranger) });
  yield wrong(2, 'another key of this gateway\'s name', archive, null, { key: vkeyOf({ ...stranger, node: GATEWAY.node }) });
  yield wrong(2, 'this key as another gateway\'s', archive, null, { key: vkeyOf({ ...GATEWAY, node: stranger.node }),
    reading: 'Checkpoints: the NODE of the vkey and that of the origin are one' });
  for (let i = 0; i < note.length; i++) {
    yield as(`a bit of its byte ${i}`, flipped(note, 8 * i + chance.below(8)));
  }
  const text = small.text();
  yield as('signed by another', noteOf(text, small.origin, stranger));
  yield as('another\'s signature with this key\'s id', `${text}\n— ${small.origin} ${Buffer.concat([keyIdOf(small.origin, GATEWAY.raw), sign(null, Buffer.from(text), stranger.key)]).toString('base64')}\n`);
  for (const name of [beta.origin, `sekisho/${GATEWAY.node}`, `${small.origin}x`, 'sekisho', small.origin.toUpperCase()]) {
    yield as(`signed under the name ${name}`, noteOf(text, name, GATEWAY));
  }
  yield as('the name changed behind the signature', members.checkpoint.replaceAll(ACME.toString('hex'), BETA.toString('hex')));
  yield as('the name changed in the signature\'s line', members.checkpoint.replace(`— ${small.origin}`, `— ${beta.origin}`));
  yield as('a text of another tenant\'s, signature of this', `${beta.text()}\n${members.checkpoint.split('\n\n')[1]}`);
  yield as('a signature of another checkpoint', `${text}\n${small.checkpoint(20).split('\n\n')[1]}`);
  yield as('no signature', `${text}\n`);
  yield as('no blank line', members.checkpoint.replace('\n\n', '\n'));
  yield as('two blank lines', members.checkpoint.replace('\n\n', '\n\n\n'));
  yield as('only the text', text);
  yield as('nothing', '');
  yield as('no line feed at the end', members.checkpoint.slice(0, -1));
  yield as('another byte for the last line feed', `${members.checkpoint.slice(0, -1)}x`);
  yield as('a line feed more at the end', `${members.checkpoint}\n`);
  yield as('line feeds as of old', members.checkpoint.replaceAll('\n', '\r\n'));
  yield as('a hyphen for the dash', members.checkpoint.replace('—', '-'));
  yield as('a byte order mark', `\ufeff${members.checkpoint}`);
  yield as('a space behind the signature', `${members.checkpoint.slice(0, -1)} \n`);
  yield as('a signature cut off', noteOf(text, small.origin, GATEWAY).replace(/.{4}\n$/, '\n'));
  yield as('a signature of 63 bytes', `${text}\n— ${small.origin} ${Buffer.from(signatureLine(text, small.origin, GATEWAY).split(' ')[2], 'base64').subarray(0, -1).toString('base64')}\n`);
  yield as('a signature without padding', members.checkpoint.replace(/=+\n$/, '\n'));
  yield as('chance', chance.bytes(512));
  yield as('many lines', `${text}\n${signatureLine(text, 'witness.example', stranger).repeat(20000)}`);
  // What the gateway's key signed, and is no checkpoint of the document's.
  const reading = 'Checkpoints: text that is signed, and not exactly of the form that is shown';
  const root = rootOf(small.known, 0, SMALL.size);
  const signed = (name, what) => as(`signed: ${name}`, noteOf(what, what.split('\n')[0], GATEWAY), { reading });
  yield signed('size with a zero before it', textOf(small.origin, '024', root));
  yield signed('a size above 64 bits', textOf(small.origin, 2n ** 64n + 24n, root));
  yield signed('a negative size', textOf(small.origin, -24, root));
  yield signed('a root of 31 bytes', textOf(small.origin, 24, root.subarray(1)));
  yield signed('a root without padding', text.replace('=\n', '\n'));
  yield signed('a root with bits behind', text.replace(/.=\n/, ([last]) => `${BASE64[BASE64.indexOf(last) | 1]}=\n`));
  yield signed('no time', text.replace(/time .*\n/, ''));
  yield signed('no clock', text.replace(/clock .*\n/, ''));
  yield signed('time and clock exchanged', text.replace(/(time .*\n)(clock .*\n)/, '$2$1'));
  yield signed('a line more', `${text}more\n`);
  yield signed('a time that is none', textOf(small.origin, 24, root, '2026-13-27T08:24:18.928Z'));
  yield signed('a time without milliseconds', textOf(small.origin, 24, root, '2026-11-27T08:24:18Z'));
  yield signed('a time elsewhere', textOf(small.origin, 24, root, '2026-11-27T08:24:18.928+09:00'));
  yield signed('a clock that is none', textOf(small.origin, 24, root, TIME, 'right'));
  yield signed('an origin in capitals', textOf(small.origin.replace(EPOCH, EPOCH.toUpperCase()), 24, root));
  yield signed('an origin without tenant', textOf(small.origin.slice(0, -33), 24, root));
  yield signed('another gateway\'s origin', textOf(small.origin.replace(GATEWAY.node, stranger.node), 24, root));
  yield as('signed twice', small.checkpoint() + signatureLine(text, small.origin, GATEWAY), { reading: 'Checkpoints: the key signs once' });
  yield as('a line that is no signature', `${small.checkpoint()}— witness.example\n`);
}

function* roots() {
  const chance = new Chance('roots');
  const members = MEMBERS();
  const as = (name, changes, more) => wrong(3, name, archiveOf({ ...members, ...changes }), null, more);
  for (const name of ['left', 'tiles', 'right']) {
    const list = members[name];
    for (const i of list.keys()) {
      for (const bit of [0, 255, chance.below(256)]) {
        yield as(`${name}: bit ${bit} of root ${i}`, { [name]: changed(list, i, flipped(list[i], bit)) });
      }
      yield as(`${name}: without root ${i}`, { [name]: without(list, i) });
      yield as(`${name}: root ${i} twice`, { [name]: doubled(list, i) });
      if (i + 1 < list.length) {
        yield as(`${name}: roots ${i} and ${i + 1} exchanged`, { [name]: swapped(list, i) });
      }
    }
    yield as(`${name}: none`, { [name]: [] });
    yield as(`${name}: one more`, { [name]: [...list, chance.bytes(32)] });
    yield as(`${name}: one more at the beginning`, { [name]: [chance.bytes(32), ...list] });
    yield as(`${name}: zeros more`, { [name]: [...list, Buffer.alloc(32)] });
    yield as(`${name}: a byte more`, { [name]: [...list, Buffer.alloc(1)] });
    yield as(`${name}: a byte less`, { [name]: [joined(list).subarray(0, -1)] });
    yield as(`${name}: a thousand more`, { [name]: [...list, Buffer.alloc(32000)] });
  }
  const { left, tiles, right: behind } = members;
  yield as('left\'s last root before the tiles', { left: left.slice(0, -1), tiles: [left.at(-1), ...tiles] });
  yield as('the first tile behind left', { left: [...left, tiles[0]], tiles: tiles.slice(1) });
  yield as('the last tile before right', { tiles: tiles.slice(0, -1), right: [tiles.at(-1), ...behind] });
  yield as('right\'s first root behind the tiles', { tiles: [...tiles, behind[0]], right: behind.slice(1) });
  yield as('left and right exchanged', { left: behind, right: left });
  yield as('all of another tenant\'s', { left: beta.roots(0, 5), tiles: beta.roots(5, 19), right: beta.roots(19, 24) });
  yield as('another tenant\'s checkpoint', { checkpoint: beta.checkpoint() });
  yield as('another root, signed', { checkpoint: noteOf(textOf(small.origin, 24, chance.bytes(32)), small.origin, GATEWAY) });
  for (const [first, end] of [[4, 19], [6, 19], [5, 18], [5, 20], [6, 20], [4, 18], [0, 19], [5, 24], [0, 24], [5, 5], [19, 19], [0, 0], [24, 24]]) {
    yield as(`range told as [${first}, ${end})`, { evidence: EVIDENCE(first, end) });
  }
  const above = 'Evidence: at which step it fails that `end` is above the checkpoint\'s size';
  for (const end of [25, 256, 2n ** 53n + 1n, 2n ** 63n, 2n ** 64n - 1n]) {
    yield as(`range told as [5, ${end})`, { evidence: EVIDENCE(5, end) }, { reading: above });
  }
  yield as('range told as empty, far above the size', { evidence: EVIDENCE(2n ** 64n - 1n, 2n ** 64n - 1n) }, { reading: above });
  const three = small.with(small.records.slice(0, 3));
  yield wrong(3, 'an empty range above the size, of the same root', archiveOf({ ...three.members(3, 3), evidence: EVIDENCE(4, 4), left: [rootOf(three.known, 0, 3)] }), null, { reading: above });
  yield as('a checkpoint of fewer records than the range ends at', { checkpoint: small.checkpoint(18) }, { reading: above });
  for (const size of [23, 25]) {
    // One root more or less: a root alone does not tell a size.
    assert.notEqual(subtreesOf(19, size).length, behind.length);
    yield as(`size signed as ${size}`, { checkpoint: noteOf(textOf(small.origin, size, rootOf(small.known, 0, 24)), small.origin, GATEWAY) });
  }
  yield as('the whole range told, half of it there, of a giant tree', { evidence: EVIDENCE(0, 2n ** 64n - 1n), checkpoint: noteOf(textOf(small.origin, 2n ** 64n - 1n, chance.bytes(32)), small.origin, GATEWAY) });
  yield as('a newer checkpoint', { checkpoint: small.with([...small.records, small.records[0]]).checkpoint() });
  yield as('an older checkpoint', { checkpoint: small.checkpoint(22) });
  const large = Trail.made(ACME, 0, 600, 'large');
  const wide = large.members(0, 512, 600);
  yield wrong(3, 'a tile of 512', archiveOf({ ...wide, tiles: large.roots(0, 512) }));
  const larger = Trail.made(ACME, 0, 1300, 'larger');
  yield wrong(3, 'a tile of 512 behind the first', archiveOf({ ...larger.members(512, 1024), tiles: larger.roots(512, 1024) }));
  yield wrong(3, 'tiles of 128', archiveOf({ ...wide, tiles: large.roots(0, 512, 128n) }));
  yield wrong(3, 'left in tiles', archiveOf({ ...large.members(512, 600, 600), left: large.roots(0, 512, 256n) }));
  yield wrong(3, 'right in smaller ones', archiveOf({ ...large.members(0, 256, 600), right: large.roots(256, 600, 128n) }));
}

// What the sequence of altered records is met as: none that can be counted, too many or few, or a tile that is wrong.
function miscounted(name, members, records, seq, first, end, more) {
  const count = countItems(Buffer.concat(records));
  const tile = count === end - first;
  return wrong(4, name, archiveOf({ ...members, records }), tile ? tileFirst(seq, first, end) : null,
    tile ? more : { reading: 'Evidence, step 4: records that cannot be counted are not told by a tile\'s numbers, and first of all', ...more });
}

function* records() {
  const chance = new Chance('records');
  const large = Trail.made(ACME, 0, 700, 'wide');
  for (const [about, trail, first, end, step, bits] of [['small', small, SMALL.first, SMALL.end, 1, 8], ['wide', large, 250, 530, 9, 2]]) {
    const members = trail.members(first, end);
    const as = (name, changes, seq) => wrong(4, `${about}: ${name}`, archiveOf({ ...members, ...changes }), seq === null ? null : tileFirst(seq, first, end));
    const { salts, records: list } = members;
    for (let i = 0; i < end - first; i += step) {
      const seq = first + i;
      for (let n = 0; n < (about === 'small' ? 3 : 1); n++) {
        const bit = chance.below(128);
        yield as(`bit ${bit} of salt ${seq}`, { salts: changed(salts, i, flipped(salts[i], bit)) }, seq);
      }
      const seen = new Set([8 * list[i].length - 8]);
      yield miscounted(`${about}: the last bit of record ${seq}`, members, changed(list, i, flipped(list[i], 8 * list[i].length - 8)), seq, first, end);
      while (seen.size < bits) {
        const bit = chance.below(8 * list[i].length);
        if (!seen.has(bit)) {
          seen.add(bit);
          yield miscounted(`${about}: bit ${bit} of record ${seq}`, members, changed(list, i, flipped(list[i], bit)), seq, first, end);
        }
      }
      yield as(`no record ${seq}`, { records: without(list, i) }, null);
      yield as(`no salt ${seq}`, { salts: without(salts, i) }, null);
      yield as(`no record nor salt ${seq}`, { records: without(list, i), salts: without(salts, i) }, null);
      yield as(`record ${seq} twice`, { records: doubled(list, i) }, null);
      yield as(`salt ${seq} twice`, { salts: doubled(salts, i) }, null);
      yield as(`record and salt ${seq} twice`, { records: doubled(list, i), salts: doubled(salts, i) }, null);
      yield as(`an empty map before record ${seq}`, { records: inserted(list, i, hex('a0')) }, null);
      yield as(`another tenant's record ${seq}`, { records: changed(list, i, beta.records[seq % 24].cbor), salts: changed(salts, i, beta.records[seq % 24].salt) }, seq);
      if (i + 1 < end - first) {
        yield as(`records ${seq} and ${seq + 1} exchanged`, { records: swapped(list, i) }, seq);
        yield as(`salts ${seq} and ${seq + 1} exchanged`, { salts: swapped(salts, i) }, seq);
        yield as(`records and salts ${seq} and ${seq + 1} exchanged`, { records: swapped(list, i), salts: swapped(salts, i) }, seq);
        yield as(`record ${seq} in place of ${seq + 1} too`, { records: changed(list, i + 1, list[i]), salts: changed(salts, i + 1, salts[i]) }, seq + 1);
        yield as(`record ${seq + 1} in place of ${seq} too`, { records: changed(list, i, list[i + 1]), salts: changed(salts, i, salts[i + 1]) }, seq);
      }
    }
    yield as('no records', { records: [] }, null);
    yield as('no salts', { salts: [] }, null);
    yield as('neither', { records: [], salts: [] }, null);
    yield as('a salt more', { salts: [...salts, chance.bytes(16)] }, null);
    yield as('a byte more of salts', { salts: [...salts, Buffer.alloc(1)] }, null);
    yield as('a byte less of salts', { salts: [joined(salts).subarray(0, -1)] }, null);
    yield as('a record more', { records: [...list, trail.records[end].cbor] }, null);
    yield as('a record and a salt more', { records: [...list, trail.records[end].cbor], salts: [...salts, trail.records[end].salt] }, null);
    yield as('a zero behind the records', { records: [...list, Buffer.alloc(1)] }, null);
    yield as('two tiles wrong: the first', { salts: changed(changed(salts, end - first - 1, ZERO_SALT), 3, ZERO_SALT) }, first + 3);
    for (const [what, bad] of [['the last record cut off', joined(list).subarray(0, -1)], ['half of them', joined(list).subarray(0, joined(list).length >> 1)],
      ['a break behind', [...list, hex('ff')]], ['half a head behind', [...list, hex('b8')]]]) {
      yield as(what, { records: bad }, null);
    }
  }
  const members = MEMBERS();
  yield wrong(4, 'a record where there should be none', archiveOf({ ...small.members(7, 7), records: [small.records[7].cbor] }));
  yield wrong(4, 'a salt where there should be none', archiveOf({ ...small.members(7, 7), salts: [small.records[7].salt] }));
  // Whoever has no key can hand over any bytes here.
  for (const [what, start] of [['a giant text', '7b ff ff ff ff ff ff ff ff'], ['a giant map', 'bb ff ff ff ff ff ff ff ff'], ['a giant array', '9b 00 ff ff ff ff ff ff ff'],
    ['a text of 4 GiB', '7a ff ff ff ff'], ['a length of no meaning', '1c'], ['a map of no meaning', 'be'], ['a float of no meaning', 'fd'], ['an integer of no length', '1f'],
    ['one below zero of no length', '3f'], ['a tag of no number', 'df 01'], ['a simple value of no meaning', 'f8 1f'], ['a break', 'ff'], ['an endless map', 'bf'],
    ['an endless map of half an entry', 'bf 01 ff'], ['an endless text of a number', '7f 01 ff'], ['an endless text of bytes', '7f 41 00 ff'],
    ['an endless text of endless ones', '7f 7f ff ff'], ['a tag of nothing', 'c1 ff'], ['an array of a break', '81 ff']]) {
    for (const [where, list] of [['before', inserted(members.records, 4, hex(start))], ['in place of', changed(members.records, 4, hex(start))]]) {
      assert.equal(countItems(Buffer.concat(list)), null, what);
      yield miscounted(`hostile: ${what} ${where} record 9`, members, list, 9, SMALL.first, SMALL.end);
    }
  }
  for (const [what, start] of [['a float', 'fb 4022000000000000'], ['a simple value', 'f8 20'], ['an endless map of entries', 'bf 01 01 02 9f 01 ff ff'], ['a tagged tag', 'c1 c1 00'],
    ['maps in each other', 'a1 01 a1 01 80'], ['an endless text of texts', '7f 61 78 60 ff']]) {
    yield wrong(4, `${what} in place of record 9`, archiveOf({ ...members, records: changed(members.records, 4, hex(start)) }), 8);
  }
  yield wrong(4, 'hostile: a number in many arrays in place of record 9', archiveOf({ ...members, records: changed(members.records, 4, hex(`${'81'.repeat(300000)}00`)) }), null,
    { reading: 'Evidence, step 4: how deep what is to be counted may be nested' });
  for (const [what, byte] of [['arrays', '81'], ['endless arrays', '9f'], ['tags', 'c1'], ['endless maps', 'bf']]) {
    yield wrong(4, `hostile: ${what} in each other`, archiveOf({ ...members, records: [hex(byte.repeat(300000))] }), null, { reading: 'Evidence, step 4: what cannot be counted' });
  }
}

const ZERO_SALT = Buffer.alloc(16);

// All of this was signed: the tree has just these records.
function* recorded() {
  const { first, end } = SMALL;
  const as = (name, trail, seq, more) => wrong(5, name, archiveOf(trail.members(first, end)), seq, more);
  const put = (key, value) => (entries) => [...entries.filter(([old]) => old !== key), ...value === null ? [] : [[key, value]]].sort(([a], [b]) => a - b);
  for (let seq = first; seq < end; seq++) {
    yield as(`record ${seq} of another tenant`, small.altered(seq, put(2, bytes(BETA))), seq);
    yield as(`record ${seq} of the operator`, small.altered(seq, put(2, null)), seq);
    yield as(`record ${seq} from another's trail`, small.with(changed(small.records, seq, beta.records[seq])), seq);
    yield as(`record ${seq} with the number before`, small.altered(seq, put(3, unsigned(seq - 1))), seq);
    yield as(`record ${seq} with the number after`, small.altered(seq, put(3, unsigned(seq + 1))), seq);
    yield as(`record ${seq} without a number`, small.altered(seq, put(3, null)), seq);
    yield as(`record ${seq} missing, the others moved up`, small.with([...without(small.records, seq), small.records[0]]), seq);
    if (seq + 1 < end) {
      yield as(`records ${seq} and ${seq + 1} exchanged`, small.with(swapped(small.records, seq)), seq);
      yield as(`record ${seq} twice`, small.with(doubled(small.records, seq).slice(0, -1)), seq + 1);
    }
    yield as(`record ${seq} with a long head`, small.altered(seq, (entries) => map(entries, 8)), seq);
  }
  for (const seq of [first - 1, end]) {
    yield right(`record ${seq}, out of range, of another tenant`, archiveOf(small.altered(seq, put(2, bytes(BETA))).members(first, end)), small.told(first, end));
  }
  yield wrong(5, 'number 0 written out', archiveOf(small.altered(0, put(3, unsigned(0))).members(0, end)), 0);
  const operator = Trail.made(OPERATOR, 0, 24, 'operator');
  yield wrong(5, 'an empty map for the operator\'s first record', archiveOf(operator.altered(0, () => hex('a0')).members(0, end)), 0);
  yield as('the operator\'s id written out', operator.altered(9, put(2, bytes(OPERATOR))), 9);
  yield as('a tenant\'s record in the operator\'s trail', operator.altered(9, put(2, bytes(ACME))), 9);

  const seq = 9;
  const form = (name, change, more) => as(`form: ${name}`, small.altered(seq, change), seq, more);
  const replaced = (key, value) => (entries) => map(entries.map(([old, was]) => (old === key ? [old, value] : [old, was])));
  for (const width of [1, 2, 4, 8]) {
    yield form(`the map's head in ${width}`, (entries) => map(entries, width));
    yield form(`a key in ${width}`, (entries) => map(changed(entries, 0, [unsigned(1, width), entries[0][1]])));
    yield form(`a number in ${width}`, replaced(1, unsigned(1, width)));
    yield form(`a length in ${width}`, replaced(2, bytes(ACME, width)));
    yield form(`a text's length in ${width}`, put(13, text('x', width)));
  }
  for (const [least, width] of [[255, 2], [65535, 4], [4294967295, 8]]) {
    yield form(`${least} in ${width}`, put(70, unsigned(least, width)));
  }
  const body = (entries) => map(entries).subarray(map(entries).length - entries.reduce((size, [key, value]) => size + unsigned(key).length + value.length, 0));
  yield form('an endless map', (entries) => Buffer.concat([hex('bf'), body(entries), hex('ff')]));
  yield form('endless bytes', replaced(2, Buffer.concat([hex('5f'), bytes(ACME), hex('ff')])));
  yield form('endless text', put(13, Buffer.concat([hex('7f'), text('rule'), hex('ff')])));
  yield form('endless text of no parts', put(13, hex('7f ff')));
  yield form('two keys exchanged', (entries) => map(swapped(entries, 3)));
  yield form('the last key first', (entries) => map([entries.at(-1), ...entries.slice(0, -1)]));
  yield form('a key twice', (entries) => map(doubled(entries, 3)));
  yield form('the number twice, first the right one', (entries) => map(entries.flatMap((entry) => (entry[0] === 3 ? [entry, [3, unsigned(8)]] : [entry]))));
  yield form('the tenant twice, last the right one', (entries) => map(entries.flatMap((entry) => (entry[0] === 2 ? [[2, bytes(BETA)], entry] : [entry]))));
  yield form('a zero', put(47, unsigned(0)));
  yield form('an empty text', put(13, text('')));
  yield form('empty bytes', put(30, bytes(Buffer.alloc(0))));
  for (const [what, item] of [['an array', (record) => Buffer.concat([hex('81'), record])], ['a tagged map', (record) => Buffer.concat([hex('c1'), record])],
    ['CBOR in a tag', (record) => Buffer.concat([hex('d9 d9f7'), record])], ['bytes of CBOR', (record) => bytes(record)], ['a number', () => hex('01')], ['null', () => hex('f6')],
    ['a text', () => text('record')], ['an empty map', () => hex('a0')], ['an empty array', () => hex('80')], ['a float', () => hex('f9 3c00')]]) {
    yield form(`${what} for a record`, (entries) => item(map(entries)));
  }
  yield form('a text for a key', (entries) => map([...entries, [text('key'), unsigned(1)]]));
  yield form('bytes for a key', (entries) => map([...entries, [bytes(Buffer.from('key')), unsigned(1)]]));
  yield form('a map for a key', (entries) => map([...entries, [hex('a0'), unsigned(1)]]));
  yield form('a key below zero, before', (entries) => map([[hex('20'), unsigned(1)], ...entries]));
  for (const [what, value] of [['no start', '80'], ['overlong', 'c0 80'], ['half of a pair', 'ed a0 80'], ['above Unicode', 'f4 90 80 80'], ['cut off', 'e8 ab'], ['no byte of it', 'ff']]) {
    yield form(`text that is not UTF-8: ${what}`, put(60, text(hex(value))));
  }

  const schema = 'Evidence, step 5: "deterministic CBOR" is taken for all that the section CBOR says of a record';
  for (const [what, key, value] of [['no version', 1, null], ['version 2', 1, unsigned(2)], ['version as text', 1, text('1')], ['tenant as text', 2, text(ACME.toString('latin1', 0, 8))],
    ['tenant of 15 bytes', 2, bytes(ACME.subarray(1))], ['number as a float', 3, hex('fb 4022000000000000')], ['number as text', 3, text('9')], ['number below zero', 3, hex('28')],
    ['number as bytes with a tag', 3, hex('c2 41 09')], ['an id of 17 bytes', 4, bytes(Buffer.alloc(17, 1))], ['an id of zeros', 4, bytes(Buffer.alloc(16))],
    ['a request id of zeros', 40, bytes(Buffer.alloc(16))], ['op 5', 9, unsigned(5)], ['stage 9', 10, unsigned(9)], ['decision 5', 12, unsigned(5)], ['a reason of 65', 13, text('x'.repeat(65))],
    ['a reason of 63 bytes and a letter of three', 13, text(`${'x'.repeat(63)}間`)], ['a reason as bytes', 13, bytes(Buffer.from('rule'))], ['a rule of 513', 15, text('x'.repeat(513))],
    ['an address of 5 bytes', 30, bytes(Buffer.alloc(5, 1))], ['an address of zeros', 30, bytes(Buffer.alloc(4))], ['a path of 1025', 43, text('x'.repeat(1025))],
    ['a detail of 1 MiB', 60, text('x'.repeat(1 << 20))], ['a count as text', 70, text('7')]]) {
    yield form(what, put(key, value), { reading: schema });
  }
  const unknown = 'CBOR: of which types the values of keys are that the table has not, and whether they may be zero or empty';
  for (const [what, value] of [['an array', '81 01'], ['a map', 'a1 01 01'], ['true', 'f5'], ['null', 'f6'], ['a float', 'f9 3e00'], ['a tag', 'c1 01'], ['a number below zero', '20'], ['zero', '00'],
    ['an empty text', '60'], ['a number too long', '18 01'], ['an endless text', '7f 61 78 ff'], ['an array with a number too long', '81 18 01']]) {
    yield form(`a later field: ${what}`, put(300, hex(value)), { reading: unknown });
  }
  yield form('a later field: a text that is not UTF-8', put(300, text(hex('ff'))));
  yield form('a key of -100, behind', (entries) => map([...entries, [hex('38 63'), unsigned(1)]]), { reading: 'CBOR: "ascending integer keys", of keys below zero' });
  yield form('a key below zero, behind', (entries) => map([...entries, [hex('20'), unsigned(1)]]), { reading: 'CBOR: "ascending integer keys", of keys below zero' });

  const trails = [['a later field of 1 MiB', put(300, text('間'.repeat(350000)))], ['later bytes of 1 MiB', put(300, bytes(Buffer.alloc(1 << 20)))],
    ['a key of 64 bits', (entries) => [...entries, [2n ** 64n - 1n, unsigned(2n ** 64n - 1n)]]], ['a later key among the others', put(8, unsigned(1))],
    ['texts as long as may be', (entries) => [...entries.filter(([key]) => key < 13), [13, text('x'.repeat(64))], [15, text('x'.repeat(512))], [43, text('x'.repeat(1024))]]]];
  for (const [what, change] of trails) {
    const trail = small.altered(seq, change);
    yield right(`form: ${what}`, archiveOf(trail.members(first, end)), what.startsWith('texts') ? { good: true } : small.told(first, end));
  }
  const broken = small.altered(seq, (entries) => Buffer.concat([head(5, entries.length + 1), body(entries)])).members(first, end);
  yield miscounted('form: a map that says that it has one more', broken, broken.records, seq, first, end);

  // Of several that are wrong, what the order of the steps says.
  const two = small.altered(17, put(3, unsigned(3)));
  yield as('two records wrong: the first', two.with(changed(two.records, 6, beta.records[6])), 6);
  const members = two.with(changed(two.records, 6, beta.records[6])).members(first, end);
  yield wrong(4, 'a wrong record, and a wrong tile behind it', archiveOf({ ...members, salts: changed(members.salts, 13, ZERO_SALT) }), 18);
  yield wrong(4, 'a wrong tile, and a record too few', archiveOf({ ...members, salts: changed(members.salts, 0, ZERO_SALT), records: members.records.slice(0, -1) }));
  yield wrong(4, 'a wrong tile, and a record too many', archiveOf({ ...members, salts: changed(members.salts, 0, ZERO_SALT), records: [...members.records, members.records[0]] }));
  yield wrong(3, 'a wrong root, and no records', archiveOf({ ...members, right: [], records: [] }));
  yield wrong(2, 'a wrong signature, and no roots', archiveOf({ ...members, checkpoint: members.checkpoint.replace('clock set', 'clock free'), tiles: [] }));
  yield wrong(1, 'a byte behind, and a wrong signature', Buffer.concat([archiveOf({ ...members, checkpoint: '' }), Buffer.from([1])]));
}

function* others() {
  const large = Trail.made(ACME, 0, 700, 'wide');
  for (const [trail, first, end, size, sizes] of [[small, 5, 19, 24, Array.from({ length: 25 }, (_, i) => i)], [small, 0, 24, 24, Array.from({ length: 25 }, (_, i) => i)],
    [small, 8, 8, 24, [7, 8, 9, 24]], [small, 0, 0, 24, [0, 1, 24]], [small, 24, 24, 24, [23, 24]],
    [large, 250, 530, 700, [249, 250, 251, 252, 253, 255, 256, 257, 300, 384, 511, 512, 513, 528, 529, 530, 531, 699, 700]]]) {
    const archive = archiveOf(trail.members(first, end, size));
    const about = `[${first}, ${end}) of ${size}`;
    const told = trail.told(first, end, size);
    for (const other of sizes) {
      const said = other >= first && other <= end || other === size;
      const met = { checkpoints: [trail.checkpoint(other)] };
      yield said ? right(`${about}: one of ${other}`, archive, told, met) : wrong(6, `${about}: one of ${other}, that nothing is said of`, archive, null, met);
      const lie = noteOf(textOf(trail.origin, other, sha256('another root')), trail.origin, GATEWAY);
      yield wrong(6, `${about}: one of ${other} with another root`, archive, null, { checkpoints: [lie] });
    }
    yield right(`${about}: three, two of them the same`, archive, told, { checkpoints: [trail.checkpoint(first), trail.checkpoint(end), trail.checkpoint(first)] });
    yield wrong(6, `${about}: the second of two`, archive, null, { checkpoints: [trail.checkpoint(end), noteOf(textOf(trail.origin, first, sha256('another root')), trail.origin, GATEWAY)] });
  }
  const archive = archiveOf(MEMBERS());
  const as = (step, name, checkpoint, more) => wrong(step, name, archive, null, { checkpoints: [checkpoint], ...more });
  const later = small.with([...small.records, small.records[0]]);
  yield as(6, 'one of a larger tree', later.checkpoint());
  yield as(6, 'one of a giant tree', noteOf(textOf(small.origin, 2n ** 64n - 1n, sha256('giant')), small.origin, GATEWAY));
  const root = rootOf(small.known, 0, 19);
  const elsewhere = (origin) => noteOf(textOf(origin, 19, root), origin, GATEWAY);
  yield as(6, 'another tenant\'s', beta.checkpoint(19));
  yield as(6, 'another tenant\'s, of the same root', elsewhere(beta.origin));
  yield as(6, 'another journal\'s, of the same root', elsewhere(small.origin.replace(EPOCH, '0'.repeat(32))));
  const note = small.checkpoint(19);
  yield as(2, 'signed by another', noteOf(small.text(19), small.origin, gatewayOf('stranger')));
  yield as(2, 'a bit of its size', note.replace('\n19\n', '\n18\n'));
  yield as(2, 'under another name', noteOf(small.text(19), beta.origin, GATEWAY));
  yield as(2, 'without a signature', small.text(19));
  yield as(2, 'nothing', '');
  yield as(2, 'a tar', archive);
  yield as(2, 'endless', Buffer.alloc(3 << 20, 'x'));
  const otherForm = 'Evidence: what is checked of another checkpoint, and in what order';
  yield as(2, 'another gateway\'s', noteOf(textOf(small.origin.replace(GATEWAY.node, '0'.repeat(32)), 19, root), small.origin.replace(GATEWAY.node, '0'.repeat(32)), GATEWAY), { reading: otherForm });
  const members = MEMBERS();
  yield wrong(4, 'one that is not met, and a wrong salt', archiveOf({ ...members, salts: changed(members.salts, 0, ZERO_SALT) }), 5, { checkpoints: [later.checkpoint()], reading: otherForm });
  yield wrong(2, 'one that is not signed, and a wrong root', archiveOf({ ...members, left: [] }), null, { checkpoints: [small.text(19)], reading: otherForm });
}

const GROUPS = { ranges, forms, numbers, archives, checkpoints, roots, records, recorded, others };

// All cases, one after the other: none is made before it is asked for.
export function* cases() {
  for (const [group, all] of Object.entries(GROUPS)) {
    for (const one of all()) {
      yield { key: vkeyOf(GATEWAY), checkpoints: [], reading: null, ...one, group };
    }
  }
}

// A right archive with one bit flipped, of each of its bytes in turn: to be refused, whatever the step. What ends a header's checksum may be a space or a
// zero, and is left out.
export function* flips() {
  const chance = new Chance('flips');
  const members = small.members(8, 13);
  const archive = archiveOf(members);
  const headers = new Set();
  let at = 0;
  for (const { content } of entriesFor(members)) {
    headers.add(at);
    at += 512 + Math.ceil(content.length / 512) * 512;
  }
  for (let i = 0; i < archive.length; i++) {
    if (!headers.has(i - 154) && !headers.has(i - 155)) {
      yield { key: vkeyOf(GATEWAY), checkpoints: [], name: `byte ${i}`, archive: flipped(archive, 8 * i + chance.below(8)), expected: { good: false } };
    }
  }
}
