/* gateway/audit/packing.c and journal/packed.c: a packed file says what the file said, to who has keys and who has none; one that cannot be packed stays. */
#include "trail.h"

#include "journal/packed.h"
#include "journal/record.h"

#include <criterion/criterion.h>
#include <errno.h>
#include <fcntl.h>
#include <sched.h>
#include <stdlib.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

static struct trail trail;
static struct sk_disk disk;
static int writes_left; /* before one fails; negative: none does */

static int failing_write(int fd, struct sk_slice bytes, off_t at)
{
    return writes_left == 0 ? -ENOSPC : (writes_left -= writes_left > 0, trail_quick.write(fd, bytes, at));
}

static void setup(void)
{
    disk = trail_quick;
    disk.write = failing_write;
    writes_left = -1;
    trail_init(&trail, &disk, 4 * TRAIL_FILE);
    trail.set.secret[3] = 3;
    cr_assert_eq(trail_open(&trail), 0);
}

static void teardown(void)
{
    trail_free(&trail);
}

TestSuite(audit_packing, .init = setup, .fini = teardown, .timeout = 240);

/* Of all kinds, over several files; intents are closed in another file than they were opened in, or never. */
static void write_files(uint64_t files)
{
    for (uint32_t i = 0, last = 0; trail_last(&trail) < files; i++) {
        cr_assert_eq(trail_add_long(&trail, i % 5 ? 30 + i % 470 : 3), 0);
        cr_assert_eq(trail_add(&trail, SK_AUDIT_STAGE_INTENT, 0), 0);
        if (last && i % 7) {
            cr_assert_eq(trail_add(&trail, SK_AUDIT_STAGE_OUTCOME, last), 0);
        }
        last = i % 40 ? last : trail.count;
        last = last && trail.outcome[last] ? 0 : last;
        cr_assert(i % 3 || trail_commit(&trail) == 0);
    }
    cr_assert_eq(trail_commit(&trail), 0);
}

static void pack_all(void)
{
    for (uint64_t file = 1; file < trail_last(&trail); file++) {
        cr_assert_geq(trail_pack(&trail, file), 0, "file %lu", (unsigned long)file);
    }
}

/* Where the journal's first `files` files come to. 0; 1 damaged; negative. */
static int read_state(struct sk_journal_state *state, const struct sk_keys *keys, uint64_t files, sk_journal_each each, void *context)
{
    struct sk_journal_error error = {.text = ""};
    uint64_t end, torn;
    int r = 0;
    *state = SK_JOURNAL_STATE_INIT;
    state->keys = keys;
    for (uint64_t file = 1; r == 0 && file <= files; file++) {
        struct sk_frame_file next;
        size_t len, next_len;
        uint8_t *bytes = trail_load(&trail, file, &len), *behind = trail_load(&trail, file + 1, &next_len);
        cr_assert_eq(sk_journal_get_file(sk_slice(behind, next_len), &next), 0);
        r = sk_journal_read(state, sk_slice(bytes, len), next.previous, each, context, &end, &torn, &error);
        cr_assert(r == 0 || error.text[0]);
        free(bytes);
        free(behind);
    }
    return r;
}

static void check_same(const struct sk_journal_state *is, const struct sk_journal_state *was, const char *what)
{
    cr_expect(is->records == was->records && is->group == was->group && is->file == was->file && is->wall == was->wall && is->boot == was->boot && is->day == was->day, "%s", what);
    cr_expect_eq(memcmp(is->hash, was->hash, SK_FRAME_HASH), 0, "%s: the next file goes on from it", what);
    cr_expect(is->tenants.count == was->tenants.count && is->opens.count == was->opens.count, "%s: %zu tenants, %zu open", what, is->tenants.count, is->opens.count);
    for (struct sk_table_node *n = sk_table_walk(&was->tenants, NULL); n; n = sk_table_walk(&was->tenants, n)) {
        const struct sk_journal_tenant *before = SK_CONTAINER(n, struct sk_journal_tenant, node), *now = sk_journal_find_tenant(is, before->id);
        uint8_t a[SK_TREE_HASH], b[SK_TREE_HASH];
        cr_assert(now && now->tree.size == before->tree.size, "%s", what);
        sk_tree_root(&before->tree, a);
        sk_tree_root(&now->tree, b);
        cr_expect_eq(memcmp(a, b, sizeof(a)), 0, "%s: tenant %u has another tree", what, before->id[0]);
    }
}

static size_t size_of(uint64_t file)
{
    size_t len;
    free(trail_load(&trail, file, &len));
    return len;
}

Test(audit_packing, says_what_the_file_said_in_a_fraction_of_its_size)
{
    struct sk_journal_state with, without, packed;
    write_files(5);
    trail_check(&trail, "as it was", 0);
    uint64_t read = trail.read;
    struct sk_keys *keys = trail_keys(&trail);
    cr_assert_eq(read_state(&with, keys, 4, NULL, NULL), 0);
    cr_assert_eq(read_state(&without, NULL, 4, NULL, NULL), 0);
    pack_all();
    trail_check(&trail, "packed", 0);
    cr_expect_eq(trail.read, read);
    cr_assert_eq(read_state(&packed, keys, 4, NULL, NULL), 0);
    check_same(&packed, &with, "with keys");
    sk_journal_state_free(&packed);
    cr_assert_eq(read_state(&packed, NULL, 4, NULL, NULL), 0);
    check_same(&packed, &without, "without");
    sk_journal_state_free(&packed);
    for (uint64_t file = 1; file < 5; file++) {
        cr_expect_lt(size_of(file), 4 * TRAIL_FILE / 4, "file %lu: %zu bytes", (unsigned long)file, size_of(file));
    }
    cr_expect_eq(size_of(5), 4 * TRAIL_FILE, "the newest is as it was");
    cr_expect(!trail_has(&trail, "packing"));
    sk_journal_state_free(&with);
    sk_journal_state_free(&without);
    (void)sk_keys_free(keys);
}

static void sum_record(void *context, const struct sk_journal_read *read)
{
    struct sk_buf *all = context;
    char line[128];
    if (read->record && read->leaf) {
        uint8_t cbor[SK_AUDIT_RECORD_MAX];
        (void)snprintf(line, sizeof(line), "%02x%05lu", read->frame->tenant[0], (unsigned long)read->frame->seq);
        cr_assert_eq(sk_buf_put(all, sk_slice_str(line)), 0);
        cr_assert_eq(sk_buf_put(all, sk_slice(cbor, sk_record_encode(read->record, cbor))), 0);
        cr_assert_eq(sk_buf_put(all, sk_slice(read->leaf, SK_TREE_HASH)), 0);
    }
}

static bool is_second(const struct sk_journal_read *read)
{
    return read->frame->tenant[0] == 2;
}

static void sum_one(void *context, const struct sk_journal_read *read)
{
    if (is_second(read)) {
        sum_record(context, read);
    }
}

Test(audit_packing, each_record_of_a_tenant_comes_as_it_was_in_the_order_of_its_numbers)
{
    struct sk_buf was = SK_BUF_INIT(SIZE_MAX / 2), is = SK_BUF_INIT(SIZE_MAX / 2);
    struct sk_journal_state state;
    write_files(3);
    struct sk_keys *keys = trail_keys(&trail);
    cr_assert_eq(read_state(&state, keys, 2, sum_one, &was), 0);
    sk_journal_state_free(&state);
    pack_all();
    cr_assert_eq(read_state(&state, keys, 2, sum_one, &is), 0);
    cr_expect_gt(sk_buf_len(&was), 10000);
    cr_expect(sk_slice_eq(sk_buf_peek(&was), sk_buf_peek(&is)));
    sk_journal_state_free(&state);
    (void)sk_keys_free(keys);
    sk_buf_free(&was);
    sk_buf_free(&is);
}

Test(audit_packing, the_writer_goes_on_behind_packed_files)
{
    write_files(4);
    pack_all();
    trail_kill(&trail);
    cr_assert_eq(trail_open(&trail), 0, "%s: %s", trail.found.file, trail.found.error.text);
    cr_assert_eq(trail_commit(&trail), 0);
    write_files(6);
    pack_all();
    trail_check(&trail, "after a restart", 0);
    trail_kill(&trail);
    cr_assert_eq(trail_open(&trail), 0);
    cr_assert_eq(trail_commit(&trail), 0);
    trail_check_closed(&trail, "after another", 0);
}

Test(audit_packing, a_file_is_packed_once_and_the_newest_not_at_all)
{
    write_files(3);
    cr_expect_eq(trail_pack(&trail, 2), 0);
    size_t size = size_of(2);
    cr_expect_eq(trail_pack(&trail, 2), 1);
    cr_expect_eq(size_of(2), size);
    cr_expect_eq(trail_pack(&trail, 3), -ENOENT, "nothing follows it");
    cr_expect_eq(trail_pack(&trail, 99), -ENOENT);
    trail_check(&trail, "then", 0);
}

Test(audit_packing, any_byte_that_is_flipped_is_damage_with_keys_and_without)
{
    struct sk_journal_state state;
    size_t len;
    write_files(3);
    pack_all();
    struct sk_keys *keys = trail_keys(&trail);
    uint8_t *bytes = trail_load(&trail, 1, &len);
    for (size_t at = 0; at < len; at += at < 256 || at > len - 300 ? 1 : 61) {
        bytes[at] = (uint8_t)(bytes[at] ^ (1 << at % 8));
        trail_store(&trail, 1, bytes, len);
        for (int with = 0; with < 2; with++) {
            cr_expect_eq(read_state(&state, with ? keys : NULL, 2, NULL, NULL), 1, "byte %zu, keys %d", at, with);
            sk_journal_state_free(&state);
        }
        bytes[at] = (uint8_t)(bytes[at] ^ (1 << at % 8));
    }
    for (size_t cut = 1; cut < len; cut += 997) {
        trail_store(&trail, 1, bytes, len - cut);
        cr_expect_eq(read_state(&state, NULL, 2, NULL, NULL), 1, "without its last %zu bytes", cut);
        sk_journal_state_free(&state);
    }
    trail_store(&trail, 1, bytes, len);
    trail_check(&trail, "as it was", 0);
    (void)sk_keys_free(keys);
    free(bytes);
}

static const uint8_t second[SK_ID_SIZE] = {2}, third[SK_ID_SIZE] = {3};

/* Of a tenant's records in a packed file. */
static size_t sealed_bytes(uint64_t file, const uint8_t tenant[SK_ID_SIZE])
{
    struct sk_packed packed;
    size_t len, sealed = 0;
    uint8_t *bytes = trail_load(&trail, file, &len);
    cr_assert_eq(sk_packed_open(sk_slice(bytes, len), &packed), 0);
    for (uint32_t n = 0; n < packed.header.count; n++) {
        const struct sk_packed_chunk chunk = sk_packed_chunk(&packed, n);
        sealed += memcmp(chunk.tenant, tenant, SK_ID_SIZE) == 0 ? chunk.len : 0;
    }
    free(bytes);
    return sealed;
}

Test(audit_packing, what_was_erased_before_is_not_in_it_and_what_is_erased_later_cannot_be_opened)
{
    struct sk_journal_state before, state;
    write_files(4);
    struct sk_keys *keys = trail_keys(&trail);
    cr_assert_eq(read_state(&before, NULL, 3, NULL, NULL), 0);
    cr_assert_eq(trail_pack(&trail, 1), 0);
    (void)sk_keys_free(keys);
    cr_assert_eq(sk_writer_erase_tenant(trail.writer, second), 0);
    cr_assert_eq(trail_pack(&trail, 2), 0);
    cr_expect(sealed_bytes(1, second) > 0 && sealed_bytes(1, third) > 0 && sealed_bytes(2, second) == 0 && sealed_bytes(2, third) > 0);
    keys = trail_keys(&trail);
    for (int round = 0; round < 2; round++) {
        cr_assert_eq(read_state(&state, keys, 3, NULL, NULL), 0);
        uint64_t erased = state.erased;
        cr_expect(erased > 50 && erased < state.records, "%lu of %lu", (unsigned long)erased, (unsigned long)state.records);
        cr_expect_eq(erased, sk_journal_find_tenant(&state, second)->tree.size);
        state.opens.count = before.opens.count; /* without its keys it is not known which */
        check_same(&state, &before, round ? "all packed" : "two of three packed");
        sk_journal_state_free(&state);
        cr_assert(round || trail_pack(&trail, 3) == 0);
    }
    sk_journal_state_free(&before);
    (void)sk_keys_free(keys);
}

Test(audit_packing, what_is_erased_leaves_packed_files_too_and_nothing_else_does)
{
    struct sk_journal_state before, state;
    write_files(4);
    pack_all();
    const size_t theirs = sealed_bytes(2, third), size = size_of(2);
    cr_expect_eq(trail_pack(&trail, 2), 1, "there is nothing to take out");
    cr_assert_eq(sk_writer_erase_tenant(trail.writer, second), 0);
    struct sk_keys *keys = trail_keys(&trail);
    cr_assert_eq(read_state(&before, keys, 3, NULL, NULL), 0);
    writes_left = 1;
    cr_expect_eq(trail_pack(&trail, 2), -ENOSPC);
    cr_expect(size_of(2) == size && !trail_has(&trail, "packing"));
    writes_left = -1;
    cr_assert_eq(trail_pack(&trail, 2), 0);
    cr_expect(sealed_bytes(2, second) == 0 && sealed_bytes(2, third) == theirs && size_of(2) < size);
    cr_expect_eq(trail_pack(&trail, 2), 1, "it was taken out");
    cr_assert_eq(read_state(&state, keys, 3, NULL, NULL), 0);
    cr_expect(state.erased == before.erased && state.erased > 50);
    check_same(&state, &before, "with keys");
    sk_journal_state_free(&state);
    sk_journal_state_free(&before);
    cr_assert_eq(read_state(&state, NULL, 3, NULL, NULL), 0, "and without");
    sk_journal_state_free(&state);
    (void)sk_keys_free(keys);
}

Test(audit_packing, a_key_that_is_not_there_is_damage_and_not_erased)
{
    static const uint8_t secret[SK_KEYS_SECRET] = {3};
    struct sk_journal_state state;
    struct sk_keys *none = NULL;
    char why[160];
    write_files(2);
    pack_all();
    cr_assert_eq(sk_keys_new(secret, SK_SLICE_NULL, &none, why), 0);
    cr_expect_eq(read_state(&state, none, 1, NULL, NULL), 1);
    sk_journal_state_free(&state);
    (void)sk_keys_free(none);
}

Test(audit_packing, a_disk_that_is_full_at_any_write_leaves_the_file_as_it_was)
{
    write_files(3);
    int failed = 0, r = -1;
    for (int n = 0; r; n++) {
        writes_left = n;
        r = trail_pack(&trail, 1);
        writes_left = -1;
        cr_assert(r == 0 || r == -ENOSPC, "%d", r);
        failed += r != 0;
        cr_expect(!trail_has(&trail, "packing"));
        trail_check(&trail, "write", n);
    }
    cr_expect_geq(failed, 2);
}

Test(audit_packing, a_damaged_file_stays_and_is_told)
{
    size_t len;
    write_files(3);
    uint8_t *bytes = trail_load(&trail, 1, &len), *after;
    bytes[3 * SK_FRAME_BLOCK + 200] ^= 1;
    trail_store(&trail, 1, bytes, len);
    struct packing_job job = {.disk = &disk, .folder = trail.set.folder, .file = 1};
    memcpy(job.secret, trail.set.secret, sizeof(job.secret));
    cr_expect_eq(packing_file(&job), 1);
    cr_expect_neq(job.error.text[0], '\0');
    after = trail_load(&trail, 1, &len);
    cr_expect_eq(memcmp(bytes, after, len), 0);
    free(bytes);
    free(after);
}

/* ---- ends, and beginnings ---- */

static int dying_write(int fd, struct sk_slice bytes, off_t at)
{
    if (writes_left-- == 0) {
        (void)!pwrite(fd, bytes.data, bytes.len / 2, at);
        _exit(9);
    }
    return trail_quick.write(fd, bytes, at);
}

Test(audit_packing, a_program_that_dies_at_any_write_leaves_one_whole_file)
{
    int status = 9 << 8;
    write_files(3);
    trail_check(&trail, "as it was", 0);
    const uint64_t read = trail.read;
    disk.write = dying_write;
    for (int n = 0; WEXITSTATUS(status) == 9; n++) {
        writes_left = n;
        pid_t pid = fork();
        if (pid == 0) {
            _exit(trail_pack(&trail, 1));
        }
        cr_assert(pid > 0 && waitpid(pid, &status, 0) == pid && WIFEXITED(status));
        trail_check(&trail, "write", n);
        cr_assert_eq(trail.read, read);
    }
    cr_expect_eq(status, 0, "what was left by those before is in nobody's way");
}

Test(audit_packing, the_writer_does_not_go_on_in_a_packed_file_that_is_the_newest)
{
    write_files(3);
    cr_assert_eq(trail_pack(&trail, 2), 0);
    trail_kill(&trail);
    cr_assert_eq(unlinkat(trail.set.folder, "journal-0000000000000003.skj", 0), 0); /* a folder that was brought back */
    (void)unlinkat(trail.set.folder, SK_JOURNAL_HEAD, 0);
    memset(trail.acked, 0, sizeof(trail.acked));
    size_t size = size_of(2);
    cr_assert_eq(trail_open(&trail), 0, "%s", trail.found.error.text);
    for (int i = 0; i < 40; i++) {
        cr_assert(trail_add_long(&trail, 100) == 0 && trail_commit(&trail) == 0);
    }
    cr_expect_eq(size_of(2), size);
    trail_kill(&trail);
    cr_expect_eq(trail_open(&trail), 0, "%s: %s", trail.found.file, trail.found.error.text);
}

static struct sk_writer_stand stands[4];
static struct sk_table stands_table;

/* The signer knows so much of each tenant: as much as there is, but of the second one. */
static void sign_up_to(uint64_t size)
{
    struct sk_journal_state state;
    cr_assert_eq(read_state(&state, NULL, trail_last(&trail) - 1, NULL, NULL), 0);
    for (uint8_t t = 1; t < 4; t++) {
        stands[t] = (struct sk_writer_stand){.tenant = {t}};
        struct sk_tree *tree = &sk_journal_find_tenant(&state, stands[t].tenant)->tree;
        stands[t].size = t == 2 ? size : tree->size;
        sk_tree_root(tree, stands[t].root);
        cr_assert_eq(sk_table_add(&stands_table, &stands[t].node, sk_table_hash(sk_slice(stands[t].tenant, SK_ID_SIZE))), 0);
    }
    sk_journal_state_free(&state);
    trail.set.stands = &stands_table;
}

Test(audit_packing, with_checkpoints_that_are_behind_records_that_nobody_can_open_it_says_so_and_does_not_begin)
{
    write_files(4);
    cr_assert_eq(sk_writer_erase_tenant(trail.writer, second), 0);
    pack_all();
    sign_up_to(70); /* within a chunk */
    trail_kill(&trail);
    cr_expect_eq(trail_open(&trail), 1);
    cr_expect(strstr(trail.found.error.text, "newer checkpoints are missing") != NULL, "%s", trail.found.error.text);
    sk_table_free(&stands_table);
}

Test(audit_packing, a_tenant_whose_key_was_renewed_within_a_file_keeps_what_the_new_one_opens)
{
    static const uint8_t service[SK_ID_SIZE];
    struct sk_journal_state before, state;
    for (int i = 0; i < 200; i++) {
        cr_assert_eq(trail_add_long(&trail, 30), 0);
    }
    cr_assert_eq(trail_commit(&trail), 0);
    cr_assert_eq(sk_writer_erase_tenant(trail.writer, second), 0);
    cr_assert_eq(sk_writer_tenant(trail.writer, second, service, UINT64_MAX), 0);
    write_files(3);
    struct sk_keys *keys = trail_keys(&trail);
    cr_assert_eq(read_state(&before, keys, 2, NULL, NULL), 0);
    cr_assert_gt(before.erased, 50);
    pack_all();
    cr_assert_eq(read_state(&state, keys, 2, NULL, NULL), 0);
    cr_expect_eq(state.erased, before.erased);
    check_same(&state, &before, "packed");
    sk_journal_state_free(&state);
    sk_journal_state_free(&before);
    (void)sk_keys_free(keys);
}

/* ---- one after the other ---- */

static struct packing packing;
static uint64_t told;
static int told_result;

static void on_told(struct packing *p sk_unused, uint64_t file, int result)
{
    told = file;
    told_result = result;
}

static void step(bool may)
{
    (void)packing_step(&packing, may);
    while (packing.busy) {
        (void)sched_yield();
        (void)packing_step(&packing, false);
    }
}

static void begin(void)
{
    packing = (struct packing){.told = on_told};
    packing_init(&packing, trail.writer, &trail.set);
}

Test(audit_packing, files_are_packed_in_order_and_the_newest_are_left_for_those_who_read_them)
{
    write_files(PACKING_NEWEST + 2);
    begin();
    for (int i = 0; i < 5; i++) {
        step(false);
    }
    cr_expect_eq(told, 0, "not while it may not");
    for (uint64_t file = 1; file <= 2; file++) {
        step(true);
        cr_expect(told == file && told_result == 0);
    }
    for (int i = 0; i < 5; i++) {
        step(true);
    }
    cr_expect_eq(told, 2);
    cr_expect_eq(packing.next, 3);
    sk_clock_advance((int64_t)SK_WRITER_DOUBT);
    for (uint64_t file = 3; file < PACKING_NEWEST + 2; file++) {
        step(true);
        cr_expect(told == file && told_result == 0, "when nothing was begun for long: file %lu", (unsigned long)told);
    }
    step(true);
    cr_expect_eq(packing.next, PACKING_NEWEST + 2, "but never the newest");
    trail_check(&trail, "all", 0);
    packing_free(&packing);
}

Test(audit_packing, what_is_due_is_erased_between_two_files)
{
    unsigned turns = 0;
    write_files(PACKING_NEWEST + 4);
    begin();
    while (told < 4) { /* as audit does */
        turns += !packing.busy;
        (void)packing_step(&packing, true);
        (void)sched_yield();
    }
    cr_expect_geq(turns, 4, "%u", turns);
    packing_free(&packing);
}

Test(audit_packing, when_a_key_was_erased_all_files_are_looked_at_again)
{
    write_files(PACKING_NEWEST + 2);
    begin();
    step(true);
    step(true);
    step(true);
    cr_assert(packing.next == 3 && told == 2 && sealed_bytes(1, second) > 0);
    cr_assert_eq(sk_writer_erase_tenant(trail.writer, second), 0);
    step(true);
    cr_expect(told == 1 && told_result == 0 && sealed_bytes(1, second) == 0);
    step(true);
    cr_expect(told == 2 && told_result == 0 && sealed_bytes(2, second) == 0);
    packing_free(&packing);
}

Test(audit_packing, a_stop_does_not_wait_for_the_file_and_leaves_it_as_it_was)
{
    write_files(PACKING_NEWEST + 1);
    begin();
    atomic_store(&packing.stop, 1);
    step(true);
    cr_expect(told == 1 && told_result == -ECANCELED);
    cr_expect_eq(size_of(1), 4 * TRAIL_FILE);
    packing_free(&packing);
}

Test(audit_packing, one_that_failed_is_tried_again_after_a_minute)
{
    write_files(PACKING_NEWEST + 1);
    begin();
    writes_left = 0;
    step(true);
    cr_expect(told == 1 && told_result == -ENOSPC);
    writes_left = -1;
    told = 0;
    step(true);
    cr_expect_eq(told, 0, "not at once");
    sk_clock_advance((int64_t)(60 * SK_SECOND));
    step(true);
    cr_expect(told == 1 && told_result == 0);
    packing_free(&packing);
}
