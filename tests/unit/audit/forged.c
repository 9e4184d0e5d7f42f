/* Packed files as somebody writes them who may write in the journal's folder, and has no keys: none is taken for what was recorded. */
#include "trail.h"

#include "crypto/digest.h"
#include "journal/packed.h"

#include <criterion/criterion.h>
#include <stdlib.h>
#include <unistd.h>

static const uint8_t second[SK_ID_SIZE] = {2}, service[SK_ID_SIZE];
static struct trail trail;
static struct sk_buf chunks, directory;

static void setup(void)
{
    trail_init(&trail, &trail_quick, 4 * TRAIL_FILE);
    trail.set.secret[3] = 3;
    cr_assert_eq(trail_open(&trail), 0);
    chunks = directory = SK_BUF_INIT((size_t)1 << 20);
}

static void teardown(void)
{
    sk_buf_free(&chunks);
    sk_buf_free(&directory);
    trail_free(&trail);
}

TestSuite(audit_forged, .init = setup, .fini = teardown, .timeout = 240);

static void write_files(uint64_t files)
{
    for (uint32_t i = 0; trail_last(&trail) < files; i++) {
        cr_assert_eq(trail_add_long(&trail, 30 + i % 470), 0);
        cr_assert(i % 3 || trail_commit(&trail) == 0);
    }
    cr_assert_eq(trail_commit(&trail), 0);
}

/* ---- a file that says what is wanted, with all its hashes right ---- */

static void put_chunk(struct sk_packed_header *header, struct sk_packed_chunk chunk, struct sk_slice roots, struct sk_slice sealed)
{
    uint8_t entry[SK_PACKED_ENTRY];
    const size_t from = sk_buf_len(&chunks);
    chunk.at = header->chunks + from;
    chunk.len = (uint32_t)sealed.len;
    cr_assert_eq(roots.len, sk_packed_roots(&chunk) * SK_TREE_HASH);
    cr_assert(sk_buf_put(&chunks, roots) == 0 && sk_buf_put(&chunks, sealed) == 0);
    sk_digest_sha256(sk_slice_from(sk_buf_peek(&chunks), from), chunk.hash);
    sk_packed_put_chunk(&chunk, entry);
    cr_assert_eq(sk_buf_put(&directory, sk_slice(entry, sizeof(entry))), 0);
    header->count++;
}

/* `begin`: what stands before the chunks, the header's block aside. The file; its length. */
static uint8_t *put_file(struct sk_packed_header *header, const uint8_t *begin, size_t *len)
{
    header->directory = header->chunks + sk_buf_len(&chunks);
    *len = header->directory + sk_buf_len(&directory);
    uint8_t *file = calloc(1, *len + 1);
    cr_assert_neq(file, NULL);
    sk_digest_sha256(sk_buf_peek(&directory), header->hash);
    sk_packed_put_header(header, file);
    if (begin) {
        memcpy(file + SK_FRAME_BLOCK, begin, header->chunks - SK_FRAME_BLOCK);
    }
    if (sk_buf_len(&chunks)) {
        memcpy(file + header->chunks, sk_buf_peek(&chunks).data, sk_buf_len(&chunks));
        memcpy(file + header->directory, sk_buf_peek(&directory).data, sk_buf_len(&directory));
    }
    return file;
}

static int read_one(const uint8_t *file, size_t len, const struct sk_keys *keys, const uint8_t *until, struct sk_journal_state *state)
{
    struct sk_journal_error error = {.text = ""};
    uint64_t end, torn;
    state->keys = keys;
    int r = sk_journal_read(state, sk_slice(file, len), until, NULL, NULL, &end, &torn, &error);
    cr_assert(r == 0 || error.text[0]);
    return r;
}

static void count_stand(void *context, const uint8_t tenant[SK_ID_SIZE] sk_unused, uint64_t size sk_unused, const uint8_t root[SK_TREE_HASH] sk_unused)
{
    ++*(unsigned *)context;
}

Test(audit_forged, what_looks_like_a_snapshot_and_stands_in_a_chunk_says_nothing_of_where_tenants_stand)
{
    static uint8_t fake[SK_FRAME_BLOCK];
    struct sk_packed_header header = {.file = {.number = 1}, .chunks = SK_FRAME_BLOCK, .group = 30, .day = 20000};
    const struct sk_frame_entry entry = {.kind = SK_FRAME_TENANT, .tenant = {2}, .seq = 70, .hash = {1, 2, 3}};
    struct sk_frame_group group = {.file = 1, .kind = SK_FRAME_SNAPSHOT, .count = 1, .body = SK_FRAME_ENTRY};
    unsigned stands = 0;
    size_t len;
    sk_frame_put_entry(&entry, fake + SK_FRAME_GROUP_HEADER);
    sk_frame_put_group(&group, fake + SK_FRAME_GROUP_HEADER, fake);
    put_chunk(&header, (struct sk_packed_chunk){.count = 1}, sk_slice(fake, SK_TREE_HASH), sk_slice(fake + SK_TREE_HASH, sizeof(fake) - SK_TREE_HASH));
    uint8_t *file = put_file(&header, NULL, &len);
    struct sk_tree tree;
    cr_expect(sk_journal_begins(sk_slice(file, len), count_stand, &stands));
    cr_expect_eq(stands, 0);
    sk_journal_begins_with(sk_slice(file, len), second, &tree);
    cr_expect_eq(tree.size, 0);
    free(file);
}

Test(audit_forged, an_empty_first_file_hides_no_missing_ones)
{
    struct sk_journal_state state = SK_JOURNAL_STATE_INIT;
    struct sk_packed_header header = {.file = {.number = 1}, .chunks = SK_FRAME_BLOCK};
    size_t len;
    uint8_t *file = put_file(&header, NULL, &len);
    cr_expect_eq(read_one(file, len, NULL, NULL, &state), 1);
    sk_journal_state_free(&state);
    free(file);
}

/* All of the tenant's chunks lose what is sealed in them, and say that it was erased. */
static uint8_t *empty_chunks(const struct sk_packed *packed, size_t *len)
{
    struct sk_packed_header header = packed->header;
    header.count = 0;
    for (uint32_t n = 0; n < packed->header.count; n++) {
        struct sk_packed_chunk chunk = sk_packed_chunk(packed, n);
        const struct sk_slice roots = sk_packed_roots_of(packed, &chunk);
        const bool is_second = memcmp(chunk.tenant, second, SK_ID_SIZE) == 0;
        chunk.group = is_second ? 0 : chunk.group;
        put_chunk(&header, chunk, roots, is_second ? SK_SLICE_NULL : sk_slice(packed->file.data + chunk.at + roots.len, chunk.len));
    }
    return put_file(&header, (const uint8_t *)packed->file.data + SK_FRAME_BLOCK, len);
}

Test(audit_forged, chunks_that_were_emptied_are_damage_though_a_former_key_of_the_tenant_was_erased)
{
    struct sk_journal_state state = SK_JOURNAL_STATE_INIT, again = SK_JOURNAL_STATE_INIT;
    struct sk_packed packed;
    struct sk_frame_file next;
    size_t len, next_len, forged_len;
    write_files(2);
    cr_assert_eq(sk_writer_erase_tenant(trail.writer, second), 0);
    cr_assert_eq(sk_writer_tenant(trail.writer, second, service, UINT64_MAX), 0);
    write_files(5);
    cr_assert_eq(trail_pack(&trail, 4), 0);
    struct sk_keys *keys = trail_keys(&trail);
    uint8_t *file = trail_load(&trail, 4, &len), *behind = trail_load(&trail, 5, &next_len);
    cr_assert(sk_packed_open(sk_slice(file, len), &packed) == 0 && sk_journal_get_file(sk_slice(behind, next_len), &next) == 0);
    cr_expect_eq(read_one(file, len, keys, next.previous, &state), 0);
    uint8_t *forged = empty_chunks(&packed, &forged_len);
    cr_expect_lt(forged_len, len);
    cr_expect_eq(read_one(forged, forged_len, keys, next.previous, &again), 1);
    sk_journal_state_free(&state);
    sk_journal_state_free(&again);
    (void)sk_keys_free(keys);
    free(file);
    free(behind);
    free(forged);
}
