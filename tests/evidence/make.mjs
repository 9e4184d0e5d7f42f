// Archives of evidence, right ones and ones that were tampered with, and what a verifier must say of each. Made from gateway/journal/FORMAT.md alone, of
// records that nobody recorded, signed by keys that are no gateway's; always the same ones.
//   for (const { name, group, key, archive, checkpoints, expected, reading } of cases()) ...
// `expected` has good; of what is wrong step (7: one of `checkpoints` is not met) and seq; of what is right all that is to be said. `reading` says which
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
    [9, unsigned(chance.of([1, 2, 3, 10, 20, 30, 40, 43]))], [10, unsigned(stage)], [12, unsigned(1 + chance.below(4))],
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

// Puts a field in, in place of what was there, or takes it out.
const put = (key, value) => (entries) => [...entries.filter(([old]) => old !== key), ...value === null ? [] : [[key, value]]].sort(([a], [b]) => a - b);

// How many items of definite lengths a sequence has, or null when it is none: what is met by who splits records before looking at them.
function countItems(sequence) {
  let [at, count] = [0, 0];
  while (at < sequence.length) {
    for (let left = 1; left > 0; left--) {
      const [major, info] = [sequence[at] >> 5, sequence[at] & 31];
      const width = info < 24 ? 0 : 1 << (info - 24);
      if (at >= sequence.length || info > 27 || width >= sequence.length - at) {
        return null;
      }
      const argument = width === 0 ? info : width === 8 ? Number(sequence.readBigUInt64BE(at + 1)) : sequence.readUIntBE(at + 1, width);
      at += 1 + width + (major === 2 || major === 3 ? argument : 0);
      left += major === 4 ? argument : major === 5 ? 2 * argument : major === 6 ? 1 : 0;
      if (at > sequence.length || (major === 7 && width === 1 && argument < 32)) {
        return null;
      }
    }
    count += 1;
  }
  return count;
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
    Object.assign(this, { tenant, start: BigInt(start), records, gateway: GATEWAY, epoch: EPOCH, time: TIME, known: new Map() });
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

  dated(time) {
    return Object.assign(this.with(this.records), { time });
  }

  // With other records, or an altered one, of which the tree is made: as if the gateway itself had recorded and signed them.
  with(records) {
    return new Trail(this.tenant, this.start, records);
  }

  altered(seq, change) {
    const i = Number(BigInt(seq) - this.start);
    const record = change(this.records[i].entries);
    return this.with(changed(this.records, i, { ...this.records[i], ...Buffer.isBuffer(record) ? { cbor: record } : { cbor: map(record), entries: record } }));
  }

  get origin() {
    return `sekisho/${this.gateway.node}/${this.epoch}/${this.tenant.toString('hex')}`;
  }

  end() {
    return this.start + BigInt(this.records.length);
  }

  text(size = this.end()) {
    return textOf(this.origin, size, rootOf(this.known, 0n, size), this.time);
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
    const pruned = range.findLast((record) => record[9] === unsigned(41).toString('hex'));
    return { good: true, first: BigInt(first), end: BigInt(end), size: BigInt(size), tenant: this.tenant.toString('hex'), time: this.time, records: BigInt(end) - BigInt(first),
      open: range.filter((record, i) => begins(record) && !range.slice(i + 1).some((later) => closes(later) && later[40] === record[40])).length,
      closed_before: range.filter((record, i) => closes(record) && !range.slice(0, i).some((earlier) => begins(earlier) && earlier[40] === record[40])).length,
      pruned: pruned ? BigInt(/ end=(\d+) /.exec(hex(pruned[60]))[1]) : null };
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
    ['an endless text of endless ones', '7f 7f ff ff'], ['a tag of nothing', 'c1 ff'], ['an array of a break', '81 ff'], ['an endless map of entries', 'bf 01 01 02 9f 01 ff ff'], ['an endless text of texts', '7f 61 78 60 ff']]) {
    for (const [where, list] of [['before', inserted(members.records, 4, hex(start))], ['in place of', changed(members.records, 4, hex(start))]]) {
      assert.equal(countItems(Buffer.concat(list)), null, what);
      yield miscounted(`hostile: ${what} ${where} record 9`, members, list, 9, SMALL.first, SMALL.end);
    }
  }
  for (const [what, start] of [['a float', 'fb 4022000000000000'], ['a simple value', 'f8 20'], ['a tagged tag', 'c1 c1 00'], ['maps in each other', 'a1 01 a1 01 80']]) {
    yield wrong(4, `${what} in place of record 9`, archiveOf({ ...members, records: changed(members.records, 4, hex(start)) }), 8);
  }
  yield wrong(4, 'hostile: a number in many arrays in place of record 9', archiveOf({ ...members, records: changed(members.records, 4, hex(`${'81'.repeat(300000)}00`)) }), 8);
  for (const [what, byte] of [['arrays', '81'], ['endless arrays', '9f'], ['tags', 'c1'], ['endless maps', 'bf']]) {
    yield wrong(4, `hostile: ${what} in each other`, archiveOf({ ...members, records: [hex(byte.repeat(300000))] }), null, { reading: 'Evidence, step 4: what cannot be counted' });
  }
}

const ZERO_SALT = Buffer.alloc(16);

// All of this was signed: the tree has just these records.
function* recorded() {
  const { first, end } = SMALL;
  const as = (name, trail, seq, more) => wrong(5, name, archiveOf(trail.members(first, end)), seq, more);
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
  yield as('the operator\'s id written out', operator.altered(9, put(2, bytes(OPERATOR))), 9, { reading: 'CBOR: "absent: zeros", and "bytes that are all zeros are a value": of the tenant id' });
  yield as('a tenant\'s record in the operator\'s trail', operator.altered(9, put(2, bytes(ACME))), 9);

  const seq = 9;
  const form = (name, change, more) => as(`form: ${name}`, small.altered(seq, change), seq, more);
  // A change that leaves bytes is of what is not told.
  const taken = (name, change, more) => {
    const trail = small.altered(seq, change);
    return right(`form: ${name}`, archiveOf(trail.members(first, end)), trail.told(first, end), more);
  };
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
  const uncounted = (name, change) => wrong(4, `form: ${name}`, archiveOf(small.altered(seq, change).members(first, end)));
  yield uncounted('an endless map', (entries) => Buffer.concat([hex('bf'), body(entries), hex('ff')]));
  yield uncounted('endless bytes', replaced(2, Buffer.concat([hex('5f'), bytes(ACME), hex('ff')])));
  yield uncounted('endless text', put(13, Buffer.concat([hex('7f'), text('rule'), hex('ff')])));
  yield uncounted('endless text of no parts', put(13, hex('7f ff')));
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
    ['number as bytes with a tag', 3, hex('c2 41 09')], ['an id of 17 bytes', 4, bytes(Buffer.alloc(17, 1))], ['an id of zeros', 4, bytes(Buffer.alloc(16))], ['a port of 65536', 32, unsigned(65536)], ['a status of 65536', 47, unsigned(65536)], ['op 5', 9, unsigned(5)],
    ['op 45', 9, unsigned(45)], ['stage 9', 10, unsigned(9)], ['decision 5', 12, unsigned(5)], ['a reason of 65', 13, text('x'.repeat(65))],
    ['a reason of 63 bytes and a letter of three', 13, text(`${'x'.repeat(63)}間`)], ['a reason as bytes', 13, bytes(Buffer.from('rule'))], ['a rule of 513', 15, text('x'.repeat(513))],
    ['an address of 5 bytes', 30, bytes(Buffer.alloc(5, 1))], ['a path of 1025', 43, text('x'.repeat(1025))],
    ['a detail of 1 MiB', 60, text('x'.repeat(1 << 20))], ['a count as text', 70, text('7')]]) {
    yield form(what, put(key, value), { reading: schema });
  }
  const ids = 'CBOR: "absent means zero or empty", of a request id that may be zeros, too; and whether records without one are of the same';
  for (const [what, intent, outcome] of [['an intent of no request id, an outcome of zeros', null, bytes(Buffer.alloc(16))], ['an intent of zeros, an outcome of no request id', bytes(Buffer.alloc(16)), null],
    ['an intent and an outcome of no request id', null, null], ['an intent and an outcome of zeros', bytes(Buffer.alloc(16)), bytes(Buffer.alloc(16))]]) {
    const trail = [[9, STAGE.intent, intent], [11, STAGE.outcome, outcome]].reduce((all, [at, stage, request]) => all.altered(at, put(10, unsigned(stage))).altered(at, put(40, request)), small);
    yield right(`form: ${what}`, archiveOf(trail.members(first, end)), trail.told(first, end), intent && outcome ? {} : { reading: ids });
  }
  for (const [what, key, value] of [['a request id of zeros', 40, bytes(Buffer.alloc(16))], ['an address of zeros', 30, bytes(Buffer.alloc(4))],
    ['a long address of zeros', 30, bytes(Buffer.alloc(16))], ['trail-erased', 9, unsigned(43)]]) {
    yield taken(what, put(key, value));
  }
  // What is not in the table is a number, bytes or text, of which zero and empty are some.
  for (const [what, value] of [['zero', '00'], ['an empty text', '60'], ['empty bytes', '40'], ['the greatest number', '1b ffffffffffffffff']]) {
    yield taken(`a later field: ${what}`, put(300, hex(value)));
  }
  for (const [what, value] of [['an empty array', '80'], ['an empty map', 'a0'], ['an array', '81 01'], ['a map', 'a1 01 01'], ['true', 'f5'], ['null', 'f6'], ['undefined', 'f7'], ['a simple value', 'f0'],
    ['a simple value of two bytes', 'f8 20'], ['a tag', 'c1 01'], ['a number below zero', '20'], ['a float', 'f9 3e00'], ['a float of four bytes', 'fa 3dcccccd'], ['a float of eight bytes', 'fb 3fb999999999999a'],
    ['a number of 72 bits', 'c2 49 010000000000000000'], ['a number too long', '18 01'], ['a length too long', '58 01 00'], ['many arrays in each other', `${'81'.repeat(300)}00`]]) {
    yield form(`a later field: ${what}`, put(300, hex(value)));
  }
  for (const [what, value] of [['an endless text', '7f 61 78 ff'], ['endless bytes', '5f 41 78 ff'], ['an endless array', '9f ff'], ['an endless map', 'bf ff'], ['an array with an endless array', '81 9f ff']]) {
    yield uncounted(`a later field: ${what}`, put(300, hex(value)));
  }
  yield form('a later field: a text that is not UTF-8', put(300, text(hex('ff'))));
  yield form('a key of -100, behind', (entries) => map([...entries, [hex('38 63'), unsigned(1)]]));
  yield form('a key below zero, behind', (entries) => map([...entries, [hex('20'), unsigned(1)]]));

  for (const [what, change] of [['a key of 64 bits', (entries) => [...entries, [2n ** 64n - 1n, unsigned(2n ** 64n - 1n)]]], ['a later key among the others', put(8, unsigned(1))],
    ['texts as long as may be', (entries) => [...entries.filter(([key]) => key < 13), [13, text('x'.repeat(64))], [15, text('x'.repeat(512))], [43, text('x'.repeat(1024))]]]]) {
    yield taken(what, change);
  }
  yield form('a later field of 1 MiB', put(300, text('間'.repeat(350000))));
  yield form('later bytes of 1 MiB', put(300, bytes(Buffer.alloc(1 << 20))));
  const long = (size, item) => (entries) => {
    const others = put(300, null)(entries);
    return put(300, item(size - map(others).length - 3))(others);
  };
  for (const [what, item] of [['bytes', (size) => bytes(Buffer.alloc(size - 3))], ['text', (size) => text('x'.repeat(size - 3))]]) {
    yield taken(`4096 bytes, with ${what}`, long(4096, item));
    yield form(`4097 bytes, with ${what}`, long(4097, item));
  }
  yield taken('fields that are all in the table, as long as may be', (entries) => [[13, 64], [15, 512], [20, 128], [22, 64], [23, 128], [33, 128], [41, 32], [42, 255], [43, 1024], [44, 64], [45, 256], [46, 128],
    [60, 512], [90, 128]].reduce((all, [key, limit]) => put(key, text('x'.repeat(limit)))(all), entries));
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

const DAY = 86_400_000_000_000n;
const nanoseconds = (time) => BigInt(Date.parse(time)) * 1_000_000n;
const NOW = nanoseconds(TIME);

// The same trail, its records recorded at these times, by their number, and else ten days before the checkpoint, a second after the other.
function timed(trail, times = {}) {
  return trail.records.reduce((all, _, i) => {
    const seq = all.start + BigInt(i);
    return all.altered(seq, put(5, unsigned(times[seq] ?? NOW - 10n * DAY + BigInt(i) * 1_000_000_000n)));
  }, trail);
}

// Notes what was erased (op 41) or held (42): in the place of the record that was there.
const noted = (op, detail, time) => (entries) => [put(9, unsigned(op)), put(60, detail === null ? null : text(detail)), ...time === undefined ? [] : [put(5, time === null ? null : unsigned(time))]]
  .reduce((all, change) => change(all), entries);
const noting = (trail, ...notes) => notes.reduce((all, [seq, op, detail, time]) => all.altered(seq, noted(op, detail, time)), trail);
const detailOf = (first, end, until = '2026-10-01', days = 30) => `first=${first} end=${end} until=${until} days=${days}`;

function* erased() {
  const { first, end } = SMALL;
  const base = timed(small);
  const good = (name, trail, more) => right(name, archiveOf(trail.members(first, end)), trail.told(first, end), more);
  const bad = (name, trail, seq, more) => wrong(6, name, archiveOf(trail.members(first, end)), seq, more);

  // What may stand in a detail. All is long due, and nothing old.
  for (let seq = first; seq < end; seq++) {
    yield good(`pruned: said by record ${seq}, of all before it`, noting(base, [seq, 41, detailOf(0, seq)]));
    yield good(`pruned: said by record ${seq}, of what is before the range`, noting(base, [seq, 41, detailOf(2, first)]));
    yield bad(`pruned: said by record ${seq}, of itself too`, noting(base, [seq, 41, detailOf(0, seq + 1)]), seq);
    yield bad(`pruned: said by record ${seq}, not at all`, noting(base, [seq, 41, null]), seq);
    yield good(`held: said by record ${seq}`, noting(base, [seq, 42, detailOf(0, seq)]));
    yield bad(`held: said by record ${seq}, of itself too`, noting(base, [seq, 42, detailOf(0, seq + 1)]), seq);
  }
  for (const [name, what] of [['from 0', [0, 1]], ['the one before', [16, 17]], ['days=10', [0, 5, '2026-10-01', 10]], ['days=99', [0, 5, '2026-08-01', 99]], ['a leap day', [0, 5, '2024-02-29', 30]],
    ['the leap day of 2000', [0, 5, '2000-02-29', 30]], ['the last of a month', [0, 5, '2026-08-31', 30]], ['the last of a year', [0, 5, '2025-12-31', 30]], ['the first of a year', [0, 5, '2026-01-01', 30]]]) {
    yield good(`pruned: ${name}`, noting(base, [17, 41, detailOf(...what)]));
    yield good(`held: ${name}`, noting(base, [17, 42, detailOf(...what)]));
  }
  const day = (until) => detailOf(0, 5, until);
  const usual = detailOf(0, 5);
  for (const until of ['1971-01-01', '2026-10-01', '2028-02-29', '2399-12-31']) {
    yield good(`held: until=${until}, which says nothing of when`, noting(base, [17, 42, day(until)]));
    yield good(`held: until=${until}, for 36600 days`, noting(base, [17, 42, detailOf(0, 5, until, 36600)]));
  }
  const details = ['', ' ', 'd', 'pruned', usual.toUpperCase(), ` ${usual}`, `${usual} `, `${usual}\n`, `\n${usual}`, `${usual}\0`, `${usual};`, `${usual} more=1`, `${usual}\n${usual}`, usual.replace(' ', '  '), usual.replace(' ', ''),
    usual.replaceAll(' ', '\t'), usual.replaceAll(' ', '\n'), usual.replaceAll(' ', ','), usual.replaceAll(' ', '\u00a0'), usual.replaceAll('=', ':'), usual.replaceAll('=', ' = '), usual.replaceAll('-', '\u2010'),
    ...usual.split(' ').map((field) => usual.split(' ').filter((other) => other !== field).join(' ')), ...usual.split(' ').map((field) => usual.replace(field, `${field} ${field}`)),
    ...usual.split(' ').map((field) => usual.replace(field, `${field.split('=')[0]}=`)), ...usual.split(' ').map((field) => usual.replace(field, field.split('=')[0])),
    ...usual.split(' ').map((field) => usual.replace(field, field.split('=')[1])), ...[0, 1, 2].map((i) => swapped(usual.split(' '), i).join(' ')), usual.split(' ').reverse().join(' '),
    ...['00', '01', '-0', '-1', '+0', '0x0', '0.0', '0e0', 'a', '０', '1,0', '5', '6', 16, 17, 18, 2n ** 53n, 2n ** 64n - 1n, 2n ** 64n, 2n ** 64n + 1n, 2n ** 128n, '9'.repeat(400)].map((from) => detailOf(from, 5)),
    ...['00', '05', '-5', '+5', '0x5', '5.0', '5e0', '５', 0, 18, 24, 2n ** 32n + 5n, 2n ** 53n, 2n ** 63n, 2n ** 64n - 1n, 2n ** 64n, 2n ** 64n + 5n, 2n ** 128n + 5n, '9'.repeat(400)].map((to) => detailOf(0, to)),
    detailOf(5, 5), detailOf(6, 5), detailOf(17, 17), detailOf(0, 0),
    ...['2027-02-29', '2026-02-29', '2026-02-30', '2024-02-30', '2100-02-29', '1900-02-29', '2026-04-31', '2026-06-31', '2026-09-31', '2026-11-31', '2026-01-32', '2026-10-00', '2026-00-01', '2026-13-01', '2026-00-00',
      '2026-10-1', '2026-1-01', '2026-010-01', '026-10-01', '26-10-01', '02026-10-01', '+2026-10-01', '-2026-10-01', '+002026-10-01', '-000001-10-01', '10000-01-01', '2026/10/01', '20261001', '2026-1001', '2026-274',
      '2026-W40-4', '01-10-2026', '2026-10', '2026', '2026-10-01T00:00:00.000Z', '2026-10-01Z', '2026-Oct-01', '2026-10-aa', '1970-12-31', '1969-12-31', '1582-10-10', '0001-01-01', '0000-02-29', '2400-01-01', '2554-07-22', '9999-12-31', '２０２６-10-01', '2026- 1-01', 'today', '1790812800'].map(day),
    ...[0, '00', '030', '01', '-30', '+30', '30.0', '3e1', '0x1e', '30d', '３０', '3 0', 36601, 99999, 2n ** 31n, 2n ** 32n + 30n, 2n ** 64n + 30n, '9'.repeat(400)].map((days) => detailOf(0, 5, '2026-10-01', days))];
  for (const detail of new Set(details)) {
    for (const [what, op] of [['pruned', 41], ['held', 42]]) {
      yield bad(`${what}: ${JSON.stringify(detail.slice(0, 80))}${detail.length > 80 ? '...' : ''}`, noting(base, [17, op, detail || null]), 17);
    }
  }
  yield good('the same details, of what is no such op', [40, 43, 34].reduce((trail, op, i) => noting(trail, [7 + i, op, detailOf(9, 3, '2027-02-29', 0)]), base));
  for (const seq of [first - 1, end]) {
    for (const op of [41, 42]) {
      yield good(`op ${op} with a wrong detail in record ${seq}, out of range`, noting(base, [seq, op, 'wrong']));
    }
  }
  const counts = 'Evidence, step 6: nothing is said of the count';
  for (const count of [null, unsigned(1), unsigned(17), unsigned(2n ** 64n - 1n)]) {
    yield good(`pruned: 17 records, and a count of ${count ? count.toString('hex') : 'none'}`, noting(base, [17, 41, detailOf(0, 17)]).altered(17, put(70, count)), { reading: counts });
  }
  for (const stage of [1, 2, 3, 8]) {
    yield good(`pruned: at stage ${stage}`, noting(base, [17, 41, usual]).altered(17, put(10, unsigned(stage))));
  }

  // When it was due. The trail is one of that time.
  const range = (from, to, time) => Object.fromEntries(Array.from({ length: to - from }, (_, i) => [from + i, time]));
  for (const [until, days, due] of [['2027-01-02', 90, '2027-04-02'], ['2028-01-02', 90, '2028-04-01'], ['2026-10-27', 30, '2026-11-26'], ['2026-11-26', 1, '2026-11-27'], ['2026-12-31', 1, '2027-01-01'],
    ['2024-02-28', 1, '2024-02-29'], ['2023-02-28', 1, '2023-03-01'], ['2026-01-01', 365, '2027-01-01'], ['2100-02-28', 1, '2100-03-01'], ['2026-10-01', 36600, '2126-12-16'], ['1971-01-01', 1, '1971-01-02'],
    ['2399-12-31', 1, '2400-01-01']]) {
    const time = nanoseconds(`${due}T00:00:00.000Z`);
    const trail = (late) => noting(timed(small, range(0, 24, time)), [9, 41, detailOf(0, 5, until, days), time + late]).dated(`${due}T08:24:18.928Z`);
    yield good(`${until} and ${days} days: on time`, trail(0n));
    yield good(`${until} and ${days} days: a nanosecond late`, trail(1n));
    yield good(`${until} and ${days} days: a day late`, trail(DAY));
    for (const [what, early] of [['a nanosecond', 1n], ['a second', 1_000_000_000n], ['a day', DAY - 1n]]) {
      yield bad(`${until} and ${days} days: ${what} early`, trail(-early), 9);
      yield good(`${until} and ${days} days: ${what} early, but held`, trail(-early).altered(9, put(9, unsigned(42))).dated(`${due}T08:24:18.928Z`));
    }
  }
  yield bad('pruned when it had no time', noting(base, [9, 41, usual, null]), 9);
  yield good('held when it had no time', noting(base, [9, 42, usual, null]));
  // What was kept for too long, of what goes to the end: `old` is as old as may be. A record is of the latest time up to it.
  const old = NOW - 31n * DAY - DAY / 12n;
  const kept = (times, ...notes) => noting(timed(small, times), ...notes);
  const aged = (seq, time) => range(0, seq + 1, time);
  const fine = (name, trail, more) => right(name, archiveOf(trail.members(first, 24)), trail.told(first, 24), more);
  const late = (name, trail, seq, more) => wrong(6, name, archiveOf(trail.members(first, 24)), seq, more);
  const prune = [21, 41, usual];
  const keep = (days, at = 22) => [at, 44, `days=${days}`];
  for (let seq = first; seq < 21; seq++) {
    const older = kept(aged(seq, old - 1n), prune);
    yield fine(`up to record ${seq} as old as may be`, kept(aged(seq, old), prune));
    yield late(`up to record ${seq} a nanosecond older`, older, first);
    yield fine(`up to record ${seq} older, and nothing pruned`, kept(aged(seq, old - 1n)));
    yield fine(`record ${seq} older, behind a later one`, kept({ [first]: old, [seq]: seq === first ? old : 1n }, prune));
    yield fine(`up to record ${seq} older, and held`, kept(aged(seq, old - 1n), [22, 42, detailOf(first, seq + 1)], prune));
    yield late(`up to record ${seq} older, and all but the first held`, kept(aged(seq, old - 1n), [22, 42, detailOf(first + 1, 22)], prune), first);
    if (seq > first) {
      yield late(`up to record ${seq} older, and all but the last held`, kept(aged(seq, old - 1n), [22, 42, detailOf(first, seq)], prune), seq);
    }
    if (seq < 18) {
      yield good(`up to record ${seq} older, and the end not in the range`, kept(aged(seq, old - 1n), [18, 41, usual]));
    }
  }
  yield fine('a record older, out of range', kept({ [first - 1]: 1n }, prune));
  const longAgo = range(0, 24, 1n);
  yield fine('all of 1970, and nothing pruned', kept(longAgo));
  yield fine('all of 1970, and some held', kept(longAgo, [17, 42, usual]));
  yield fine('all of 1970, and pruned out of range', kept(longAgo, [4, 41, detailOf(0, 3), NOW]));
  yield late('all of 1970 but what says that it was pruned', kept(longAgo, [17, 41, usual, NOW]), first);
  yield late('all of 1970, and of a time that is not told', kept({ ...longAgo }, [17, 41, usual, NOW]).altered(first, put(5, null)), first);
  yield late('a record of no time', kept({}, prune).altered(first, put(5, null)), first);
  yield fine('a record of no time, and nothing pruned', base.altered(first, put(5, null)));
  yield fine('a record of no time, kept for 36600 days', kept({}, [17, 41, detailOf(0, 5, '2026-10-01', 36600), nanoseconds('2126-12-16T00:00:00.000Z')]).altered(first, put(5, null)));
  yield fine('records of a later time than the checkpoint\'s', kept({ 6: NOW + 1n, 7: NOW + 1000n * DAY, 8: 2n ** 63n, 9: 2n ** 64n - 1n }, prune));
  yield late('what says that it was pruned is too old', kept(range(0, 24, old - 1n), [first, 41, detailOf(0, 5, '2026-08-01', 30)]), first);
  yield fine('what says that it was pruned is as old as may be', kept(range(0, 24, old), [17, 41, detailOf(0, 5, '2026-08-01', 30)]));
  yield late('what says that it was held is too old', kept(aged(8, old - 1n), [first, 42, detailOf(0, 5)], prune), first);
  for (const days of [1, 2, 365, 3650]) {
    const oldest = NOW - BigInt(days + 1) * DAY - DAY / 12n;
    for (const [what, note] of [['pruned', [21, 41, detailOf(0, 5, '2010-01-01', days)]], ['said', keep(days)]]) {
      yield fine(`${what}, kept for ${days} days: as old as may be`, kept({ ...range(0, 24, NOW), ...aged(11, oldest) }, note));
      yield late(`${what}, kept for ${days} days: a nanosecond older`, kept({ ...range(0, 24, NOW), ...aged(11, oldest - 1n) }, note), first);
    }
  }
  yield fine('an hour less than may be, and the checkpoint an hour later', kept(aged(11, old + DAY / 24n), prune).dated('2026-11-27T09:24:18.928Z'));
  yield late('as old as may be, and the checkpoint a millisecond later', kept(aged(11, old), prune).dated('2026-11-27T08:24:18.929Z'), first);

  // For how many days it is kept.
  for (const detail of ['days=1', 'days=90', 'days=36600']) {
    yield fine(`kept: ${detail}`, kept(range(0, 24, NOW), [17, 44, detail]));
    yield good(`kept: ${detail}, and the end not in the range`, kept({}, [17, 44, detail]));
  }
  for (const detail of ['', 'days', 'days=', 'days=0', 'days=01', 'days=00', 'days=-1', 'days=+1', 'days=1.0', 'days=1e1', 'days=0x1', 'days=a', 'days=36601', `days=${2n ** 32n + 30n}`, `days=${2n ** 64n + 30n}`, ' days=30', 'days=30 ',
    'days=30\n', 'days= 30', 'days =30', 'Days=30', '30', usual, 'days=３０', 'days=30 days=30', `days=${'9'.repeat(400)}`]) {
    yield bad(`kept: ${JSON.stringify(detail.slice(0, 80))}`, noting(base, [17, 44, detail || null]), 17);
  }
  yield late('kept for less from then on', kept(aged(8, old), prune, keep(29)), first);
  yield fine('kept for more from then on', kept(aged(8, old - DAY), prune, keep(31)));
  yield fine('kept for less, and then for more', kept(aged(8, old - DAY), keep(29, 20), keep(31, 22)));
  yield late('kept for more, and then for less', kept(aged(8, old), keep(31, 20), keep(29, 22)), first);
  yield late('kept for more, and then pruned by what it was', kept(aged(8, old - 1n), keep(31, 20), prune), first);
  yield late('kept for less, nothing pruned', kept(aged(8, old), keep(29)), first);

  // Holds.
  const many = aged(15, old - 1n);
  for (const [what, holds, seq] of [['all of them', [[18, 5, 16]], null], ['all but the first', [[18, 6, 16]], 5], ['all but the last', [[18, 5, 15]], 15], ['none', [], 5], ['others', [[18, 0, 5], [17, 16, 17]], 5],
    ['all by two', [[18, 5, 11], [17, 11, 16]], null], ['all by two, the later part first', [[17, 5, 11], [18, 11, 16]], null], ['all but one between two', [[18, 5, 10], [17, 11, 16]], 10],
    ['all by two that lap over', [[18, 5, 13], [17, 9, 16]], null], ['all by one, a part by one behind it', [[17, 5, 16], [18, 7, 9]], null], ['all by one, a part by one before it', [[17, 7, 9], [18, 5, 16]], null],
    ['all by one, the end by another', [[17, 0, 16], [18, 15, 16]], null], ['all but one by three', [[16, 5, 8], [17, 12, 16], [18, 8, 11]], 11], ['all from 0 on', [[18, 0, 16]], null]]) {
    const trail = kept(many, ...holds.map(([at, from, to]) => [at, 42, detailOf(from, to)]), [22, 41, detailOf(0, 5)]);
    yield seq === null ? fine(`too old, and held: ${what}`, trail) : late(`too old, and held: ${what}`, trail, seq);
  }
  yield fine('held by what stands before the last prune', kept(aged(6, old - 1n), [9, 42, detailOf(5, 7)], prune));
  yield late('held by what stands before the range', kept(aged(6, old - 1n), [4, 42, detailOf(0, 4)], prune), 5);
  yield fine('held for other days than kept', kept(aged(6, old - 1n), [9, 42, detailOf(5, 7, '2026-11-20', 1)], prune));

  // Two that say what was pruned: the last one's days count.
  for (const [what, notes, seq] of [['both', [[19, 41, detailOf(0, 3)], [21, 41, detailOf(3, 5)]], null], ['the earlier kept for less', [[19, 41, detailOf(0, 3, '2026-10-01', 10)], prune], null],
    ['the earlier kept for more', [[19, 41, detailOf(0, 3, '2026-08-01', 90)], prune], null], ['the later kept for less', [[19, 41, detailOf(0, 3)], [21, 41, detailOf(3, 5, '2026-10-01', 29)]], 5],
    ['the later kept for more', [[19, 41, detailOf(0, 3)], [21, 41, detailOf(3, 5, '2026-08-01', 90)]], null],
    ['the later by its number, not its time, kept for more', [[19, 41, detailOf(0, 3, '2026-10-01', 29), NOW], [21, 41, detailOf(3, 5), NOW - DAY]], null],
    ['the later by its number, not its time, kept for less', [[19, 41, detailOf(0, 3, '2026-08-01', 90), NOW], [21, 41, detailOf(3, 5, '2026-10-01', 29), NOW - DAY]], 5],
    ['a hold kept for less behind them', [[19, 41, detailOf(0, 3)], [21, 41, detailOf(3, 5)], [22, 42, detailOf(3, 4, '2026-10-01', 1)]], null]]) {
    const trail = kept(aged(11, old), ...notes);
    yield seq === null ? fine(`pruned twice: ${what}`, trail) : late(`pruned twice: ${what}`, trail, seq);
  }
  const again = 'Evidence, step 6: nothing is said of "not pruned before", nor of records in the range that are below E';
  yield good('pruned twice, the same', noting(base, [9, 41, detailOf(0, 5)], [17, 41, usual]), { reading: again });
  yield good('pruned twice, and E goes back', noting(base, [9, 41, detailOf(0, 7)], [17, 41, usual]), { reading: again });
  yield good('pruned and held, the same', noting(base, [9, 42, detailOf(0, 5)], [17, 41, usual]), { reading: again });

  // Which is named, of several that are wrong: of those that say it the first, and only then what is too old.
  const early = detailOf(0, 5, '2026-11-20');
  for (const [what, notes, seq] of [['two wrong details', [[7, 41, 'x'], [9, 42, 'y']], 7], ['two wrong details, that of the hold first', [[7, 42, 'x'], [9, 41, 'y']], 7], ['two early', [[7, 41, early], [9, 41, early]], 7],
    ['an early one, and a wrong detail behind it', [[7, 41, early], [9, 41, 'x']], 7], ['a wrong detail, and an early one behind it', [[7, 41, 'x'], [9, 41, early]], 7],
    ['a right one, and an early one behind it', [[7, 41, usual], [9, 41, early]], 9], ['an early one, and a right one behind it', [[7, 41, early], [9, 41, usual]], 7],
    ['an early one, and a wrong hold behind it', [[7, 41, early], [9, 42, 'x']], 7], ['a wrong hold, and an early one behind it', [[7, 42, 'x'], [9, 41, early]], 7],
    ['an early hold, and an early prune behind it', [[7, 42, early], [9, 41, early]], 9], ['a wrong hold behind a right prune', [[7, 41, usual], [18, 42, detailOf(0, 19)]], 18],
    ['wrong in both', [[7, 41, detailOf(9, 3, '2026-11-20', 0)], [18, 41, 'x']], 7], ['the first and the last of the range', [[first, 41, early], [end - 1, 41, early]], first]]) {
    yield bad(`several: ${what}`, noting(base, ...notes), seq);
    yield bad(`several: ${what}, and too old ones before them`, kept({ 5: 1n, 6: 1n, 8: 1n }, ...notes), seq);
  }
  yield late('several: too old ones', kept({ ...aged(8, old - 1n), 12: 1n }, prune), first);
  yield late('several: too old ones, the oldest first', kept({ [first]: 1n, 6: old - 1n }, prune), first);
  const both = noting(kept({ 8: 1n }), [7, 41, 'x']);
  const lie = noteOf(textOf(small.origin, 19, sha256('another root')), small.origin, GATEWAY);
  yield wrong(5, 'several: a wrong number behind them', archiveOf(both.altered(18, put(3, unsigned(17))).members(first, end)), 18);
  yield wrong(5, 'several: a detail too long', archiveOf(noting(base, [7, 41, usual.padEnd(513)]).members(first, end)), 7);
  yield bad('several: a detail as long as may be', noting(base, [7, 41, usual.padEnd(512)]), 7);
  yield bad('several: a checkpoint that is not met', both, 7, { checkpoints: [lie] });
  yield late('several: a checkpoint that is not met, and too old ones', kept({ [first]: 1n }, prune), first, { checkpoints: [lie] });
  yield wrong(7, 'a right prune, and a checkpoint that is not met', archiveOf(noting(base, [17, 41, usual]).members(first, end)), null, { checkpoints: [lie] });
  const met = noting(base, [17, 41, usual]);
  yield good('a right prune, and a checkpoint that is met', met, { checkpoints: [met.checkpoint(5), met.checkpoint()] });

  // Other ranges.
  for (const [from, to] of [[5, 24], [5, 18], [0, 24], [17, 18], [17, 24], [18, 24], [6, 17], [5, 17]]) {
    yield right(`[${from}, ${to}), pruned to 5 by record 17`, archiveOf(met.members(from, to)), met.told(from, to));
  }
  const operator = noting(timed(Trail.made(OPERATOR, 0, 24, 'operator')), [9, 41, usual], [10, 42, usual], [11, 43, 'service=acme until=2026-10-01']);
  yield right('the operator\'s own trail, pruned', archiveOf(operator.members(5, 24)), operator.told(5, 24));
  yield wrong(6, 'the operator\'s own trail, kept for too long', archiveOf(operator.altered(5, put(5, unsigned(old - 1n))).members(5, 24)), 5);
  yield wrong(6, 'record 0, of itself', archiveOf(noting(base, [0, 41, detailOf(0, 1)]).members(0, end)), 0);
  yield wrong(6, 'record 0, of nothing', archiveOf(noting(base, [0, 41, detailOf(0, 0)]).members(0, end)), 0);
  yield right('record 1, of record 0', archiveOf(noting(base, [1, 41, detailOf(0, 1)]).members(0, end)), noting(base, [1, 41, detailOf(0, 1)]).told(0, end));
  const wide = noting(timed(Trail.made(ACME, 0, 530, 'wide')), [520, 41, detailOf(0, 250)], [400, 42, detailOf(200, 300)]);
  const older = (to) => Array.from({ length: to }, (_, seq) => seq).reduce((trail, seq) => trail.altered(seq, put(5, unsigned(old - 1n))), wide);
  yield right('wide: pruned', archiveOf(wide.members(250, 530)), wide.told(250, 530));
  yield right('wide: some too old, and held', archiveOf(older(300).members(250, 530)), wide.told(250, 530));
  yield wrong(6, 'wide: one too old, behind what is held', archiveOf(older(301).members(250, 530)), 300);
  for (const start of [2n ** 32n - 5n, 2n ** 53n - 5n, 2n ** 63n - 5n, 2n ** 64n - 12n]) {
    const far = Trail.made(ACME, start, 10, `pruned at ${start}`);
    const seq = start + 6n;
    const whole = (...notes) => {
      const trail = noting(timed(far), ...notes);
      subtreesOf(0n, start).forEach(([at, leaves]) => trail.known.set(`${at}+${leaves}`, sha256(`made up ${at}`)));
      return trail;
    };
    const trail = whole([seq, 41, detailOf(0, seq)], [seq + 1n, 42, detailOf(seq - 1n, seq + 1n)]);
    yield right(`from ${start}: pruned up to where that is said`, archiveOf(trail.members(start, trail.end())), trail.told(start, trail.end()));
    for (const op of [41, 42]) {
      yield wrong(6, `from ${start}: op ${op} of itself`, archiveOf(whole([seq, op, detailOf(0, seq + 1n)]).members(start, trail.end())), seq);
      yield wrong(6, `from ${start}: op ${op} of none`, archiveOf(whole([seq, op, detailOf(seq, seq)]).members(start, trail.end())), seq);
    }
  }
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
      yield said ? right(`${about}: one of ${other}`, archive, told, met) : wrong(7, `${about}: one of ${other}, that nothing is said of`, archive, null, met);
      const lie = noteOf(textOf(trail.origin, other, sha256('another root')), trail.origin, GATEWAY);
      yield wrong(7, `${about}: one of ${other} with another root`, archive, null, { checkpoints: [lie] });
    }
    yield right(`${about}: three, two of them the same`, archive, told, { checkpoints: [trail.checkpoint(first), trail.checkpoint(end), trail.checkpoint(first)] });
    yield wrong(7, `${about}: the second of two`, archive, null, { checkpoints: [trail.checkpoint(end), noteOf(textOf(trail.origin, first, sha256('another root')), trail.origin, GATEWAY)] });
  }
  const archive = archiveOf(MEMBERS());
  const as = (step, name, checkpoint, more) => wrong(step, name, archive, null, { checkpoints: [checkpoint], ...more });
  const later = small.with([...small.records, small.records[0]]);
  yield as(7, 'one of a larger tree', later.checkpoint());
  yield as(7, 'one of a giant tree', noteOf(textOf(small.origin, 2n ** 64n - 1n, sha256('giant')), small.origin, GATEWAY));
  const root = rootOf(small.known, 0, 19);
  const elsewhere = (origin) => noteOf(textOf(origin, 19, root), origin, GATEWAY);
  const over = (name, ...notes) => right(name, archive, small.told(SMALL.first, SMALL.end), { checkpoints: notes });
  const lie = noteOf(textOf(small.origin, 19, sha256('another root')), small.origin, GATEWAY);
  const operator = Trail.made(OPERATOR, 0, 40, 'operator');
  yield over('another tenant\'s', beta.checkpoint(19));
  yield over('another tenant\'s, of the same root', elsewhere(beta.origin));
  yield over('another tenant\'s, of a size that nothing is said of', beta.checkpoint(3));
  yield over('another tenant\'s, of a giant tree', noteOf(textOf(beta.origin, 2n ** 64n - 1n, sha256('giant')), beta.origin, GATEWAY));
  yield over('another tenant\'s, of another journal', elsewhere(beta.origin.replace(EPOCH, '0'.repeat(32))));
  yield over('the operator\'s', operator.checkpoint(40));
  yield over('another tenant\'s, and one that is met', beta.checkpoint(19), small.checkpoint(19));
  yield over('several tenants\', and one that is met among them', beta.checkpoint(19), small.checkpoint(5), operator.checkpoint(3), small.checkpoint());
  yield right('a tenant\'s, for the operator\'s records', archiveOf(operator.members(3, 37)), operator.told(3, 37), { checkpoints: [small.checkpoint(19)] });
  yield wrong(7, 'another tenant\'s, and one that is not met behind it', archive, null, { checkpoints: [beta.checkpoint(19), lie] });
  yield wrong(7, 'another tenant\'s, and one that is not met before it', archive, null, { checkpoints: [lie, beta.checkpoint(19)] });
  yield as(7, 'another journal\'s, of the same root', elsewhere(small.origin.replace(EPOCH, '0'.repeat(32))), { reading: 'Evidence: of another epoch of the tenant\'s, what "of the tenant\'s" is' });
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
  const passed = 'Evidence: whether a checkpoint that is passed over is one that is signed';
  yield as(2, 'another tenant\'s, signed by another', noteOf(beta.text(19), beta.origin, gatewayOf('stranger')), { reading: passed });
  yield as(2, 'another tenant\'s, without a signature', beta.text(19), { reading: passed });
  yield as(2, 'the tenant changed behind the signature', note.replaceAll(ACME.toString('hex'), BETA.toString('hex')), { reading: passed });
  yield as(2, 'two tenants\' in one', beta.checkpoint(19) + note, { reading: 'Evidence: "of one file with it": how several checkpoints stand in one file' });
  const members = MEMBERS();
  yield wrong(4, 'one that is not met, and a wrong salt', archiveOf({ ...members, salts: changed(members.salts, 0, ZERO_SALT) }), 5, { checkpoints: [later.checkpoint()], reading: otherForm });
  yield wrong(2, 'one that is not signed, and a wrong root', archiveOf({ ...members, left: [] }), null, { checkpoints: [small.text(19)], reading: otherForm });
}

const GROUPS = { ranges, forms, numbers, archives, checkpoints, roots, records, recorded, erased, others };

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
