/* gateway/audit/floods.c: each refusal is counted, whatever there is of them, and what a flood takes is bounded. */
#include "audit/floods.h"
#include "trail.h"

#include "base/clock.h"

#include <criterion/criterion.h>
#include <stdio.h>
#include <stdlib.h>

static struct trail trail;
static struct floods floods;

static void setup(void)
{
    floods = (struct floods){.open = 0};
    trail_init(&trail, &trail_quick, TRAIL_FILE);
    cr_assert_eq(trail_open(&trail), 0);
}

static void teardown(void)
{
    floods_free(&floods);
    trail_free(&trail);
}

TestSuite(audit_floods, .init = setup, .fini = teardown);

static struct sk_audit_record refusal(uint8_t tenant, const char *reason)
{
    struct sk_audit_record r = {.op = SK_AUDIT_LOGIN, .stage = SK_AUDIT_STAGE_SINGLE, .decision = SK_AUDIT_DECISION_DENY, .status = 401, .reason = sk_slice_str(reason),
            .address = sk_slice("\x7f\0\0\1", 4), .host = SK_LIT("acme.test"), .subject = SK_LIT("hanako")};
    memset(r.tenant, tenant, SK_ID_SIZE);
    return r;
}

/* As audit does it. */
static void take(struct sk_audit_record r)
{
    if (!floods_may(&r) || !floods_take(&floods, &r)) {
        cr_assert_eq(sk_writer_add(trail.writer, &r, 0), 0);
    }
}

static void commit(void)
{
    cr_assert_eq(floods_flush(&floods, trail.writer), 0);
    cr_assert_eq(floods.open, 0);
    cr_assert_eq(sk_writer_commit(trail.writer), 0);
    trail_spare(&trail);
}

static struct {
    uint64_t records, single, aggregates, counted;
    struct sk_audit_record last; /* aggregate */
    char reason[65], host[256];
    uint8_t address[16];
} seen;

static void on_record(void *context, const struct sk_journal_read *read)
{
    const struct sk_audit_record *r = read->record;
    if (r->tenant[0] != *(const uint8_t *)context) {
        return;
    }
    seen.records++;
    seen.single += r->stage == SK_AUDIT_STAGE_SINGLE;
    if (r->stage == SK_AUDIT_STAGE_AGGREGATE) {
        seen.aggregates++;
        seen.counted += r->count;
        seen.last = *r;
        (void)snprintf(seen.reason, sizeof(seen.reason), "%.*s", (int)r->reason.len, r->reason.data);
        (void)snprintf(seen.host, sizeof(seen.host), "%.*s", (int)r->host.len, r->host.data);
        memcpy(seen.address, r->address.len ? r->address.data : "", r->address.len);
    }
}

static void look(uint8_t tenant)
{
    struct sk_journal_state state = SK_JOURNAL_STATE_INIT;
    struct sk_journal_error error;
    uint64_t end_at, torn;
    memset(&seen, 0, sizeof(seen));
    state.keys = trail_keys(&trail);
    for (uint64_t number = 1; number <= trail_last(&trail); number++) {
        size_t len;
        struct sk_frame_file next;
        uint8_t *bytes = trail_load(&trail, number, &len), *behind = number < trail_last(&trail) ? trail_load(&trail, number + 1, &(size_t){0}) : NULL;
        cr_assert(!behind || sk_frame_get_file(behind, &next) == 0);
        cr_assert_eq(sk_journal_read(&state, sk_slice(bytes, len), behind ? next.previous : NULL, on_record, &tenant, &end_at, &torn, &error), 0, "%s", error.text);
        free(bytes);
        free(behind);
    }
    (void)sk_keys_free((struct sk_keys *)(uintptr_t)state.keys);
    sk_journal_state_free(&state);
}

Test(audit_floods, each_refusal_is_counted_and_the_first_ones_are_whole)
{
    for (int group = 0; group < 10; group++) {
        for (int i = 0; i < 1000; i++) {
            take(refusal(1, "wrong-password"));
        }
        commit();
    }
    look(1);
    cr_expect_geq(seen.single, FLOODS_WHOLE);
    cr_expect_leq(seen.single, 3 * FLOODS_WHOLE, "in one second, or two");
    cr_expect_eq(seen.single + seen.counted, 10000);
    cr_expect_leq(seen.aggregates, 10);
    cr_expect_str_eq(seen.reason, "wrong-password");
    cr_expect_str_eq(seen.host, "acme.test");
    cr_expect(seen.last.op == SK_AUDIT_LOGIN && seen.last.decision == SK_AUDIT_DECISION_DENY && seen.last.status == 401 && seen.last.subject.len == 0);
    cr_expect(seen.last.address.len == 4 && seen.address[0] == 127);
}

Test(audit_floods, fewer_are_recorded_as_they_are_second_by_second)
{
    for (int second = 0; second < 5; second++) {
        for (unsigned i = 0; i < FLOODS_WHOLE; i++) {
            take(refusal(1, "wrong-password"));
        }
        commit();
        sk_clock_advance((int64_t)(2 * SK_SECOND));
    }
    look(1);
    cr_expect_eq(seen.single, 5 * FLOODS_WHOLE);
    cr_expect_eq(seen.aggregates, 0);
}

Test(audit_floods, each_kind_has_its_number_and_what_is_of_too_many_is_whole)
{
    char reason[32];
    for (unsigned i = 0; i < FLOODS_WHOLE; i++) {
        take(refusal(1, "first"));
    }
    for (unsigned kind = 0; kind < FLOODS_KINDS + 4; kind++) {
        for (int i = 0; i < 7; i++) {
            (void)snprintf(reason, sizeof(reason), "reason-%u", kind);
            take(refusal(1, reason));
        }
    }
    commit();
    look(1);
    cr_expect_eq(seen.aggregates, FLOODS_KINDS);
    cr_expect_eq(seen.counted, 7 * FLOODS_KINDS);
    cr_expect_eq(seen.single, FLOODS_WHOLE + 7 * 4);
}

Test(audit_floods, of_several_addresses_none_is_named)
{
    for (unsigned i = 0; i < FLOODS_WHOLE + 10; i++) {
        struct sk_audit_record r = refusal(1, "wrong-password");
        const uint8_t address[4] = {10, 0, 0, (uint8_t)i};
        r.address = sk_slice(address, 4);
        take(r);
    }
    commit();
    look(1);
    cr_expect_eq(seen.counted, 10);
    cr_expect_eq(seen.last.address.len, 0);
    cr_expect_str_eq(seen.host, "acme.test");
}

Test(audit_floods, a_tenants_flood_is_nobody_elses)
{
    for (int i = 0; i < 1000; i++) {
        take(refusal(1, "wrong-password"));
        if (i % 20 == 0) {
            take(refusal(2, "wrong-password"));
        }
    }
    commit();
    look(2);
    cr_expect_eq(seen.single, 50);
    cr_expect_eq(seen.aggregates, 0);
}

Test(audit_floods, what_somebody_did_who_is_known_or_was_allowed_is_always_whole)
{
    struct sk_audit_record known = refusal(1, "policy"), session = known, allowed = known, intent = known, changed = known;
    known.factors = SK_LIT("pwd");
    session.session = SK_LIT("s");
    allowed.decision = SK_AUDIT_DECISION_ALLOW;
    intent.stage = SK_AUDIT_STAGE_INTENT;
    changed.op = SK_AUDIT_PASSWORD_CHANGED;
    struct sk_audit_record challenge = refusal(1, "login");
    challenge.decision = SK_AUDIT_DECISION_CHALLENGE;
    cr_expect(!floods_may(&known) && !floods_may(&session) && !floods_may(&allowed) && !floods_may(&intent) && !floods_may(&changed));
    cr_expect(floods_may(&challenge));
}

Test(audit_floods, what_could_not_be_given_is_given_with_the_next_group)
{
    for (unsigned i = 0; i < FLOODS_WHOLE + 10; i++) {
        take(refusal(1, "wrong-password"));
    }
    cr_assert_eq(floods.open, 1);
    cr_assert_eq(sk_writer_commit(trail.writer), 0);
    look(1);
    cr_expect_eq(seen.counted, 0);
    commit();
    look(1);
    cr_expect_eq(seen.counted, 10);
}
