/*
 * Packed files. The journal is one of two files, the first of them packed: three tenants, one of whom was erased before, more than one chunk. The input
 * is, behind a first byte that says which:
 *   'D', 'H'  places in both files, of three bytes each, offset and the value to put there. 'D': as it is then. 'H': hashes of header, directory, chunks and
 *             groups are made anew, as whoever writes in the folder may who has no keys. What is taken, with the keys, has the trees that were; without
 *             them the snapshot of the second file says so.
 *   'F'       fields of header and directory, of ten bytes each, which one and its value; hashes are made anew.
 *   'Z', 'C'  what is sealed in a chunk, with the right key: compressed, or before that. It is so many records, or none.
 */
#include "crypto/digest.h"
#include "journal/packed.h"
#include "journal/reader.h"
#include "journal/record.h"

#include <endian.h>
#include <stdlib.h>
#include <zstd.h>

#define FILES 2
#define TENANTS 3
#define GONE 2U /* whose key was erased */
#define RECORDS (SK_PACKED_RECORDS + 9)
#define DAY 20000
#define MOST ((size_t)96 << 10) /* bytes of a file */

struct tenant {
    uint8_t id[SK_ID_SIZE];
    struct sk_sealing sealing;
    struct sk_tree tree;
    struct sk_buf cbor; /* of its records in the packed file, one behind the other */
    uint32_t ends[RECORDS];
    uint8_t leaves[RECORDS][SK_TREE_HASH];
};

static struct {
    uint8_t bytes[FILES][MOST];
    size_t len[FILES];
    struct tenant tenants[TENANTS];
    struct sk_packed packed;
    struct sk_keys *keys;
} good;

static const uint8_t run[SK_ID_SIZE] = {0xaa};

static void require(bool holds)
{
    if (!holds) {
        abort();
    }
}

/* ---- the journal ---- */

static void make_keys(void)
{
    static const uint8_t secret[SK_KEYS_SECRET] = {1}, service[SK_ID_SIZE] = {9};
    struct sk_buf slots SK_CLEANUP(sk_buf_free) = SK_BUF_INIT(16 * SK_KEYS_SLOT);
    char why[160];
    require(sk_keys_new(secret, SK_SLICE_NULL, &good.keys, why) == 0);
    for (uint8_t i = 0; i < TENANTS; i++) {
        good.tenants[i].id[0] = (uint8_t)(i + 1);
        good.tenants[i].cbor = SK_BUF_INIT(SK_PACKED_BYTES);
        require(sk_keys_need_tenant(good.keys, good.tenants[i].id, service, &slots) == 0 && sk_keys_need_day(good.keys, good.tenants[i].id, DAY, &slots) == 0);
    }
}

static void make_record(struct tenant *tenant, enum sk_audit_stage stage)
{
    static const char request[] = "0123456789abcdef";
    uint8_t cbor[SK_AUDIT_RECORD_MAX], salt[SK_BLOCK];
    uint64_t seq = tenant->tree.size;
    struct sk_audit_record record = {.op = SK_AUDIT_REQUEST, .stage = stage, .decision = SK_AUDIT_DECISION_ALLOW, .seq = seq, .wall = 5 + seq, .subject = SK_LIT("hanako"),
            .request = sk_slice(request, SK_ID_SIZE)};
    memcpy(record.tenant, tenant->id, SK_ID_SIZE);
    size_t len = sk_record_encode(&record, cbor);
    require(len && sk_sealing_set(&tenant->sealing, good.keys, tenant->id, DAY, run) == 0 && sk_sealing_salt(&tenant->sealing, seq, salt) == 0);
    sk_tree_leaf(sk_slice(salt, sizeof(salt)), sk_slice(cbor, len), tenant->leaves[seq]);
    sk_tree_append(&tenant->tree, tenant->leaves[seq]);
    require(sk_buf_put(&tenant->cbor, sk_slice(cbor, len)) == 0);
    tenant->ends[seq] = (uint32_t)sk_buf_len(&tenant->cbor);
}

static struct sk_slice records_of(const struct tenant *tenant, uint64_t from, uint32_t count)
{
    uint32_t begins = from ? tenant->ends[from - 1] : 0;
    return sk_slice(sk_buf_peek(&tenant->cbor).data + begins, tenant->ends[from + count - 1] - begins);
}

static void put_roots(const struct tenant *tenant, uint64_t from, uint64_t end, struct sk_buf *out)
{
    while (from < end) {
        struct sk_tree tree = {.size = 0};
        uint64_t next = from + (UINT64_C(1) << sk_tree_subtree(from, end));
        for (; from < next; from++) {
            sk_tree_append(&tree, tenant->leaves[from]);
        }
        require(sk_buf_put(out, sk_slice(tree.peaks[0], SK_TREE_HASH)) == 0);
    }
}

static void put_chunk(struct sk_packed_header *header, struct sk_compressor *compressor, const struct tenant *tenant, uint64_t seq, uint32_t count, struct sk_buf *out,
        struct sk_buf *directory)
{
    struct sk_packed_chunk chunk = {.seq = seq, .at = sk_buf_len(out), .group = 3, .count = count};
    struct sk_sealer *sealer;
    uint8_t entry[SK_PACKED_ENTRY];
    memcpy(chunk.tenant, tenant->id, SK_ID_SIZE);
    put_roots(tenant, seq, seq + count, out);
    if (tenant != &good.tenants[GONE]) {
        require(sk_packed_sealer(header, good.keys, tenant->id, &sealer) == 0);
        require(sk_packed_seal(compressor, sealer, header->count, &chunk, records_of(tenant, seq, count), out) == 0);
        (void)sk_sealer_free(sealer);
    }
    sk_digest_sha256(sk_slice_from(sk_buf_peek(out), chunk.at), chunk.hash);
    sk_packed_put_chunk(&chunk, entry);
    require(sk_buf_put(directory, sk_slice(entry, sizeof(entry))) == 0);
    header->count++;
}

/* A group of a snapshot: where all stand, or nothing. Its hash is the next one's `previous`. */
static size_t put_snapshot(uint8_t *at, uint64_t file, uint64_t number, bool any, uint8_t previous[SK_FRAME_HASH])
{
    struct sk_frame_group group = {.file = file, .number = number, .kind = SK_FRAME_SNAPSHOT, .wall = 9 + number, .boot = 9, .day = DAY};
    uint8_t *body = at + SK_FRAME_GROUP_HEADER;
    for (size_t i = 0; any && i < TENANTS; i++) {
        const struct tenant *tenant = &good.tenants[i];
        struct sk_frame_entry entry = {.kind = SK_FRAME_TENANT, .seq = tenant->tree.size};
        memcpy(entry.tenant, tenant->id, SK_ID_SIZE);
        sk_tree_root(&tenant->tree, entry.hash);
        sk_frame_put_entry(&entry, body + SK_FRAME_ENTRY * group.count++);
        entry.kind = SK_FRAME_PEAK;
        for (entry.seq = 0; entry.seq < sk_tree_peaks(tenant->tree.size); entry.seq++) {
            memcpy(entry.hash, tenant->tree.peaks[entry.seq], SK_FRAME_HASH);
            sk_frame_put_entry(&entry, body + SK_FRAME_ENTRY * group.count++);
        }
    }
    group.body = (uint32_t)(SK_FRAME_ENTRY * group.count);
    memcpy(group.previous, previous, SK_FRAME_HASH);
    sk_frame_put_group(&group, body, at);
    memcpy(previous, group.hash, SK_FRAME_HASH);
    return sk_frame_group_size(group.body);
}

static void make_files(void)
{
    struct sk_buf out = SK_BUF_INIT(MOST), directory = SK_BUF_INIT(MOST);
    struct sk_packed_header header = {.file = {.number = 1}, .salt = {7}, .group = 3, .wall = 12, .boot = 9, .day = DAY, .chunks = 2 * SK_FRAME_BLOCK};
    struct sk_frame_file second = {.number = 2, .previous = {5}}; /* the hash of the last group that file 1 had */
    uint8_t blocks[2 * SK_FRAME_BLOCK] = {0}, previous[SK_FRAME_HASH] = {0};
    struct sk_compressor *compressor = sk_compressor_new();
    require(compressor && put_snapshot(blocks + SK_FRAME_BLOCK, 1, 0, false, previous) == SK_FRAME_BLOCK && sk_buf_put(&out, sk_slice(blocks, sizeof(blocks))) == 0);
    for (size_t i = 0; i < TENANTS; i++) {
        put_chunk(&header, compressor, &good.tenants[i], 0, SK_PACKED_RECORDS, &out, &directory);
        put_chunk(&header, compressor, &good.tenants[i], SK_PACKED_RECORDS, RECORDS - SK_PACKED_RECORDS, &out, &directory);
    }
    memcpy(header.last, second.previous, SK_FRAME_HASH);
    header.directory = sk_buf_len(&out);
    sk_digest_sha256(sk_buf_peek(&directory), header.hash);
    require(sk_buf_put(&out, sk_buf_peek(&directory)) == 0);
    good.len[0] = sk_buf_len(&out);
    memcpy(good.bytes[0], sk_buf_peek(&out).data, good.len[0]);
    sk_packed_put_header(&header, good.bytes[0]);
    sk_frame_put_file(&second, good.bytes[1]);
    good.len[1] = SK_FRAME_BLOCK + put_snapshot(good.bytes[1] + SK_FRAME_BLOCK, 2, 4, true, second.previous);
    (void)sk_compressor_free(compressor);
    sk_buf_free(&out);
    sk_buf_free(&directory);
}

/* Both files as one journal. 0, with what was read; 1 damaged. */
static int read_both(uint8_t *const files[FILES], struct sk_journal_state *state)
{
    struct sk_journal_error error = {.text = ""};
    struct sk_frame_file next;
    uint64_t end, torn;
    int r = sk_journal_get_file(sk_slice(files[1], good.len[1]), &next) ? 1 : 0;
    for (size_t i = 0; i < FILES && r == 0; i++) {
        r = sk_journal_read(state, sk_slice(files[i], good.len[i]), i + 1 < FILES ? next.previous : NULL, NULL, NULL, &end, &torn, &error);
        require(r >= 0 && (r == 0 || error.text[0]) && (r || (end <= good.len[i] && torn <= good.len[i] - end)));
    }
    return r;
}

static void make_journal(void)
{
    struct sk_journal_state state = SK_JOURNAL_STATE_INIT;
    struct sk_keys_write write;
    make_keys();
    for (size_t i = 0; i < TENANTS; i++) {
        for (size_t n = 0; n < RECORDS; n++) {
            make_record(&good.tenants[i], n == 3 ? SK_AUDIT_STAGE_INTENT : n == 7 ? SK_AUDIT_STAGE_OUTCOME : SK_AUDIT_STAGE_SINGLE);
        }
    }
    make_files();
    require(sk_keys_erase_tenant(good.keys, good.tenants[GONE].id, (struct sk_keys_time){1, 4}, &write) == 0);
    require(sk_packed_open(sk_slice(good.bytes[0], good.len[0]), &good.packed) == 0 && good.packed.header.count == 2 * TENANTS);
    uint8_t *const files[FILES] = {good.bytes[0], good.bytes[1]};
    state.keys = good.keys;
    require(read_both(files, &state) == 0 && state.records == TENANTS * RECORDS && state.erased == RECORDS && state.group == 5);
    sk_journal_state_free(&state);
}

/* ---- both files ---- */

/* Hashes of what is there, as far as it is what it was to be. */
static void hash_packed(uint8_t *file, size_t len)
{
    struct sk_packed packed = {.file = sk_slice(file, len)};
    memcpy(file, good.bytes[0], 16); /* else it is no packed file */
    (void)!sk_packed_get_header(file, &packed.header);
    struct sk_packed_header *h = &packed.header;
    const size_t all = h->directory <= len ? (len - h->directory) / SK_PACKED_ENTRY : 0;
    for (uint32_t n = 0; n < h->count && n < all; n++) {
        struct sk_packed_chunk chunk = sk_packed_chunk(&packed, n);
        if (chunk.count == 0 || chunk.count > SK_PACKED_RECORDS || chunk.seq > UINT64_MAX - SK_PACKED_RECORDS || chunk.at > len) {
            continue;
        }
        size_t size = sk_packed_roots(&chunk) * SK_TREE_HASH + chunk.len;
        if (size <= len - chunk.at) {
            sk_digest_sha256(sk_slice(file + chunk.at, size), chunk.hash);
            sk_packed_put_chunk(&chunk, file + h->directory + n * SK_PACKED_ENTRY);
        }
    }
    if (h->directory <= len) {
        sk_digest_sha256(sk_slice(file + h->directory, len - h->directory), h->hash);
    }
    sk_packed_put_header(h, file);
}

/* The snapshots, and that the second file goes on from the first. */
static void hash_groups(uint8_t *const files[FILES])
{
    for (size_t i = 0; i < FILES; i++) {
        uint8_t *at = files[i] + SK_FRAME_BLOCK;
        struct sk_frame_group group;
        struct sk_frame_file file;
        if (i == 1) {
            memcpy(files[i], good.bytes[i], 16);
            file = (struct sk_frame_file){.number = 2};
            memcpy(file.previous, files[0] + 88, SK_FRAME_HASH); /* what the packed one says of its last group */
            sk_frame_put_file(&file, files[i]);
        }
        if (sk_frame_get_group(at, &group) == 0 && group.body <= good.len[i] - SK_FRAME_BLOCK - SK_FRAME_GROUP_HEADER) {
            memcpy(group.previous, files[i] + 40, SK_FRAME_HASH);
            sk_frame_put_group(&group, at + SK_FRAME_GROUP_HEADER, at);
        }
    }
}

/* What the trees prove is what it was. */
static bool has_trees(const struct sk_journal_state *state)
{
    bool same = state->tenants.count == TENANTS && state->records == TENANTS * RECORDS;
    for (size_t i = 0; same && i < TENANTS; i++) {
        const struct sk_journal_tenant *tenant = sk_journal_find_tenant(state, good.tenants[i].id);
        const struct sk_tree *was = &good.tenants[i].tree;
        same = tenant && tenant->tree.size == was->size && memcmp(tenant->tree.peaks, was->peaks, (size_t)sk_tree_peaks(was->size) * SK_TREE_HASH) == 0;
    }
    return same;
}

/* Its snapshot is what it was. */
static bool says_trees(const uint8_t *second)
{
    const size_t body = SK_FRAME_BLOCK + SK_FRAME_GROUP_HEADER;
    return memcmp(second + body, good.bytes[1] + body, good.len[1] - body) == 0;
}

/* Every other way of reading it comes to an end, too, whatever it finds. */
static void look_around(struct sk_slice file, bool taken)
{
    struct sk_packed packed;
    struct sk_tree tree;
    (void)sk_journal_begins(file, NULL, NULL);
    sk_journal_begins_with(file, good.tenants[0].id, &tree);
    if (sk_packed_open(file, &packed)) {
        require(!taken);
        return;
    }
    for (uint32_t n = 0; n < packed.header.count; n++) {
        const struct sk_packed_chunk chunk = sk_packed_chunk(&packed, n);
        require(sk_packed_find(&packed, chunk.tenant, chunk.seq) == n && sk_packed_find(&packed, chunk.tenant, chunk.seq + chunk.count - 1) == n);
        require(sk_packed_at(&packed, chunk.at) == n && (sk_packed_check(&packed, &chunk) || !taken));
        require(sk_packed_roots(&chunk) >= 1 && sk_packed_roots(&chunk) <= SK_PACKED_ROOTS && sk_packed_roots_of(&packed, &chunk).len <= file.len);
    }
}

/* The same, piece by piece. */
static int read_on(struct sk_slice file, struct sk_journal_state *state, uint64_t step)
{
    struct sk_journal_error error;
    uint64_t at = 0, before;
    int r = 0;
    do {
        before = at;
        r = sk_journal_read_on(state, file, &at, file.len - before > step ? before + step : file.len, NULL, NULL, NULL, &error);
        require(r >= 0 && (r || at > before || before == file.len));
    } while (r == 0 && at < file.len);
    return r;
}

static void check(uint8_t *const files[FILES], bool with_keys, bool hashed)
{
    struct sk_journal_state state = SK_JOURNAL_STATE_INIT, pieces = SK_JOURNAL_STATE_INIT;
    struct sk_slice first = sk_slice(files[0], good.len[0]);
    state.keys = pieces.keys = with_keys ? good.keys : NULL;
    int r = read_both(files, &state), on = read_on(first, &pieces, 5000);
    if (r == 0) {
        struct sk_packed packed;
        require(on == 0 && sk_packed_open(first, &packed) == 0 && pieces.group == packed.header.group + 1);
        /* Who has no keys knows it of the snapshot behind it alone. */
        require(has_trees(&state) || (hashed && !with_keys && !says_trees(files[1])));
        require(hashed || (memcmp(files[0], good.bytes[0], good.len[0]) == 0 && memcmp(files[1], good.bytes[1], good.len[1]) == 0));
    }
    look_around(first, r == 0);
    sk_journal_state_free(&state);
    sk_journal_state_free(&pieces);
}

static void set_bytes(uint8_t *const files[FILES], const uint8_t *data, size_t size)
{
    for (size_t i = 0; i + 3 <= size; i += 3) {
        size_t at = ((size_t)data[i] << 8 | data[i + 1]) % (good.len[0] + good.len[1]), file = at >= good.len[0];
        files[file][at - (file ? good.len[0] : 0)] = data[i + 2];
    }
}

/* Of the header from `number` on, or of an entry: 64 or 32 bits. The directory may go elsewhere with it. */
static void set_fields(uint8_t *const files[FILES], const uint8_t *data, size_t size)
{
    static const struct {
        uint8_t at, len;
    } header[] = {{16, 8}, {136, 8}, {144, 8}, {152, 8}, {160, 4}, {164, 4}, {168, 8}, {176, 8}}, entry[] = {{0, 8}, {16, 8}, {24, 8}, {32, 8}, {40, 4}, {44, 4}};
    const size_t directory = good.packed.header.directory;
    for (size_t i = 0; i + 10 <= size; i += 10) {
        uint8_t n = data[i] % (good.packed.header.count + 1U), field = data[i + 1];
        size_t h = field % SK_COUNT(header), e = field % SK_COUNT(entry);
        uint8_t *to = files[0] + (n ? directory + (n - 1U) * SK_PACKED_ENTRY + entry[e].at : header[h].at);
        memcpy(to, data + i + 2, n ? entry[e].len : header[h].len);
    }
}

static void mutate(uint8_t mode, const uint8_t *data, size_t size)
{
    uint8_t *files[FILES] = {malloc(good.len[0]), malloc(good.len[1])}; /* of their length, for the sanitizers */
    require(files[0] && files[1]);
    memcpy(files[0], good.bytes[0], good.len[0]);
    memcpy(files[1], good.bytes[1], good.len[1]);
    if (mode == 'F') {
        set_fields(files, data, size);
    } else {
        set_bytes(files, data, size);
    }
    if (mode != 'D') {
        hash_packed(files[0], good.len[0]);
        hash_groups(files);
    }
    check(files, true, mode != 'D');
    check(files, false, mode != 'D');
    free(files[0]);
    free(files[1]);
}

/* ---- a chunk's content ---- */

/* The file with this in place of what the first chunk has, sealed by who has the keys. */
static uint8_t *reseal(struct sk_slice compressed, uint32_t count, size_t *len)
{
    struct sk_packed_header header = good.packed.header;
    struct sk_packed_chunk chunk = sk_packed_chunk(&good.packed, 0);
    uint8_t nonce[SK_SEAL_NONCE] = {0}, place[SK_ID_SIZE + 12] = {0};
    struct sk_sealer *sealer = NULL;
    const uint64_t le = htole64(chunk.seq);
    const uint32_t le_count = htole32(count);
    chunk.count = count;
    chunk.len = (uint32_t)(compressed.len + SK_SEAL_TAG);
    const size_t roots = sk_packed_roots(&chunk) * SK_TREE_HASH;
    memcpy(place, chunk.tenant, SK_ID_SIZE);
    memcpy(place + SK_ID_SIZE, &le, sizeof(le));
    memcpy(place + SK_ID_SIZE + sizeof(le), &le_count, sizeof(le_count));
    header.count = 1;
    header.directory = chunk.at + roots + chunk.len;
    *len = header.directory + SK_PACKED_ENTRY;
    uint8_t *file = calloc(1, *len);
    require(file && sk_packed_sealer(&header, good.keys, chunk.tenant, &sealer) == 0);
    require(sk_sealer_seal(sealer, nonce, sk_slice(place, sizeof(place)), compressed, file + chunk.at + roots) == 0);
    (void)sk_sealer_free(sealer);
    sk_digest_sha256(sk_slice(file + chunk.at, roots + chunk.len), chunk.hash);
    sk_packed_put_chunk(&chunk, file + header.directory);
    sk_digest_sha256(sk_slice(file + header.directory, SK_PACKED_ENTRY), header.hash);
    sk_packed_put_header(&header, file);
    return file;
}

static void check_unpacked(const struct sk_unpacked *unpacked, uint32_t count)
{
    const struct sk_slice all = unpacked->bytes;
    uint32_t before = 0;
    require(unpacked->count == count && all.len <= SK_PACKED_BYTES && unpacked->ends[count - 1] == all.len);
    for (uint32_t i = 0; i < count; i++) {
        struct sk_audit_record record;
        struct sk_slice cbor = sk_unpacked_record(unpacked, i);
        require(unpacked->ends[i] > before && cbor.len == unpacked->ends[i] - before && cbor.len <= SK_AUDIT_RECORD_MAX && sk_record_length(cbor) == cbor.len);
        before = unpacked->ends[i];
        (void)sk_record_decode(cbor, &record);
    }
}

static void open_content(struct sk_slice compressed, uint32_t count)
{
    struct sk_unpacked unpacked = SK_UNPACKED_INIT;
    struct sk_packed packed;
    struct sk_sealer *sealer = NULL;
    size_t len;
    uint8_t *file = reseal(compressed, count, &len);
    require(sk_packed_open(sk_slice(file, len), &packed) == 0 && sk_packed_sealer(&packed.header, good.keys, good.tenants[0].id, &sealer) == 0);
    for (int round = 0; round < 2; round++) { /* and in place of what was there */
        int r = sk_unpacked_open(&unpacked, sealer, &packed, 0);
        require(r == 0 || r == 1);
        if (r == 0) {
            check_unpacked(&unpacked, count);
        }
        require(sk_unpacked_open(&unpacked, sealer, &good.packed, 0) == 0);
        check_unpacked(&unpacked, SK_PACKED_RECORDS);
    }
    sk_unpacked_free(&unpacked);
    (void)sk_sealer_free(sealer);
    free(file);
}

/* Records of the first tenant's, and then what is given. */
static void compress_content(const uint8_t *data, size_t size, uint32_t count, uint32_t whole)
{
    struct sk_slice some = whole ? records_of(&good.tenants[0], 0, whole) : SK_SLICE_NULL;
    size_t all = some.len + size, most = ZSTD_compressBound(all);
    char *plain = malloc(all + 1), *compressed = malloc(most);
    require(plain && compressed);
    memcpy(plain, whole ? some.data : "", some.len);
    memcpy(plain + some.len, data, size);
    size_t len = ZSTD_compress(compressed, most, plain, all, 1);
    require(!ZSTD_isError(len));
    open_content(sk_slice(compressed, len), count);
    free(plain);
    free(compressed);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    if (!good.keys) {
        make_journal();
    }
    if (size < 3) {
        return 0;
    }
    switch (data[0]) {
    case 'D':
    case 'H':
    case 'F':
        mutate(data[0], data + 1, size - 1);
        break;
    case 'Z':
        open_content(sk_slice(data + 2, size - 2), 1 + data[1] % SK_PACKED_RECORDS);
        break;
    case 'C':
        compress_content(data + 3, size - 3, 1 + data[1] % SK_PACKED_RECORDS, data[2] % SK_PACKED_RECORDS);
        break;
    default:
        break;
    }
    return 0;
}
