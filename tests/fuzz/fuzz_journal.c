/*
 * Two files of one journal with damage anywhere: what is taken is what was written, byte for byte, up to the end that is told, and an end before
 * the last group is missed by who has the head. The input is a list of three bytes each, an offset in both files and the value to put there,
 * behind a 'D', or behind an 'H': then every header and hash of a group is made anew, as whoever changes a record would. With the keys of the records
 * that is seen all the same; without them the leaves alone are proved.
 */
#include "journal/reader.h"
#include "journal/record.h"

#include <stdlib.h>

#define FILES 2
#define GROUPS 6
#define SIZE (5 * SK_FRAME_BLOCK) /* of a file: a header, three groups of a block each, and one block of space for more */

static uint8_t good[FILES][SIZE];
static struct sk_frame_group groups[GROUPS]; /* in order, three of each file */
static struct sk_journal_head head;
static uint64_t ends[FILES], records;
static struct sk_keys *keys;
static const uint8_t run[SK_ID_SIZE] = {0xaa};

#define DAY 20000

static void require(bool holds)
{
    if (!holds) {
        abort();
    }
}

static uint8_t *place(uint8_t files[FILES][SIZE], size_t group)
{
    return files[group / 3] + SK_FRAME_BLOCK * (1 + group % 3);
}

/* Headers and hashes of all, for the bodies that are there. */
static void seal(uint8_t files[FILES][SIZE])
{
    struct sk_frame_file header = {.number = 0};
    for (size_t i = 0; i < GROUPS; i++) {
        struct sk_frame_group group = groups[i];
        if (i % 3 == 0) {
            header.number++;
            sk_frame_put_file(&header, files[i / 3]);
        }
        memcpy(group.previous, header.previous, SK_FRAME_HASH);
        sk_frame_put_group(&group, place(files, i) + SK_FRAME_GROUP_HEADER, place(files, i));
        memcpy(header.previous, group.hash, SK_FRAME_HASH);
    }
}

struct tenant {
    struct sk_frame_record frame; /* of its next record */
    struct sk_sealing sealing;
    struct sk_tree tree;
};

static void put_record(size_t group, struct tenant *tenant, enum sk_audit_stage stage)
{
    static const char request[] = "0123456789abcdef";
    uint8_t cbor[SK_AUDIT_RECORD_MAX], leaf[SK_TREE_HASH], *to = place(good, group) + SK_FRAME_GROUP_HEADER + groups[group].body;
    struct sk_audit_record record = {.op = SK_AUDIT_REQUEST, .stage = stage, .decision = SK_AUDIT_DECISION_ALLOW, .seq = tenant->frame.seq, .wall = 5,
            .subject = SK_LIT("hanako"), .request = sk_slice(request, SK_ID_SIZE)};
    memcpy(record.tenant, tenant->frame.tenant, SK_ID_SIZE);
    size_t len = sk_record_encode(&record, cbor);
    require(len > 0 && sk_sealing_set(&tenant->sealing, keys, tenant->frame.tenant, DAY, run) == 0);
    require(sk_sealing_seal(&tenant->sealing, &tenant->frame, sk_slice(cbor, len), leaf, to) == 0);
    sk_tree_append(&tenant->tree, leaf);
    tenant->frame.seq++;
    groups[group].body += (uint32_t)SK_FRAME_RECORD_HEADER + tenant->frame.len;
    groups[group].count++;
    records++;
}

static void put_entry(size_t group, const struct sk_frame_entry *entry)
{
    sk_frame_put_entry(entry, place(good, group) + SK_FRAME_GROUP_HEADER + groups[group].body);
    groups[group].body += (uint32_t)SK_FRAME_ENTRY;
    groups[group].count++;
}

static void put_tenant(size_t group, const struct tenant *tenant)
{
    struct sk_frame_entry entry = {.kind = SK_FRAME_TENANT, .seq = tenant->tree.size};
    memcpy(entry.tenant, tenant->frame.tenant, SK_ID_SIZE);
    sk_tree_root(&tenant->tree, entry.hash);
    put_entry(group, &entry);
    entry.kind = SK_FRAME_PEAK;
    for (entry.seq = 0; entry.seq < sk_tree_peaks(tenant->tree.size); entry.seq++) {
        memcpy(entry.hash, tenant->tree.peaks[entry.seq], SK_FRAME_HASH);
        put_entry(group, &entry);
    }
}

/* Both files as one journal. 0, with what was read; 1 damaged. */
static int read_both(uint8_t *const files[FILES], struct sk_journal_state *state, uint64_t end[FILES])
{
    struct sk_journal_error error = {.text = ""};
    struct sk_frame_file next;
    int r = sk_frame_get_file(files[1], &next) ? 1 : 0;
    for (size_t i = 0; i < FILES && r == 0; i++) {
        uint64_t torn;
        r = sk_journal_read(state, sk_slice(files[i], SIZE), i + 1 < FILES ? next.previous : NULL, NULL, NULL, &end[i], &torn, &error);
        require(r >= 0 && (r == 0 || error.text[0]) && (r || (end[i] <= SIZE && torn <= SIZE - end[i])));
    }
    return r;
}

static void make_keys(void)
{
    static const uint8_t secret[SK_KEYS_SECRET] = {1}, service[SK_ID_SIZE] = {9};
    struct sk_buf slots SK_CLEANUP(sk_buf_free) = SK_BUF_INIT(16 * SK_KEYS_SLOT);
    char why[160];
    require(sk_keys_new(secret, SK_SLICE_NULL, &keys, why) == 0);
    for (uint8_t i = 1; i < 3; i++) {
        const uint8_t id[SK_ID_SIZE] = {i};
        require(sk_keys_need_tenant(keys, id, service, &slots) == 0 && sk_keys_need_day(keys, id, DAY, &slots) == 0);
    }
}

static void write_journal(void)
{
    struct tenant a = {.frame = {.tenant = {1}}}, b = {.frame = {.tenant = {2}}};
    struct sk_frame_entry intent = {.kind = SK_FRAME_INTENT, .tenant = {1}, .seq = 1, .hash = "0123456789abcdef"};
    uint8_t *const files[FILES] = {good[0], good[1]};
    struct sk_journal_state state = SK_JOURNAL_STATE_INIT;
    char text[SK_JOURNAL_HEAD_SIZE + 1];
    make_keys();
    state.keys = keys;
    for (size_t i = 0; i < GROUPS; i++) {
        groups[i] = (struct sk_frame_group){.file = 1 + i / 3, .number = i, .kind = i % 3 ? SK_FRAME_RECORDS : SK_FRAME_SNAPSHOT, .wall = 9 + i, .day = DAY};
        memcpy(groups[i].run, run, SK_ID_SIZE);
    }
    put_record(1, &a, SK_AUDIT_STAGE_SINGLE);
    put_record(1, &b, SK_AUDIT_STAGE_SINGLE);
    put_record(2, &a, SK_AUDIT_STAGE_INTENT);
    put_tenant(3, &a);
    put_tenant(3, &b);
    put_entry(3, &intent);
    put_record(4, &a, SK_AUDIT_STAGE_OUTCOME);
    put_record(5, &b, SK_AUDIT_STAGE_SINGLE);
    seal(good);
    require(read_both(files, &state, ends) == 0 && state.records == records && ends[0] == 4 * SK_FRAME_BLOCK && ends[1] == ends[0]);
    sk_journal_put_head(&state, text);
    head = sk_journal_get_head(sk_slice_str(text));
    require(head.file == FILES && head.groups == GROUPS);
    sk_journal_state_free(&state);
    sk_sealing_free(&a.sealing);
    sk_sealing_free(&b.sealing);
}

/* The snapshot of the second file knows the roots of what is in the first. */
static bool has_leaves(const uint8_t *file)
{
    struct sk_frame_record frame;
    struct sk_slice now, then;
    for (size_t i = 1; i < 3; i++) {
        const uint8_t *at = file + SK_FRAME_BLOCK * (1 + i) + SK_FRAME_GROUP_HEADER;
        struct sk_slice body = sk_slice(at, groups[i].body), old = sk_slice(place(good, i) + SK_FRAME_GROUP_HEADER, groups[i].body);
        while (old.len) {
            require(sk_frame_next_record(&body, &frame, &now) == 0 && sk_frame_next_record(&old, &frame, &then) == 0);
            if (memcmp(sk_sealed_leaf(now), sk_sealed_leaf(then), SK_TREE_HASH) != 0) {
                return false;
            }
        }
    }
    return true;
}

static void check(uint8_t *const files[FILES], bool sealed, bool with_keys)
{
    struct sk_journal_state state = SK_JOURNAL_STATE_INIT;
    state.keys = with_keys ? keys : NULL;
    struct sk_journal_error error;
    uint64_t end[FILES];
    if (read_both(files, &state, end) == 0) {
        /* Sealed anew, it has the same leaves before the last snapshot; what is behind that no file proves to who has no keys. */
        require(sealed && !with_keys ? has_leaves(files[0]) : memcmp(files[0], good[0], end[0]) == 0 && memcmp(files[1], good[1], end[1]) == 0);
        require(end[0] == ends[0] && state.records == records - (end[1] < ends[1]) - (end[1] < ends[1] - SK_FRAME_BLOCK));
        require((end[1] == ends[1]) == (sk_journal_check_head(&state, &head, end[1], &error) == 0));
        require(!sealed || end[1] == ends[1]);
    }
    sk_journal_state_free(&state);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    static uint8_t files[FILES][SIZE];
    bool sealed = size && data[0] == 'H';
    if (records == 0) {
        write_journal();
    }
    if (!sealed && !(size && data[0] == 'D')) {
        return 0;
    }
    memcpy(files, good, sizeof(files));
    for (size_t i = 1; i + 3 <= size; i += 3) {
        size_t at = ((size_t)data[i] << 8 | data[i + 1]) % sizeof(files);
        files[at / SIZE][at % SIZE] = data[i + 2];
    }
    if (sealed) {
        seal(files);
    }
    /* Of their length, for the sanitizers. */
    uint8_t *copies[FILES] = {malloc(SIZE), malloc(SIZE)};
    require(copies[0] && copies[1]);
    memcpy(copies[0], files[0], SIZE);
    memcpy(copies[1], files[1], SIZE);
    check(copies, sealed, true);
    check(copies, sealed, false);
    free(copies[0]);
    free(copies[1]);
    return 0;
}
