/*
 * gateway/journal/keys.c: what two keys derive depends on both, survives in the file, and on nothing that was changed there; what is erased is nowhere any
 * more, but for what is held, and for copies.
 */
#include "journal/keys.h"

#include "crypto/digest.h"

#include "base/clock.h"
#include "rsa.h"

#include <criterion/criterion.h>
#include <endian.h>
#include <errno.h>
#include <stdlib.h>

static const uint8_t secret[SK_KEYS_SECRET] = {1}, dns[SK_ID_SIZE] = {0xd1}, web[SK_ID_SIZE] = {0xd2}, acme[SK_ID_SIZE] = {1}, beta[SK_ID_SIZE] = {2}, other[SK_ID_SIZE] = {3};
static struct sk_buf file;
static struct sk_keys *keys;
static char why[160];

static long left = -1; /* allocations before one that fails */

void *__wrap_calloc(size_t count, size_t size);
void *__real_calloc(size_t count, size_t size);

void *__wrap_calloc(size_t count, size_t size)
{
    bool fails = left == 0;
    left -= left >= 0;
    return fails ? NULL : __real_calloc(count, size);
}

static void setup(void)
{
    file = SK_BUF_INIT(64 * SK_KEYS_SLOT);
    cr_assert_eq(sk_keys_new(secret, SK_SLICE_NULL, &keys, why), 0);
}

static void teardown(void)
{
    keys = sk_keys_free(keys);
    sk_buf_free(&file);
}

TestSuite(journal_keys, .init = setup, .fini = teardown);

static int reread(void)
{
    keys = sk_keys_free(keys);
    return sk_keys_new(secret, sk_buf_peek(&file), &keys, why);
}

/* acme and beta of one service, other of another, each on days 7 and 8. */
static void fill(void)
{
    cr_assert_eq(sk_keys_need_tenant(keys, acme, dns, &file), 0);
    cr_assert_eq(sk_keys_need_tenant(keys, beta, dns, &file), 0);
    cr_assert_eq(sk_keys_need_tenant(keys, other, web, &file), 0);
    for (uint32_t day = 7; day < 9; day++) {
        cr_assert_eq(sk_keys_need_day(keys, acme, day, &file), 0);
        cr_assert_eq(sk_keys_need_day(keys, beta, day, &file), 0);
        cr_assert_eq(sk_keys_need_day(keys, other, day, &file), 0);
    }
}

static void derive(const uint8_t *tenant, uint32_t day, const char *label, const char *context, uint8_t out[SK_KEYS_SECRET])
{
    cr_assert_eq(sk_keys_derive(keys, tenant, day, label, sk_slice_str(context), out), 0);
}

Test(journal_keys, there_is_one_for_each_tenant_and_one_for_each_day_of_a_service)
{
    fill();
    cr_expect_eq(sk_buf_len(&file), (3 + 2 * 2) * SK_KEYS_SLOT);
    fill();
    cr_expect_eq(sk_buf_len(&file), (3 + 2 * 2) * SK_KEYS_SLOT, "they are made once");
    cr_assert_eq(reread(), 0, "%s", why);
    fill();
    cr_expect_eq(sk_buf_len(&file), (3 + 2 * 2) * SK_KEYS_SLOT);
}

Test(journal_keys, what_they_derive_is_the_same_after_a_start_and_another_for_each_tenant_day_and_purpose)
{
    static const struct {
        const uint8_t *tenant;
        uint32_t day;
        const char *label, *context;
    } of[] = {{acme, 7, "record", ""}, {acme, 8, "record", ""}, {beta, 7, "record", ""}, {other, 7, "record", ""}, {acme, 7, "salt", ""}, {acme, 7, "record", "x"}};
    uint8_t before[SK_COUNT(of)][SK_KEYS_SECRET], after[SK_KEYS_SECRET];
    fill();
    for (size_t i = 0; i < SK_COUNT(of); i++) {
        derive(of[i].tenant, of[i].day, of[i].label, of[i].context, before[i]);
        for (size_t j = 0; j < i; j++) {
            cr_expect_arr_neq(before[i], before[j], SK_KEYS_SECRET, "%zu and %zu", i, j);
        }
    }
    cr_assert_eq(reread(), 0, "%s", why);
    for (size_t i = 0; i < SK_COUNT(of); i++) {
        derive(of[i].tenant, of[i].day, of[i].label, of[i].context, after);
        cr_expect_arr_eq(before[i], after, SK_KEYS_SECRET, "%zu", i);
    }
}

Test(journal_keys, without_one_of_both_nothing_is_derived)
{
    uint8_t out[SK_KEYS_SECRET];
    cr_expect_eq(sk_keys_derive(keys, acme, 7, "record", SK_SLICE_NULL, out), 1);
    cr_expect_eq(sk_keys_need_day(keys, acme, 7, &file), -ENOENT, "whose day?");
    cr_expect_not(sk_keys_has(keys, acme));
    cr_assert_eq(sk_keys_need_tenant(keys, acme, dns, &file), 0);
    cr_expect(sk_keys_has(keys, acme));
    cr_expect_eq(sk_keys_derive(keys, acme, 7, "record", SK_SLICE_NULL, out), 1);
    cr_assert_eq(sk_keys_need_day(keys, acme, 7, &file), 0);
    cr_expect_eq(sk_keys_derive(keys, acme, 7, "record", SK_SLICE_NULL, out), 0);
    cr_expect_eq(sk_keys_derive(keys, acme, 6, "record", SK_SLICE_NULL, out), 1);
}

Test(journal_keys, a_tenant_stays_with_its_service)
{
    uint8_t before[SK_KEYS_SECRET], after[SK_KEYS_SECRET];
    fill();
    derive(acme, 7, "record", "", before);
    cr_assert_eq(sk_keys_need_tenant(keys, acme, web, &file), 0);
    derive(acme, 7, "record", "", after);
    cr_expect_arr_eq(before, after, SK_KEYS_SECRET);
}

Test(journal_keys, no_bit_of_a_slot_may_be_changed)
{
    cr_assert_eq(sk_keys_need_tenant(keys, acme, dns, &file), 0);
    for (size_t bit = 0; bit < 8 * SK_KEYS_SLOT; bit += bit < 1200 ? 1 : 61) {
        struct sk_keys *changed = NULL;
        char *byte = file.data + file.start + bit / 8;
        *byte ^= (char)(1 << bit % 8);
        cr_assert_eq(sk_keys_new(secret, sk_buf_peek(&file), &changed, why), 1, "bit %zu", bit);
        cr_assert_str_eq(why, "key 1 was changed, or is of another root key");
        *byte ^= (char)(1 << bit % 8);
    }
    cr_assert_eq(reread(), 0);
}

Test(journal_keys, another_secret_opens_nothing)
{
    static const uint8_t wrong[SK_KEYS_SECRET] = {2};
    struct sk_keys *none = NULL;
    fill();
    cr_expect_eq(sk_keys_new(wrong, sk_buf_peek(&file), &none, why), 1);
    cr_expect_null(none);
}

Test(journal_keys, one_that_stands_there_twice_is_refused)
{
    cr_assert_eq(sk_keys_need_tenant(keys, acme, dns, &file), 0);
    struct sk_slice slot = sk_buf_peek(&file);
    char *copy = malloc(slot.len);
    memcpy(copy, slot.data, slot.len);
    cr_assert_eq(sk_buf_put(&file, sk_slice(copy, slot.len)), 0);
    free(copy);
    cr_expect_eq(reread(), 1);
    cr_expect_str_eq(why, "key 2 was changed, or is of another root key");
}

/* What a machine leaves that ended while slots were written: they are whole, zeros, or cut short at the end. */
Test(journal_keys, a_slot_that_was_on_its_way_is_none)
{
    static const char zeros[SK_KEYS_SLOT];
    cr_assert_eq(sk_buf_put(&file, sk_slice(zeros, sizeof(zeros))), 0);
    cr_assert_eq(sk_keys_need_tenant(keys, acme, dns, &file), 0);
    cr_assert_eq(sk_keys_need_tenant(keys, beta, dns, &file), 0);
    for (size_t cut = 0; cut <= SK_KEYS_SLOT; cut += 16) {
        struct sk_keys *read = NULL;
        struct sk_slice bytes = sk_slice_cut(sk_buf_peek(&file), sk_buf_len(&file) - cut);
        cr_assert_eq(sk_keys_new(secret, bytes, &read, why), 0);
        cr_expect(sk_keys_has(read, acme));
        cr_expect_eq(sk_keys_has(read, beta), cut == 0);
        (void)sk_keys_free(read);
    }
}

/* ---- erasing ---- */

#define NOW (1785000000 * SK_SECOND)
#define GROUP 77U

static struct sk_keys_time at(uint64_t wall)
{
    return (struct sk_keys_time){wall, GROUP};
}

enum kind { TENANT = 1, DAY = 2, HELD = 3, COPY = 4 };

/* Of one that was used before. */
static struct sk_keys_write used_before(void)
{
    struct sk_keys_write write;
    memset(&write, 0xa5, sizeof(write));
    return write;
}

/* As whoever keeps the file does it. */
static void write_it(const struct sk_keys_write *write)
{
    cr_assert(write->at % SK_KEYS_SLOT == 0 && write->at + SK_KEYS_SLOT <= sk_buf_len(&file));
    memcpy(file.data + file.start + write->at, write->slot, SK_KEYS_SLOT);
}

static void erase_day(const uint8_t *service, uint32_t day)
{
    struct sk_keys_write write = used_before();
    cr_assert_eq(sk_keys_erase_day(keys, service, day, at(NOW), &write), 0);
    write_it(&write);
}

static void erase_tenant(const uint8_t *tenant)
{
    struct sk_keys_write write = used_before();
    cr_assert_eq(sk_keys_erase_tenant(keys, tenant, at(NOW), &write), 0);
    write_it(&write);
}

static void release(const uint8_t *tenant, uint32_t day)
{
    struct sk_keys_write write = used_before();
    cr_assert_eq(sk_keys_release(keys, tenant, day, at(NOW), &write), 0);
    write_it(&write);
}

static void expect_none(const uint8_t *tenant, uint32_t day, const char *when)
{
    uint8_t out[SK_KEYS_SECRET];
    cr_expect_eq(sk_keys_derive(keys, tenant, day, "record", SK_SLICE_NULL, out), 1, "tenant %u, day %u: %s", tenant[0], day, when);
}

/* What each tenant derives for each day. */
struct derived {
    uint8_t acme[2][SK_KEYS_SECRET], beta[2][SK_KEYS_SECRET], other[2][SK_KEYS_SECRET];
};

static struct derived derive_all(void)
{
    struct derived all;
    for (uint32_t day = 7; day < 9; day++) {
        derive(acme, day, "record", "", all.acme[day - 7]);
        derive(beta, day, "record", "", all.beta[day - 7]);
        derive(other, day, "record", "", all.other[day - 7]);
    }
    return all;
}

static bool is_same(const uint8_t *tenant, uint32_t day, const uint8_t before[SK_KEYS_SECRET])
{
    uint8_t now[SK_KEYS_SECRET];
    derive(tenant, day, "record", "", now);
    return memcmp(now, before, sizeof(now)) == 0;
}

Test(journal_keys, an_erased_day_takes_with_it_what_all_tenants_of_its_service_recorded_on_it_and_nothing_else)
{
    struct sk_keys_write write;
    fill();
    struct derived before = derive_all();
    erase_day(dns, 7);
    for (int turn = 0; turn < 2; turn++) {
        const char *when = turn ? "after a start" : "at once";
        expect_none(acme, 7, when);
        expect_none(beta, 7, when);
        cr_expect(is_same(acme, 8, before.acme[1]) && is_same(beta, 8, before.beta[1]), "%s", when);
        cr_expect(is_same(other, 7, before.other[0]) && is_same(other, 8, before.other[1]), "%s", when);
        cr_expect(sk_keys_gone(keys, acme, 7) && sk_keys_gone(keys, beta, 7), "%s", when);
        cr_expect(!sk_keys_gone(keys, acme, 8) && !sk_keys_gone(keys, other, 7) && !sk_keys_gone(keys, acme, 6), "%s", when);
        cr_expect(sk_keys_has(keys, acme) && !sk_keys_erased(keys, acme), "%s", when);
        cr_expect_eq(sk_keys_erase_day(keys, dns, 7, at(NOW), &write), 1, "%s", when);
        cr_assert_eq(reread(), 0, "%s", why);
    }
    cr_expect_eq(sk_keys_erase_day(keys, dns, 9, at(NOW), &write), 1, "there never was one");
    cr_expect_eq(sk_keys_erase_day(keys, acme, 8, at(NOW), &write), 1, "a tenant is no service");
}

Test(journal_keys, an_erased_tenant_takes_with_it_all_that_it_ever_recorded_and_nothing_of_others)
{
    struct sk_keys_write write;
    fill();
    struct derived before = derive_all();
    erase_tenant(acme);
    for (int turn = 0; turn < 2; turn++) {
        const char *when = turn ? "after a start" : "at once";
        expect_none(acme, 7, when);
        expect_none(acme, 8, when);
        cr_expect(is_same(beta, 7, before.beta[0]) && is_same(beta, 8, before.beta[1]) && is_same(other, 7, before.other[0]), "%s", when);
        cr_expect(sk_keys_gone(keys, acme, 7) && sk_keys_gone(keys, acme, 9), "%s", when);
        cr_expect_not(sk_keys_gone(keys, beta, 7), "%s", when);
        cr_expect(sk_keys_erased(keys, acme) && sk_keys_has(keys, acme) && !sk_keys_erased(keys, beta), "%s", when);
        cr_expect_arr_eq(sk_keys_service(keys, acme), dns, SK_ID_SIZE, "%s", when);
        cr_expect_eq(sk_keys_erase_tenant(keys, acme, at(NOW), &write), 1, "%s", when);
        cr_assert_eq(reread(), 0, "%s", why);
    }
    static const uint8_t nobody[SK_ID_SIZE] = {9};
    cr_expect_eq(sk_keys_erase_tenant(keys, nobody, at(NOW), &write), 1);
    cr_expect(!sk_keys_erased(keys, nobody) && !sk_keys_gone(keys, nobody, 7) && sk_keys_service(keys, nobody) == NULL);
}

/* FORMAT.md, "Keys". */
static void expect_erased_slot(size_t number, enum kind kind, uint32_t day, const uint8_t *id, const uint8_t *service, uint64_t wall)
{
    uint8_t expected[SK_KEYS_SLOT] = "SKKEYSL0";
    uint32_t le_kind = htole32((uint32_t)kind), le_day = htole32(day);
    uint64_t when[] = {htole64(wall), htole64(GROUP)};
    memcpy(expected + 8, &le_kind, sizeof(le_kind));
    memcpy(expected + 12, &le_day, sizeof(le_day));
    memcpy(expected + 16, id, SK_ID_SIZE);
    if (service) {
        memcpy(expected + 32, service, SK_ID_SIZE);
    }
    memcpy(expected + 48, when, sizeof(when));
    sk_digest_derive(sk_slice(secret, SK_KEYS_SECRET), "erased", sk_slice(expected, 64), expected + 64);
    cr_expect_arr_eq(file.data + file.start + number * SK_KEYS_SLOT, expected, SK_KEYS_SLOT, "slot %zu", number);
}

/* Whatever stood there: neither of the secret nor of what was sealed is anything left. */
Test(journal_keys, a_slot_that_was_erased_says_of_what_and_when_and_nothing_else)
{
    fill(); /* acme, beta, other; dns 7, web 7, dns 8, web 8 */
    char *whole = malloc(sk_buf_len(&file));
    memcpy(whole, file.data + file.start, sk_buf_len(&file));
    erase_tenant(beta);
    erase_day(dns, 8);
    expect_erased_slot(1, TENANT, 0, beta, dns, NOW);
    expect_erased_slot(5, DAY, 8, dns, NULL, NOW);
    for (size_t i = 0; i < 7; i++) {
        cr_expect_eq(memcmp(whole + i * SK_KEYS_SLOT, file.data + file.start + i * SK_KEYS_SLOT, SK_KEYS_SLOT) == 0, i != 1 && i != 5, "slot %zu", i);
    }
    free(whole);
    cr_assert_eq(sk_keys_hold(keys, acme, 7, &file), 0);
    release(acme, 7);
    expect_erased_slot(7, HELD, 7, acme, NULL, NOW);
}

Test(journal_keys, a_slot_has_its_place_behind_the_others_over_starts)
{
    fill();
    cr_assert_eq(reread(), 0, "%s", why);
    cr_assert_eq(sk_keys_need_day(keys, acme, 9, &file), 0);
    cr_assert_eq(sk_keys_need_day(keys, other, 9, &file), 0);
    erase_day(web, 9);
    expect_erased_slot(8, DAY, 9, web, NULL, NOW);
    cr_assert_eq(reread(), 0, "%s", why);
    erase_day(dns, 9);
    expect_erased_slot(7, DAY, 9, dns, NULL, NOW);
}

Test(journal_keys, what_is_behind_the_words_of_an_erased_slot_or_of_no_kind_is_refused)
{
    fill();
    erase_day(dns, 7);
    char *slot = file.data + file.start + 3 * SK_KEYS_SLOT;
    for (size_t i = 48; i < SK_KEYS_SLOT; i++) {
        slot[i] ^= 1;
        cr_assert_eq(reread(), 1, "byte %zu", i);
        cr_assert_str_eq(why, "key 4 was changed, or is of another root key");
        slot[i] ^= 1;
    }
    static const char kinds[] = {0, 7, 127};
    for (size_t i = 0; i < sizeof(kinds); i++) {
        slot[8] = kinds[i];
        cr_expect_eq(reread(), 1, "kind %d", kinds[i]);
    }
    slot[8] = DAY;
    cr_expect_eq(reread(), 0);
    file.data[file.start + 7] = '0'; /* word of an erasure, over a key that is still there */
    cr_expect_eq(reread(), 1);
}

Test(journal_keys, one_that_is_made_anew_derives_otherwise_and_what_it_does_not_open_may_be_older)
{
    fill();
    struct derived before = derive_all();
    erase_day(dns, 7);
    size_t len = sk_buf_len(&file);
    cr_assert_eq(sk_keys_need_day(keys, beta, 7, &file), 0);
    cr_expect_eq(sk_buf_len(&file), len + SK_KEYS_SLOT, "a slot behind the others");
    erase_tenant(other);
    cr_assert_eq(sk_keys_need_tenant(keys, other, web, &file), 0);
    struct derived after = derive_all();
    for (int turn = 0; turn < 2; turn++) {
        cr_expect(!is_same(acme, 7, before.acme[0]) && !is_same(beta, 7, before.beta[0]) && is_same(acme, 8, before.acme[1]));
        cr_expect(!is_same(other, 7, before.other[0]) && !is_same(other, 8, before.other[1]));
        cr_expect(is_same(acme, 7, after.acme[0]) && is_same(beta, 7, after.beta[0]) && is_same(other, 8, after.other[1]), "it stays what it is");
        cr_expect(sk_keys_lost(keys, acme, 7, 0) && sk_keys_lost(keys, beta, 7, GROUP - 1) && sk_keys_lost(keys, other, 7, GROUP - 1) && sk_keys_lost(keys, other, 9, 0));
        cr_expect(!sk_keys_lost(keys, acme, 7, GROUP) && !sk_keys_lost(keys, other, 7, GROUP), "what was recorded since");
        cr_expect(!sk_keys_lost(keys, acme, 8, 0) && !sk_keys_gone(keys, acme, 7) && !sk_keys_gone(keys, other, 7) && !sk_keys_erased(keys, other));
        cr_assert_eq(reread(), 0, "%s", why);
    }
    erase_day(dns, 7);
    erase_tenant(other);
    cr_assert_eq(reread(), 0, "two that were erased: %s", why);
    expect_none(acme, 7, "erased again");
    expect_none(other, 8, "erased again");
    cr_expect(sk_keys_gone(keys, acme, 7) && sk_keys_erased(keys, other));
}

/* Whoever asks for it then: a journal's writer says the operator's for what is recorded late. */
Test(journal_keys, one_that_is_made_anew_stays_with_its_tenants_service)
{
    fill();
    erase_tenant(acme);
    cr_assert_eq(sk_keys_need_tenant(keys, acme, web, &file), 0);
    for (int turn = 0; turn < 2; turn++) {
        cr_expect_arr_eq(sk_keys_service(keys, acme), dns, SK_ID_SIZE, "%s", turn ? "after a start" : "at once");
        cr_assert_eq(reread(), 0, "%s", why);
    }
}

/* ---- what is held ---- */

Test(journal_keys, what_is_held_derives_the_same_when_the_days_key_is_erased_and_nothing_after_its_release)
{
    struct sk_keys_write write;
    fill();
    struct derived before = derive_all();
    size_t len = sk_buf_len(&file);
    cr_assert_eq(sk_keys_hold(keys, acme, 7, &file), 0);
    cr_expect_eq(sk_buf_len(&file), len + SK_KEYS_SLOT);
    cr_assert_eq(sk_keys_hold(keys, acme, 7, &file), 0);
    cr_expect_eq(sk_buf_len(&file), len + SK_KEYS_SLOT, "it is held once");
    cr_expect(is_same(acme, 7, before.acme[0]), "and is the same while the day's is there");
    erase_day(dns, 7);
    for (int turn = 0; turn < 2; turn++) {
        const char *when = turn ? "after a start" : "at once";
        cr_expect(is_same(acme, 7, before.acme[0]), "%s", when);
        cr_expect_not(sk_keys_gone(keys, acme, 7), "%s", when);
        expect_none(beta, 7, when);
        cr_expect(sk_keys_gone(keys, beta, 7), "%s", when);
        cr_assert_eq(reread(), 0, "%s", why);
    }
    release(acme, 7);
    for (int turn = 0; turn < 2; turn++) {
        const char *when = turn ? "after a start" : "at once";
        expect_none(acme, 7, when);
        cr_expect(sk_keys_gone(keys, acme, 7), "%s", when);
        cr_expect(is_same(acme, 8, before.acme[1]), "%s", when);
        cr_expect_eq(sk_keys_release(keys, acme, 7, at(NOW), &write), 1, "%s", when);
        cr_assert_eq(reread(), 0, "%s", why);
    }
}

Test(journal_keys, what_is_not_there_is_not_held)
{
    static const uint8_t nobody[SK_ID_SIZE] = {9};
    struct sk_keys_write write;
    fill();
    erase_day(dns, 7);
    erase_tenant(other);
    size_t len = sk_buf_len(&file);
    cr_expect_eq(sk_keys_hold(keys, acme, 7, &file), 1, "the day was erased");
    cr_expect_eq(sk_keys_hold(keys, acme, 9, &file), 1, "it never was");
    cr_expect_eq(sk_keys_hold(keys, other, 7, &file), 1, "the tenant was erased");
    cr_expect_eq(sk_keys_hold(keys, nobody, 8, &file), 1);
    cr_expect_eq(sk_keys_release(keys, acme, 8, at(NOW), &write), 1, "there is one, but it is not held");
    cr_expect_eq(sk_buf_len(&file), len);
}

Test(journal_keys, what_is_held_goes_with_its_tenant_and_may_be_held_again_after_its_release)
{
    fill();
    struct derived before = derive_all();
    cr_assert_eq(sk_keys_hold(keys, acme, 7, &file), 0);
    release(acme, 7);
    cr_expect(is_same(acme, 7, before.acme[0]), "the day's key is there");
    cr_expect_not(sk_keys_gone(keys, acme, 7));
    cr_assert_eq(sk_keys_hold(keys, acme, 7, &file), 0);
    erase_day(dns, 7);
    cr_assert_eq(reread(), 0, "%s", why);
    cr_expect(is_same(acme, 7, before.acme[0]));
    erase_tenant(acme);
    expect_none(acme, 7, "the tenant is erased");
    cr_expect(sk_keys_gone(keys, acme, 7));
}

/* ---- what is there ---- */

struct days {
    struct sk_keys_day of[16];
    size_t count;
};

static void on_day(void *context, const struct sk_keys_day *day)
{
    struct days *days = context;
    cr_assert_lt(days->count, SK_COUNT(days->of));
    days->of[days->count++] = *day;
}

/* Once, and how many there are. */
static size_t times(bool held, const uint8_t *id, uint32_t day, size_t *all)
{
    struct days days = {.count = 0};
    size_t found = 0;
    sk_keys_days(keys, on_day, &days);
    for (size_t i = 0; i < days.count; i++) {
        found += days.of[i].held == held && days.of[i].day == day && memcmp(days.of[i].id, id, SK_ID_SIZE) == 0;
    }
    *all = days.count;
    return found;
}

Test(journal_keys, the_days_that_are_there_are_named)
{
    size_t all;
    cr_expect_eq(times(false, dns, 7, &all) + all, 0);
    fill();
    cr_expect_eq(times(false, dns, 7, &all), 1);
    cr_expect_eq(times(false, web, 8, &all), 1);
    cr_expect_eq(all, 4, "and no tenant's own key");
    cr_assert_eq(sk_keys_hold(keys, beta, 7, &file), 0);
    erase_day(dns, 7);
    for (int turn = 0; turn < 2; turn++) {
        cr_expect_eq(times(false, dns, 7, &all), 0);
        cr_expect_eq(times(true, beta, 7, &all), 1);
        cr_expect_eq(times(false, beta, 7, &all), 0);
        cr_expect_eq(all, 4);
        cr_assert_eq(reread(), 0, "%s", why);
    }
    release(beta, 7);
    cr_assert_eq(sk_keys_need_day(keys, acme, 7, &file), 0);
    cr_expect_eq(times(true, beta, 7, &all), 0);
    cr_expect_eq(times(false, dns, 7, &all), 1, "made anew, it is there once");
    cr_expect_eq(all, 4);
}

/* ---- copies ---- */

static struct rsa pem;
static struct sk_wrap_key *public, *private;

static void setup_copies(void)
{
    setup();
    rsa_make(&pem, 3072);
    public = sk_wrap_public(sk_slice_str(pem.public));
    private = sk_wrap_private(sk_slice_str(pem.private));
    cr_assert(public && private);
    fill();
}

static void teardown_copies(void)
{
    public = sk_wrap_free(public);
    private = sk_wrap_free(private);
    teardown();
}

TestSuite(journal_keys_copies, .init = setup_copies, .fini = teardown_copies, .timeout = 60);

static void copy(const uint8_t *tenant, uint64_t due)
{
    cr_assert_eq(sk_keys_copy(keys, tenant, public, due, &file), 0);
}

/* 0 when something was erased: the slot's place. */
static int erase_copy(const uint8_t *tenant, uint64_t wall, size_t *slot)
{
    struct sk_keys_write write = used_before();
    int r = sk_keys_erase_copy(keys, tenant, at(wall), &write);
    if (r == 0) {
        write_it(&write);
        *slot = write.at / SK_KEYS_SLOT;
    }
    return r;
}

static bool is_among(const void *context, const uint8_t tenant[SK_ID_SIZE])
{
    const char *held = context;
    return strchr(held, '0' + tenant[0]) != NULL;
}

/* The first byte of the tenant's id; 0: of nobody's. */
static int due_by(uint64_t wall, const char *held)
{
    const uint8_t *tenant = sk_keys_due(keys, wall, is_among, held);
    return tenant ? tenant[0] : 0;
}

Test(journal_keys_copies, with_the_private_key_all_derives_as_before_the_tenants_key_was_erased)
{
    struct derived before = derive_all();
    size_t len = sk_buf_len(&file);
    copy(acme, NOW + 5);
    cr_expect_eq(sk_buf_len(&file), len + SK_KEYS_SLOT);
    cr_expect(is_same(acme, 7, before.acme[0]), "a copy changes nothing");
    erase_tenant(acme);
    expect_none(acme, 7, "a copy alone is of no use");
    cr_assert_eq(reread(), 0, "%s", why);
    expect_none(acme, 7, "nor after a start");
    cr_expect(sk_keys_erased(keys, acme) && sk_keys_copied(keys, acme) && !sk_keys_copied(keys, beta));
    cr_assert_eq(sk_keys_recover(keys, private), 0);
    for (uint32_t day = 7; day < 9; day++) {
        cr_expect(is_same(acme, day, before.acme[day - 7]), "day %u", day);
        cr_expect(is_same(beta, day, before.beta[day - 7]) && is_same(other, day, before.other[day - 7]), "day %u", day);
    }
    cr_expect(!sk_keys_erased(keys, acme) && !sk_keys_gone(keys, acme, 7));
    cr_expect(sk_keys_lost(keys, acme, 7, UINT64_MAX) && !sk_keys_lost(keys, beta, 7, 0), "what it does not open may be another one's");
}

Test(journal_keys_copies, a_day_that_was_erased_stays_so_when_the_tenant_is_there_again)
{
    struct derived before = derive_all();
    copy(acme, NOW + 5);
    erase_tenant(acme);
    erase_day(dns, 7);
    cr_assert_eq(reread(), 0, "%s", why);
    cr_assert_eq(sk_keys_recover(keys, private), 0);
    expect_none(acme, 7, "its day is erased");
    cr_expect(is_same(acme, 8, before.acme[1]));
}

Test(journal_keys_copies, without_a_copy_or_with_another_key_nothing_is_there_again)
{
    struct rsa another;
    cr_expect_eq(sk_keys_recover(keys, private), 1, "there are no copies");
    rsa_make(&another, 3072);
    struct sk_wrap_key *key = sk_wrap_private(sk_slice_str(another.private));
    cr_assert_not_null(key);
    copy(acme, NOW + 5);
    erase_tenant(acme);
    cr_assert_eq(reread(), 0, "%s", why);
    cr_expect_eq(sk_keys_recover(keys, key), 1);
    cr_expect_eq(sk_keys_recover(keys, public), 1, "who may make copies cannot open them");
    expect_none(acme, 7, "with another key");
    cr_expect(sk_keys_erased(keys, acme));
    (void)sk_wrap_free(key);
}

Test(journal_keys_copies, there_is_none_of_what_is_not_there)
{
    static const uint8_t nobody[SK_ID_SIZE] = {9};
    size_t slot;
    erase_tenant(acme);
    size_t len = sk_buf_len(&file);
    cr_expect_eq(sk_keys_copy(keys, acme, public, NOW, &file), 1);
    cr_expect_eq(sk_keys_copy(keys, nobody, public, NOW, &file), 1);
    cr_expect_eq(sk_buf_len(&file), len);
    cr_expect(!sk_keys_copied(keys, acme) && !sk_keys_copied(keys, nobody));
    cr_expect_eq(erase_copy(acme, UINT64_MAX, &slot), 1);
    cr_expect_eq(due_by(UINT64_MAX, ""), 0);
}

Test(journal_keys_copies, one_is_due_from_its_time_on_and_not_while_its_tenant_is_held)
{
    copy(acme, NOW + 5);
    copy(beta, NOW + 9);
    for (int turn = 0; turn < 2; turn++) {
        cr_expect_eq(due_by(NOW + 4, ""), 0);
        cr_expect_eq(due_by(NOW + 5, ""), 1);
        cr_expect_eq(due_by(NOW + 8, "1"), 0);
        cr_expect_eq(due_by(NOW + 8, "2"), 1);
        cr_expect_eq(due_by(NOW + 9, "1"), 2, "who is held keeps no other");
        cr_expect_eq(due_by(NOW + 9, "2"), 1);
        cr_expect_eq(due_by(NOW + 9, "12"), 0);
        cr_assert_eq(reread(), 0, "%s", why);
    }
}

Test(journal_keys_copies, one_that_was_erased_is_no_more)
{
    size_t slot = 0;
    copy(acme, NOW + 5);
    copy(beta, NOW + 5);
    erase_tenant(acme);
    cr_expect_eq(erase_copy(acme, NOW + 4, &slot), 1, "it is not due");
    cr_expect(sk_keys_copied(keys, acme));
    cr_assert_eq(erase_copy(acme, NOW + 5, &slot), 0);
    cr_expect_eq(slot, 7);
    expect_erased_slot(7, COPY, 0, acme, dns, NOW + 5);
    for (int turn = 0; turn < 2; turn++) {
        cr_expect(!sk_keys_copied(keys, acme) && sk_keys_copied(keys, beta));
        cr_expect_eq(erase_copy(acme, UINT64_MAX, &slot), 1);
        cr_expect_eq(due_by(NOW + 5, ""), 2);
        cr_assert_eq(reread(), 0, "%s", why);
    }
    cr_expect_eq(sk_keys_recover(keys, private), 0, "the other's");
    expect_none(acme, 7, "its copy was erased");
}

/* `more` other tenants, so that the table grows and its chains are turned round. */
static void two_copies(uint8_t more)
{
    size_t slot = 0;
    struct derived first = derive_all(), second;
    copy(acme, NOW + 5);
    erase_tenant(acme);
    cr_assert_eq(sk_keys_need_tenant(keys, acme, dns, &file), 0);
    second = derive_all();
    copy(acme, NOW + 9);
    for (uint8_t i = 0; i < more; i++) {
        cr_assert_eq(sk_keys_need_tenant(keys, (const uint8_t[SK_ID_SIZE]){0x80, i}, dns, &file), 0);
    }
    cr_assert_eq(reread(), 0, "%s", why);
    cr_assert_eq(sk_keys_recover(keys, private), 0);
    cr_expect(is_same(acme, 7, first.acme[0]), "in place of the key that it has, %u", more);
    cr_assert_eq(reread(), 0, "%s", why);
    cr_expect(is_same(acme, 7, second.acme[0]));
    erase_tenant(acme);
    cr_assert_eq(reread(), 0, "%s", why);
    cr_assert_eq(sk_keys_recover(keys, private), 0);
    cr_expect(is_same(acme, 7, first.acme[0]), "or had, %u", more);
    cr_assert_eq(erase_copy(acme, NOW + 9, &slot), 0);
    cr_expect_eq(slot, 7);
    cr_assert_eq(reread(), 0, "%s", why);
    cr_assert_eq(sk_keys_recover(keys, private), 0);
    cr_expect(is_same(acme, 7, second.acme[0]));
    cr_assert_eq(erase_copy(acme, NOW + 9, &slot), 0);
    cr_expect_eq(slot, 9);
    cr_expect_not(sk_keys_copied(keys, acme));
}

Test(journal_keys_copies, of_two_the_oldest_counts_and_is_erased_first)
{
    two_copies(0);
}

Test(journal_keys_copies, of_two_the_oldest_counts_among_many_others)
{
    two_copies(12);
}

Test(journal_keys_copies, an_older_one_that_is_not_due_keeps_no_younger_that_is)
{
    size_t slot = 0;
    copy(acme, NOW + 9);
    copy(acme, NOW + 5);
    cr_expect_eq(due_by(NOW + 5, ""), 1);
    cr_assert_eq(erase_copy(acme, NOW + 5, &slot), 0);
    cr_expect_eq(slot, 8);
    cr_expect_eq(due_by(NOW + 5, ""), 0);
    cr_expect(sk_keys_copied(keys, acme));
}

Test(journal_keys_copies, no_bit_of_its_slot_may_be_changed)
{
    copy(acme, NOW + 5);
    char *slot = file.data + file.start + 7 * SK_KEYS_SLOT;
    size_t sealed = 8 * (48 + 12 + 8 + SK_WRAP_SIZE + 16);
    for (size_t bit = 0; bit < 8 * SK_KEYS_SLOT; bit += bit < sealed ? 1 : 61) {
        slot[bit / 8] ^= (char)(1 << bit % 8);
        cr_assert_eq(reread(), 1, "bit %zu", bit);
        cr_assert_str_eq(why, "key 8 was changed, or is of another root key");
        slot[bit / 8] ^= (char)(1 << bit % 8);
    }
    cr_assert_eq(reread(), 0);
    cr_expect(sk_keys_copied(keys, acme));
}

/* The seventeenth key makes the table grow. */
Test(journal_keys_copies, one_for_which_there_is_no_memory_is_none)
{
    int r = -1;
    for (uint8_t i = 0; i < 9; i++) {
        cr_assert_eq(sk_keys_need_tenant(keys, (const uint8_t[SK_ID_SIZE]){0x80, i}, dns, &file), 0);
    }
    size_t len = sk_buf_len(&file);
    for (long n = 0; r; n++) {
        left = n;
        r = sk_keys_copy(keys, acme, public, NOW, &file);
        left = -1;
        cr_assert(r == 0 || (r == -ENOMEM && sk_buf_len(&file) == len && !sk_keys_copied(keys, acme)), "allocation %ld: %d", n, r);
    }
    cr_assert(sk_keys_copied(keys, acme));
    r = -1;
    for (long n = 0; r; n++) {
        struct sk_keys *read = NULL;
        left = n;
        r = sk_keys_new(secret, sk_buf_peek(&file), &read, why);
        left = -1;
        cr_assert(r == 0 || (r == -ENOMEM && !read), "allocation %ld: %d", n, r);
        (void)sk_keys_free(read);
    }
}

/* ---- what was said ---- */

Test(journal_keys, what_was_said_last_holds_over_starts)
{
    fill();
    cr_expect_eq(sk_keys_said(keys, SK_KEYS_HOLD, acme), 0);
    cr_assert_eq(sk_keys_say(keys, SK_KEYS_HOLD, acme, 0, &file), 0);
    size_t len = sk_buf_len(&file);
    cr_assert_eq(len, 7 * SK_KEYS_SLOT, "nothing is nothing to say");
    cr_assert_eq(sk_keys_say(keys, SK_KEYS_HOLD, acme, 1, &file), 0);
    cr_assert_eq(sk_keys_say(keys, SK_KEYS_HOLD, beta, 1, &file), 0);
    cr_assert_eq(sk_keys_say(keys, SK_KEYS_DAYS, dns, 90, &file), 0);
    cr_assert_eq(sk_keys_say(keys, SK_KEYS_DAYS, dns, 3660, &file), 0);
    cr_assert_eq(sk_keys_say(keys, SK_KEYS_HOLD, beta, 0, &file), 0);
    cr_assert_eq(sk_keys_say(keys, SK_KEYS_HOLD, beta, 0, &file), 0);
    cr_expect_eq(sk_buf_len(&file), len + 5 * SK_KEYS_SLOT, "the same twice is said once");
    for (int turn = 0; turn < 2; turn++) {
        cr_expect(sk_keys_said(keys, SK_KEYS_HOLD, acme) == 1 && sk_keys_said(keys, SK_KEYS_HOLD, beta) == 0 && sk_keys_said(keys, SK_KEYS_HOLD, other) == 0);
        cr_expect(sk_keys_said(keys, SK_KEYS_DAYS, dns) == 3660 && sk_keys_said(keys, SK_KEYS_DAYS, web) == 0);
        cr_assert_eq(reread(), 0, "%s", why);
    }
    struct derived before = derive_all();
    cr_expect(is_same(acme, 7, before.acme[0]));
    for (size_t bit = 0; bit < 8 * 100; bit++) {
        file.data[file.start + len + bit / 8] ^= (char)(1 << bit % 8);
        cr_expect_eq(reread(), 1, "bit %zu", bit);
        file.data[file.start + len + bit / 8] ^= (char)(1 << bit % 8);
    }
}
