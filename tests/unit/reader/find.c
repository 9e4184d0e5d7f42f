/*
 * gateway/reader/find.c against a search through all records: some thousands of random ones, of several tenants over many files, and random
 * questions, while the journal grows; with a clock that goes on, and one that is set back.
 */
#include "reader/find.h"

#include "base/addr.h"
#include "base/clock.h"
#include "journal/record.h"
#include "level.h"

#include <criterion/criterion.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

#define RECORDS 5000
#define TENANTS 3U
#define BUCKETS 60U
#define BEGIN (UINT64_C(1800000000) * SK_SECOND)

static uint64_t now; /* the wall clock */
uint64_t __wrap_sk_clock_wall(void);

uint64_t __wrap_sk_clock_wall(void)
{
    return now;
}

static uint64_t seed;

static uint64_t chance(uint64_t below)
{
    seed ^= seed << 13;
    seed ^= seed >> 7;
    seed ^= seed << 17;
    return (seed >> 8) % below;
}

/* Every record that was added, as it was written. */
static struct known {
    uint8_t tenant;
    struct sk_audit_record is;
    uint8_t cbor[SK_AUDIT_RECORD_MAX];
    size_t len;
} *known;
static size_t known_count;
static struct trail trail;
static struct follow follow;

/* ---- what is recorded, and what is asked ---- */

static char longest[SK_TERM_VALUE + 1]; /* the longest path */

static const char *const subjects[] = {"", "", "hanako", "hana", "taro", "taro@example.test", "sakura", "h\xf4\x8f\xbf\xbf"};
static const char *const asked_subjects[] = {"hanako", "hana", "hana*", "h*", "*", "taro", "taro@*", "nobody", "i*"};
static const char *const addresses[] = {"", "192.0.2.7", "192.0.2.8", "192.0.3.7", "10.1.2.3", "2001:db8::1", "2001:db8:0:1::1", "::1"};
static const char *const asked_addresses[] = {"192.0.2.7", "192.0.2.0/24", "192.0.2.0/23", "0.0.0.0/0", "2001:db8::/32", "2001:db8::/64", "::/0", "203.0.113.9"};
static const char *const sessions[] = {"", "00ff", "00fe", "0a11", "ffff"};
static const char *const asked_sessions[] = {"00ff", "00*", "ffff", "f", "*"};
static const char *const reasons[] = {"", "allowed", "denied-by-rule", "not-permitted", "login-failed"};
static const char *const asked_reasons[] = {"allowed", "denied-by-rule", "*", "not*", "none"};
static const char *const apps[] = {"", "api", "panel", "apis"};
static const char *const asked_apps[] = {"api", "api*", "panel", "p"};
static const char *const methods[] = {"", "GET", "POST", "DELETE", "PUT"};
static const char *const asked_methods[] = {"GET", "P*", "DELETE", "get"};
static const char *const hosts[] = {"acme.test", "www.acme.test", "beta.test"};
static const char *const asked_hosts[] = {"acme.test", "*", "www*", "beta.tes"};
static const char *const paths[] = {"", "/", "/api", "/api/v1/zones", "/api/v1/zones/a", "/api/v1/users", "/web", longest};
static const char *const asked_paths[] = {"/api/v1/zones", "/api/v1/zones*", "/api/*", "/*", "/", "/none", longest, "/xxxx*"};
static const char *const asked_statuses[] = {"200", "2xx", "403", "4xx", "5xx", "1xx"};
static const enum sk_audit_op ops[] = {SK_AUDIT_REQUEST, SK_AUDIT_LOGIN, SK_AUDIT_TRAIL_READ, SK_AUDIT_STREAM};
static const char *const asked_ops[] = {"request", "login", "trail-read", "logout"};
static const char *const asked_stages[] = {"single", "outcome", "progress", "intent"};
static const char *const asked_decisions[] = {"allow", "deny", "challenge", "error"};

#define PICK(list) ((list)[chance(SK_COUNT(list))])
#define PICKED(list) sk_slice_str(PICK(list))

static void add_record(void)
{
    static const uint16_t statuses[] = {0, 101, 200, 204, 403, 404, 500, 503};
    static const enum sk_audit_stage stages[] = {SK_AUDIT_STAGE_SINGLE, SK_AUDIT_STAGE_OUTCOME, SK_AUDIT_STAGE_PROGRESS}; /* none that is still open when the writer ends */
    uint8_t request[SK_ID_SIZE] = {(uint8_t)chance(200), (uint8_t)chance(2)};
    const char *address = PICK(addresses);
    struct sk_addr addr;
    struct sk_audit_record r = {.op = PICK(ops),
            .stage = PICK(stages),
            .decision = (enum sk_audit_decision)(1 + chance(4)),
            .reason = PICKED(reasons),
            .subject = PICKED(subjects),
            .session = PICKED(sessions),
            .request = chance(4) ? sk_slice(request, sizeof(request)) : SK_SLICE_NULL,
            .method = PICKED(methods),
            .host = PICKED(hosts),
            .path = PICKED(paths),
            .app = PICKED(apps),
            .status = PICK(statuses)};
    if (chance(12) == 0) {
        r.stage = SK_AUDIT_STAGE_AGGREGATE;
        r.count = chance(5) ? chance(5000) : UINT64_C(5000000000);
    }
    if (address[0]) {
        cr_assert_eq(sk_addr_parse(sk_slice_str(address), &addr), 0);
        r.address = sk_slice(addr.bytes, addr.family == SK_FAMILY_V4 ? 4 : 16);
    }
    struct known *k = &known[known_count++];
    k->tenant = (uint8_t)(1 + (chance(10) < 6 ? 0 : chance(TENANTS)));
    r.tenant[0] = k->tenant;
    cr_assert_eq(sk_writer_add(trail.writer, &r, 0), 0);
    k->len = sk_record_encode(&r, k->cbor);
    cr_assert_eq(sk_record_decode(sk_slice(k->cbor, k->len), &k->is), 0);
}

static void add_term(struct sk_buf *terms, enum sk_term_field field, const char *text)
{
    uint8_t made[2 * SK_TERM_VALUE + 2];
    struct sk_term term;
    cr_assert_eq(sk_term_read(field, sk_slice_str(text), made, &term), 0, "%s", text);
    cr_assert_eq(sk_term_put(terms, &term), 0);
}

static void add_random_term(struct sk_buf *terms, enum sk_term_field field)
{
    static const struct {
        const char *const *all;
        size_t count;
    } asked[SK_TERM_COUNT] = {
#define A(FIELD, list) [SK_TERM_##FIELD] = {list, SK_COUNT(list)}
            A(SUBJECT, asked_subjects), A(ADDRESS, asked_addresses), A(SESSION, asked_sessions), A(OP, asked_ops), A(STAGE, asked_stages),
            A(DECISION, asked_decisions), A(REASON, asked_reasons), A(APP, asked_apps), A(METHOD, asked_methods), A(HOST, asked_hosts), A(PATH, asked_paths),
            A(STATUS, asked_statuses)
#undef A
    };
    char id[33] = "";
    (void)snprintf(id, sizeof(id), "%02x%02x%028d", (unsigned)chance(200), (unsigned)chance(2), 0);
    add_term(terms, field, field == SK_TERM_REQUEST ? id : asked[field].all[chance(asked[field].count)]);
}

/* A moment at which something was recorded, or one near it, ms. */
static uint64_t random_time(void)
{
    uint64_t at = known_count ? known[chance(known_count)].is.wall / SK_MILLISECOND : BEGIN / SK_MILLISECOND;
    return chance(2) ? at : at - 500 + chance(1000);
}

static struct question random_question(struct sk_buf *terms)
{
    struct question q = {.tenant = {(uint8_t)(1 + chance(TENANTS + 1))}};
    for (uint64_t fields = chance(4); fields; fields--) {
        enum sk_term_field field = (enum sk_term_field)(1 + chance(SK_TERM_COUNT - 1));
        for (uint64_t values = 1 + chance(3); values; values--) {
            add_random_term(terms, field);
        }
    }
    q.terms = sk_buf_peek(terms);
    q.from = chance(2) ? random_time() : 0;
    q.to = chance(2) ? random_time() : 0;
    q.before = chance(4) ? 0 : chance(RECORDS);
    q.after = chance(4) ? 0 : chance(RECORDS);
    return q;
}

/* ---- both answers ---- */

static bool is_meant(const struct known *k, const struct question *q)
{
    uint64_t ms = k->is.wall / SK_MILLISECOND;
    return k->tenant == q->tenant[0] && ms >= q->from && (!q->to || ms < q->to) && k->is.seq >= q->after && (!q->before || k->is.seq < q->before) &&
           sk_terms_match(q->terms, &k->is);
}

/* The search through all records, beside what is found. */
struct beside {
    const struct question *question;
    size_t at;             /* those from here on were looked at */
    uint64_t found, limit;
};

static const struct known *next_meant(struct beside *b)
{
    while (b->at && !is_meant(&known[b->at - 1], b->question)) {
        b->at--;
    }
    return b->at ? &known[--b->at] : NULL;
}

static bool on_found(void *context, const struct sk_audit_record *record, struct sk_slice cbor, struct sk_sealing *sealing sk_unused)
{
    struct beside *b = context;
    const struct known *k = next_meant(b);
    cr_assert_lt(b->found, b->limit, "it was enough");
    cr_assert_neq(k, NULL, "record %lu is not meant", (unsigned long)record->seq);
    cr_assert(record->seq == k->is.seq && sk_slice_eq(cbor, sk_slice(k->cbor, k->len)), "record %lu, and the next that is meant is %lu", (unsigned long)record->seq,
            (unsigned long)k->is.seq);
    return ++b->found < b->limit;
}

static uint64_t ask_records(const struct question *q)
{
    struct beside b = {.question = q, .at = known_count, .limit = chance(2) ? 1 + chance(20) : UINT64_MAX};
    cr_assert_eq(level_find(&follow, follow.keys, q, on_found, &b), 0);
    cr_assert(b.found == b.limit || next_meant(&b) == NULL, "only %lu were found", (unsigned long)b.found);
    return b.found;
}

/* As how many it counts. */
static uint64_t count_of(const struct known *k)
{
    const uint64_t more = k->is.stage == SK_AUDIT_STAGE_AGGREGATE && k->is.count > 1 ? k->is.count - 1 : 0;
    return 1 + (more < UINT32_MAX ? more : UINT32_MAX);
}

static uint64_t ask_counts(struct question q)
{
    static const uint64_t steps[] = {1, 10, 333, 1000, 60000, 3600000};
    struct find_count found[BUCKETS + 1] = {0}, want[BUCKETS + 1] = {0};
    uint64_t step = PICK(steps), buckets = 1 + chance(BUCKETS), total = 0;
    q.from = random_time();
    q.to = q.from + step * buckets - chance(step);
    cr_assert_eq(level_count(&follow, &q, step, found), 0);
    for (size_t i = 0; i < known_count; i++) {
        if (is_meant(&known[i], &q)) {
            want[(known[i].is.wall / SK_MILLISECOND - q.from) / step].by[known[i].is.decision] += count_of(&known[i]);
            total++;
        }
    }
    for (size_t i = 0; i <= BUCKETS; i++) {
        for (size_t d = 0; d < FIND_DECISIONS; d++) {
            cr_assert_eq(found[i].by[d], want[i].by[d], "bucket %zu, decision %zu: %lu, not %lu", i, d, (unsigned long)found[i].by[d], (unsigned long)want[i].by[d]);
        }
    }
    return total;
}

/* ---- the journal ---- */

static void setup(void)
{
    now = BEGIN;
    seed = 4711;
    memset(longest, 'x', SK_TERM_VALUE);
    longest[0] = '/';
    known_count = 0;
    known = calloc(RECORDS, sizeof(*known));
    cr_assert_neq(known, NULL);
    trail_init(&trail, &trail_quick, TRAIL_FILE * 4);
    trail.set.secret[0] = 9;
    cr_assert_eq(trail_open(&trail), 0);
    level_begin(&trail, &follow, trail.set.secret, false);
}

static void teardown(void)
{
    follow_free(&follow);
    trail_free(&trail);
    free(known);
}

TestSuite(reader_find, .init = setup, .fini = teardown, .timeout = 240);

static void add_records(size_t count, bool set_back)
{
    for (size_t left = count; left; left--) {
        now += chance(3) ? chance(300 * SK_MILLISECOND) : chance(20 * SK_SECOND);
        now -= set_back && chance(150) == 0 ? chance(2 * SK_DAY) : 0;
        add_record();
        if (left == 1 || chance(30) == 0) {
            cr_assert_eq(sk_writer_commit(trail.writer), 0);
        }
    }
    level_with(&trail, &follow);
}

static struct {
    uint64_t asked, some, records, counted; /* questions, those that some records answer, these, and those that counts are of */
} sums;

static void ask_many(void)
{
    for (int i = 0; i < 300; i++) {
        struct sk_buf terms SK_CLEANUP(sk_buf_free) = SK_BUF_INIT(65536);
        struct question q = random_question(&terms);
        uint64_t found = ask_records(&q);
        sums.records += found;
        sums.some += found > 0;
        sums.asked++;
        sums.counted += ask_counts(q);
    }
}

static void compare(bool set_back, bool stored)
{
    ask_records(&(struct question){.tenant = {1}});
    while (known_count < RECORDS) {
        add_records(RECORDS / 10, set_back);
        if (known_count == RECORDS / 2) {
            trail_kill(&trail); /* the writer goes on in another run */
            cr_assert_eq(trail_open(&trail), 0);
        }
        if (stored) {
            level_store(&follow);
        }
        ask_many();
    }
    cr_expect_gt(follow.segments.count, 4, "over several files");
    cr_expect(sums.some > sums.asked / 5 && sums.records > 10 * sums.asked && sums.counted > sums.asked, "%lu of %lu questions have %lu records, %lu are counted",
            (unsigned long)sums.some, (unsigned long)sums.asked, (unsigned long)sums.records, (unsigned long)sums.counted);
}

Test(reader_find, answers_are_those_of_a_search_through_all_records)
{
    compare(false, false);
    cr_expect(level_part(&follow.segments.all[1], (const uint8_t[SK_ID_SIZE]){1})->ordered);
}

Test(reader_find, answers_are_right_with_a_clock_that_was_set_back)
{
    compare(true, false);
    size_t unordered = 0;
    for (size_t i = 0; i < follow.segments.count; i++) {
        const struct part *part = level_part(&follow.segments.all[i], (const uint8_t[SK_ID_SIZE]){1});
        unordered += part && !part->ordered;
    }
    cr_expect_gt(unordered, 2, "%zu parts not in order", unordered);
}

static size_t packed_count(void)
{
    size_t count = 0;
    for (size_t i = 0; i < follow.segments.count; i++) {
        count += follow.segments.all[i].header.packed;
    }
    return count;
}

Test(reader_find, answers_are_those_of_a_search_through_all_records_of_packed_files)
{
    level_packs = true;
    compare(false, false);
    cr_expect_eq(packed_count(), follow.segments.count - 1);
}

static void begin_stored(void)
{
    follow_free(&follow);
    level_begin(&trail, &follow, trail.set.secret, true);
    level_with(&trail, &follow);
}

static size_t stored_count(void)
{
    size_t count = 0;
    for (size_t i = 0; i < follow.segments.count; i++) {
        count += follow.segments.all[i].stored != NULL;
    }
    return count;
}

Test(reader_find, answers_are_those_of_a_search_through_all_records_from_stored_indexes)
{
    begin_stored();
    compare(false, true);
    cr_expect_eq(stored_count(), follow.segments.count - 1, "all but the one that is written");
    begin_stored();
    cr_expect_eq(stored_count(), follow.segments.count - 1, "and they are there again");
    cr_expect_eq(follow.segments.all[0].live, NULL, "without being read");
    ask_many();
}

Test(reader_find, answers_are_right_from_indexes_that_were_stored_before_their_files_were_packed)
{
    begin_stored();
    compare(true, true);
    level_packs = true;
    level_with(&trail, &follow);
    cr_expect_eq(packed_count(), follow.segments.count - 1, "each is asked for anew");
    ask_many();
    begin_stored();
    cr_expect_eq(follow.segments.all[0].live, NULL, "without being read");
    ask_many();
}

Test(reader_find, answers_are_right_from_indexes_that_are_made_of_packed_files)
{
    begin_stored();
    level_packs = true;
    compare(true, true);
    cr_expect_eq(packed_count(), follow.segments.count - 1);
    ask_many();
}

Test(reader_find, answers_are_right_from_stored_indexes_with_a_clock_that_was_set_back)
{
    begin_stored();
    compare(true, true);
}

Test(reader_find, counts_are_added_to_those_that_there_were)
{
    struct find_count counts[2] = {0};
    counts[0].by[SK_AUDIT_DECISION_DENY] = 7;
    add_records(50, false);
    uint64_t denied = 0;
    for (size_t i = 0; i < known_count; i++) {
        denied += known[i].tenant == 1 && known[i].is.decision == SK_AUDIT_DECISION_DENY ? count_of(&known[i]) : 0;
    }
    cr_assert_eq(level_count(&follow, &(struct question){.tenant = {1}, .from = BEGIN / SK_MILLISECOND, .to = (BEGIN + 2 * SK_DAY) / SK_MILLISECOND}, SK_DAY / SK_MILLISECOND, counts), 0);
    cr_expect(denied > 0 && counts[0].by[SK_AUDIT_DECISION_DENY] == 7 + denied);
}

/* ---- what an index says is looked at again ---- */

static bool count_found(void *context, const struct sk_audit_record *record sk_unused, struct sk_slice cbor sk_unused, struct sk_sealing *sealing sk_unused)
{
    ++*(uint64_t *)context;
    return true;
}

static int find_all(const struct sk_keys *keys, uint8_t tenant, uint64_t *found)
{
    *found = 0;
    return level_find(&follow, keys, &(struct question){.tenant = {tenant}}, count_found, found);
}

static void overwrite(uint64_t place, size_t len)
{
    char name[40];
    uint8_t byte;
    sk_journal_file_name(follow.segments.all[0].header.number, name);
    int fd = openat(trail.set.folder, name, O_RDWR | O_CLOEXEC);
    for (size_t i = 0; i < len; i++) {
        cr_assert_eq(pread(fd, &byte, 1, (off_t)(place + i)), 1);
        byte ^= 1;
        cr_assert_eq(pwrite(fd, &byte, 1, (off_t)(place + i)), 1);
    }
    (void)close(fd);
}

Test(reader_find, a_record_that_is_not_what_was_indexed_ends_the_answer)
{
    add_records(60, false);
    uint64_t all, found, place = 0;
    cr_assert_eq(find_all(follow.keys, 1, &all), 0);
    const struct part *part = level_part(&follow.segments.all[0], (const uint8_t[SK_ID_SIZE]){1});
    cr_assert(part && part->rows == all && part->kind->place(part, 5, &place) == 0);
    static const struct {
        size_t at, len;
        const char *what;
    } changes[] = {{8, 1, "another tenant"}, {24, 1, "another number"}, {SK_FRAME_RECORD_HEADER, 1, "another leaf"}, {SK_FRAME_RECORD_HEADER + 60, 1, "another content"},
            {0, 4, "another length"}};
    for (size_t i = 0; i < SK_COUNT(changes); i++) {
        overwrite(place + changes[i].at, changes[i].len);
        cr_expect_eq(find_all(follow.keys, 1, &found), 1, "%s", changes[i].what);
        cr_expect_eq(found, all - 6, "%s: those behind it were given out, and no other", changes[i].what);
        overwrite(place + changes[i].at, changes[i].len);
    }
    cr_assert_eq(find_all(follow.keys, 1, &found), 0);
    cr_expect_eq(found, all);
}

Test(reader_find, without_the_keys_nothing_is_given_out)
{
    static const uint8_t secret[SK_KEYS_SECRET] = {1};
    struct sk_keys *none = NULL;
    char why[160];
    uint64_t found;
    add_records(60, false);
    cr_assert_eq(sk_keys_new(secret, SK_SLICE_NULL, &none, why), 0);
    cr_expect_eq(find_all(none, 1, &found), 1);
    cr_expect_eq(found, 0);
    cr_expect_eq(find_all(none, 99, &found), 0, "of whom there is nothing, nothing is opened");
    (void)sk_keys_free(none);
}
