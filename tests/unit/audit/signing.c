/* gateway/audit/signing.c before a signer that the test plays: what it is told and asked, and what becomes of its silence, its failures and its end. */
#include "trail.h"

#include "audit/signing.h"
#include "ipc/signer.h"

#include <criterion/criterion.h>
#include <endian.h>
#include <unistd.h>

/* The boot clock goes on by itself, and by what a test adds. */
static uint64_t ahead;

uint64_t __wrap_sk_clock_boot(void);
uint64_t __real_sk_clock_boot(void);

uint64_t __wrap_sk_clock_boot(void)
{
    return __real_sk_clock_boot() + ahead;
}

static struct trail t;
static struct sk_loop *loop;
static struct signing s;
static struct sk_channel *signer;
static struct sk_timer patience;
static unsigned changes, begins, asks, leaves;
static uint64_t ticket, next[4]; /* of the tenants: the leaf that must follow */
static bool stopped, gone;
static unsigned stop_at; /* that many asks end a run of the loop */

static void on_changed(struct signing *signing sk_unused)
{
    changes++;
}

static void take_leaves(struct sk_slice all)
{
    for (; all.len >= SK_SIGNER_LEAF; all = sk_slice_from(all, SK_SIGNER_LEAF)) {
        const uint8_t *leaf = (const uint8_t *)all.data;
        uint64_t seq;
        memcpy(&seq, leaf + SK_ID_SIZE, sizeof(seq));
        cr_assert_eq(le64toh(seq), next[leaf[0] % 4]++, "each leaf once, in order");
        leaves++;
    }
}

static void received(struct sk_channel *channel sk_unused, uint16_t code, const void *message, const int *fds sk_unused, void *context sk_unused)
{
    begins += code == SK_SIGNER_BEGIN;
    if (code == SK_SIGNER_LEAVES) {
        take_leaves(((const struct sk_signer_leaves *)message)->leaves);
    } else if (code == SK_SIGNER_SIGN) {
        ticket = ((const struct sk_signer_sign *)message)->ticket;
        asks++;
    }
    if ((code == SK_SIGNER_BEGIN || code == SK_SIGNER_SIGN) && asks + begins >= stop_at) {
        sk_loop_stop(loop);
    }
}

static void ended(struct sk_channel *channel, bool bad sk_unused, void *context sk_unused)
{
    gone = true;
    signer = sk_channel_free(channel);
}

static void on_patience(struct sk_timer *timer sk_unused)
{
    stopped = true;
    sk_loop_stop(loop);
}

/* Until that much was asked in all, or for a while. */
static void run(unsigned until, uint64_t ns)
{
    stop_at = until;
    stopped = false;
    sk_timer_set(&patience, ns);
    sk_loop_run(loop);
    sk_timer_stop(&patience);
}

static void say(uint16_t code, const void *message)
{
    cr_assert_eq(sk_channel_send(signer, code, message, NULL), 0);
}

static void serve(bool fresh)
{
    const struct sk_signer_serves m = {.fresh = fresh, .epoch = {5}};
    say(SK_SIGNER_SERVES, &m);
}

static void answer(bool failed)
{
    const struct sk_signer_signed m = {.ticket = ticket, .failed = failed};
    say(SK_SIGNER_SIGNED, &m);
}

static void connect_signer(void)
{
    static const struct sk_channel_handler handler = {&sk_signer_interface, SK_SIGNER_FROM_SIGNER, SK_SIGNER_FROM_AUDIT, received, ended};
    int fds[2];
    cr_assert_eq(sk_channel_pair(fds), 0);
    signer = sk_channel_new(loop, fds[1], &handler, NULL);
    cr_assert_not_null(signer);
    signing_connect(&s, fds[0]);
}

static void setup(void)
{
    trail_init(&t, &trail_quick, TRAIL_FILE);
    loop = sk_loop_new();
    signing_init(&s, loop, on_changed);
    s.folder = t.set.folder;
    t.set.stands = &s.stands;
    sk_timer_init(&patience, loop, on_patience);
    connect_signer();
}

static void teardown(void)
{
    s.signer = sk_channel_free(s.signer);
    signer = sk_channel_free(signer);
    sk_timer_stop(&patience);
    sk_timer_stop(&s.tick);
    loop = sk_loop_free(loop);
    trail_free(&t);
}

TestSuite(audit_signing, .init = setup, .fini = teardown, .timeout = 60);

static void serves_and_opens(void)
{
    serve(false);
    run(99, 50 * SK_MILLISECOND);
    cr_assert(signing_works(&s));
    cr_assert_eq(changes, 1);
    cr_assert_eq(trail_open(&t), 0);
    signing_begin(&s, t.writer);
}

static void record(unsigned count)
{
    for (unsigned i = 0; i < count; i++) {
        cr_assert_eq(trail_add(&t, SK_AUDIT_STAGE_SINGLE, 0), 0);
    }
    cr_assert_eq(trail_commit(&t), 0);
}

Test(audit_signing, a_signer_without_a_file_begins_when_there_is_no_journal_and_is_asked_again_while_it_cannot)
{
    serve(true);
    run(1, 2 * SK_SECOND);
    cr_assert_eq(begins, 1);
    cr_expect_not(signing_works(&s));
    run(2, 3 * SK_SECOND);
    cr_assert_eq(begins, 2, "its disk was full");
    serve(false);
    run(99, 50 * SK_MILLISECOND);
    cr_expect(signing_works(&s));
    cr_expect_eq(s.epoch[0], 5);
    cr_expect_eq(begins, 2);
}

Test(audit_signing, beside_a_journal_a_signer_without_a_file_is_not_begun)
{
    cr_assert_eq(trail_open(&t), 0);
    trail_kill(&t);
    serve(true);
    run(1, 2 * SK_SECOND);
    cr_expect_not(stopped, "audit ends, to be started again");
    cr_expect_eq(begins, 0);
    cr_expect_not(signing_works(&s));
}

Test(audit_signing, what_is_durable_is_told_once_and_dropped_when_it_is_signed)
{
    serves_and_opens();
    record(10);
    run(1, 3 * SK_SECOND);
    cr_assert_eq(asks, 1);
    cr_expect_eq(leaves, 10);
    record(7); /* while the question is open */
    answer(false);
    run(2, 3 * SK_SECOND);
    cr_assert_eq(asks, 2);
    cr_expect_eq(leaves, 17);
    cr_expect_eq(sk_writer_unsigned(t.writer).len, 7 * SK_SIGNER_LEAF, "what was asked about is signed, and no more");
    answer(false);
    run(3, 3 * SK_SECOND);
    cr_expect_eq(leaves, 17);
    cr_expect_eq(sk_writer_unsigned(t.writer).len, 0);
    cr_expect_eq(changes, 1);
}

Test(audit_signing, what_was_told_while_a_question_was_open_is_told_once_too)
{
    serves_and_opens();
    record(3);
    run(1, 3 * SK_SECOND);
    cr_assert_eq(asks, 1);
    for (unsigned i = 0; i < 60; i++) {
        record(20);
        signing_more(&s);
    }
    run(99, 50 * SK_MILLISECOND);
    cr_assert_geq(leaves, 3 + 1000, "many are not kept for the next second");
    answer(false);
    run(2, 3 * SK_SECOND);
    cr_assert_eq(asks, 2);
    cr_expect_eq(leaves, 3 + 1200);
    cr_expect_eq(sk_writer_unsigned(t.writer).len, 1200 * SK_SIGNER_LEAF);
    answer(false);
    run(99, 50 * SK_MILLISECOND);
    cr_expect_eq(sk_writer_unsigned(t.writer).len, 0);
}

/* An older copy of the checkpoints was brought back: it is told a part at a time, however much it is. */
Test(audit_signing, a_journal_far_ahead_of_what_is_signed_is_signed_in_parts)
{
    const unsigned count = 700000; /* a channel holds three times that */
    t.set.file_size = (size_t)64 << 20;
    cr_assert_eq(trail_open(&t), 0);
    struct sk_audit_record record = {.op = SK_AUDIT_LOGIN, .stage = SK_AUDIT_STAGE_SINGLE, .decision = SK_AUDIT_DECISION_ALLOW};
    for (unsigned i = 0; i < count; i++) {
        cr_assert_eq(sk_writer_add(t.writer, &record, 0), 0);
        if (sk_writer_full(t.writer) || i + 1 == count) {
            cr_assert_eq(sk_writer_commit(t.writer), 0);
            sk_writer_signed(t.writer, sk_writer_unsigned(t.writer).len);
        }
    }
    trail_kill(&t);
    serves_and_opens();
    next[0] = 0;
    for (unsigned answered = 0; sk_writer_unsigned(t.writer).len;) {
        if (asks == answered) {
            run(answered + 1, 10 * SK_SECOND);
        }
        cr_assert_eq(asks, answered + 1, "it is not asked");
        answered = asks;
        answer(false);
        run(answered + 1, 50 * SK_MILLISECOND); /* it is asked again at once */
    }
    cr_expect_eq(leaves, count);
    cr_expect_geq(asks, 2);
}

Test(audit_signing, an_answer_to_another_question_is_none)
{
    serves_and_opens();
    record(3);
    run(1, 3 * SK_SECOND);
    ticket += 5;
    answer(false);
    run(99, 50 * SK_MILLISECOND);
    cr_expect_eq(sk_writer_unsigned(t.writer).len, 3 * SK_SIGNER_LEAF);
}

Test(audit_signing, a_signer_that_cannot_write_shuts_the_gate_until_it_can)
{
    serves_and_opens();
    record(3);
    run(1, 3 * SK_SECOND);
    answer(true);
    run(2, 3 * SK_SECOND);
    cr_expect_not(signing_works(&s));
    cr_expect_eq(changes, 2);
    cr_expect_eq(asks, 2, "it is asked again");
    cr_expect_eq(leaves, 3, "and told nothing twice");
    cr_expect_eq(sk_writer_unsigned(t.writer).len, 3 * SK_SIGNER_LEAF);
    answer(false);
    run(99, 50 * SK_MILLISECOND);
    cr_expect(signing_works(&s));
    cr_expect_eq(changes, 3);
    cr_expect_eq(sk_writer_unsigned(t.writer).len, 0);
}

Test(audit_signing, a_signer_that_is_silent_for_long_shuts_the_gate_until_it_answers)
{
    serves_and_opens();
    record(3);
    run(1, 3 * SK_SECOND);
    ahead = 9 * SK_SECOND;
    run(99, 1100 * SK_MILLISECOND);
    ahead = 11 * SK_SECOND;
    run(99, 1100 * SK_MILLISECOND);
    cr_expect_not(signing_works(&s));
    cr_expect_eq(changes, 2);
    cr_expect_eq(asks, 1);
    answer(false);
    run(99, 50 * SK_MILLISECOND);
    cr_expect(signing_works(&s));
    cr_expect_eq(changes, 3);
    ahead = 0;
}

Test(audit_signing, the_signers_end_is_audits_end)
{
    serves_and_opens();
    signer = sk_channel_free(signer);
    run(99, 2 * SK_SECOND);
    cr_expect_not(stopped);
    cr_expect_null(s.signer);
}

Test(audit_signing, a_second_signer_is_audits_end_too)
{
    serves_and_opens();
    connect_signer();
    cr_expect_null(s.signer);
    run(99, 50 * SK_MILLISECOND); /* both hear of it */
    cr_expect(gone);
}

Test(audit_signing, a_stop_has_the_rest_signed)
{
    serves_and_opens();
    record(5);
    signing_stop(&s);
    run(1, 2 * SK_SECOND);
    cr_assert_eq(asks, 1);
    cr_expect_eq(leaves, 5);
    record(2);
    answer(false);
    run(2, 2 * SK_SECOND);
    cr_assert_eq(asks, 2);
    answer(false);
    run(99, 2 * SK_SECOND);
    cr_expect_not(stopped, "then it stops");
    cr_expect_eq(sk_writer_unsigned(t.writer).len, 0);
}

Test(audit_signing, a_stop_waits_for_no_signer_that_is_silent)
{
    serves_and_opens();
    record(5);
    signing_stop(&s);
    run(1, 2 * SK_SECOND);
    run(99, 5 * SK_SECOND);
    cr_expect_not(stopped);
}
