/* gateway/audit/writer.c while another thread makes the next file. Clean under the thread sanitizer. */
#include "trail.h"

#include <criterion/criterion.h>
#include <errno.h>
#include <pthread.h>
#include <semaphore.h>
#include <unistd.h>

static sem_t go, begun;
static bool hold;
static pthread_t main_thread;
static long made_by_main, made_by_other;

static int held_create(int folder, const char *name, size_t size)
{
    bool other = !pthread_equal(pthread_self(), main_thread);
    __atomic_add_fetch(other ? &made_by_other : &made_by_main, 1, __ATOMIC_SEQ_CST);
    if (other && hold) {
        (void)sem_post(&begun);
        (void)sem_wait(&go);
    }
    return trail_quick.create(folder, name, size);
}

static int no_create(int folder sk_unused, const char *name sk_unused, size_t size sk_unused)
{
    return -ENOSPC;
}

static struct sk_disk held(void)
{
    struct sk_disk disk = trail_quick;
    disk.create = held_create;
    main_thread = pthread_self();
    (void)sem_init(&go, 0, 0);
    (void)sem_init(&begun, 0, 0);
    return disk;
}

static void *prepare(void *writer)
{
    sk_writer_prepare(writer);
    return NULL;
}

static void fill_file(struct trail *t)
{
    uint64_t last = trail_last(t);
    for (int i = 0; trail_last(t) == last; i++) {
        cr_assert_lt(i, 40);
        for (int j = 0; j < 8; j++) {
            cr_assert_eq(trail_add_long(t, 450), 0);
        }
        cr_assert_eq(trail_commit(t), 0);
    }
}

Test(audit_spare, the_next_file_is_made_while_records_are_written)
{
    struct trail t;
    struct sk_disk disk = held();
    trail_init(&t, &disk, TRAIL_FILE);
    cr_assert_eq(trail_open(&t), 0);
    pthread_t thread;
    bool running = false;
    for (int i = 0; i < 150; i++) {
        cr_assert_eq(trail_add(&t, SK_AUDIT_STAGE_SINGLE, 0), 0);
        cr_assert_eq(trail_add_long(&t, 450), 0);
        int r = trail_commit(&t);
        cr_assert(r == 0 || r == -EAGAIN, "%d", r);
        if (sk_writer_claim_prepare(t.writer)) {
            cr_assert(!running || pthread_join(thread, NULL) == 0);
            cr_assert_eq(pthread_create(&thread, NULL, prepare, t.writer), 0);
            running = true;
        }
        if (i % 8 == 7 && running) {
            cr_assert_eq(pthread_join(thread, NULL), 0);
            running = false;
        }
    }
    cr_assert(!running || pthread_join(thread, NULL) == 0);
    cr_assert_eq(trail_commit(&t), 0);
    cr_assert_gt(t.count, 200);
    trail_check(&t, "with a thread", 0);
    cr_assert_gt(t.files, 3);
    cr_assert_gt(made_by_other, 2);
    cr_assert_eq(made_by_main, 1, "the first file alone is made while somebody waits");
    trail_free(&t);
}

Test(audit_spare, it_is_claimed_once_and_again_when_it_was_used)
{
    struct trail t;
    trail_init(&t, &trail_quick, TRAIL_FILE);
    cr_assert_eq(trail_open(&t), 0);
    cr_assert_not(sk_writer_claim_prepare(t.writer), "the file is new");
    for (int i = 0; i < 4; i++) {
        cr_assert_eq(trail_add_long(&t, 450), 0);
        cr_assert_eq(trail_commit(&t), 0);
    }
    cr_assert(sk_writer_claim_prepare(t.writer));
    cr_assert_not(sk_writer_claim_prepare(t.writer), "one thread at a time");
    sk_writer_prepare(t.writer);
    cr_assert(trail_has(&t, "spare"));
    cr_assert_not(sk_writer_claim_prepare(t.writer), "there is one");
    fill_file(&t);
    cr_assert_not(trail_has(&t, "spare"), "it was used");
    for (int i = 0; i < 4; i++) {
        cr_assert_eq(trail_add_long(&t, 450), 0);
        cr_assert_eq(trail_commit(&t), 0);
    }
    cr_assert(sk_writer_claim_prepare(t.writer));
    sk_writer_prepare(t.writer);
    trail_check(&t, "claimed", 0);
    trail_free(&t);
}

Test(audit_spare, one_that_could_not_be_made_is_claimed_again)
{
    struct trail t;
    struct sk_disk disk = trail_quick;
    trail_init(&t, &disk, TRAIL_FILE);
    cr_assert_eq(trail_open(&t), 0);
    for (int i = 0; i < 6; i++) {
        cr_assert_eq(trail_add_long(&t, 450), 0);
        cr_assert_eq(trail_commit(&t), 0);
    }
    disk.create = no_create;
    cr_assert(sk_writer_claim_prepare(t.writer));
    sk_writer_prepare(t.writer);
    cr_assert(sk_writer_claim_prepare(t.writer));
    disk.create = trail_quick.create;
    sk_writer_prepare(t.writer);
    fill_file(&t);
    trail_check(&t, "made at last", 0);
    trail_free(&t);
}

/* A slow disk takes long to write the zeros. The current file is sound: nobody is refused for it. */
Test(audit_spare, records_are_taken_while_the_next_file_is_not_ready)
{
    struct trail t;
    struct sk_disk disk = held();
    pthread_t thread;
    trail_init(&t, &disk, TRAIL_FILE);
    cr_assert_eq(trail_open(&t), 0);
    hold = true;
    int refused = 0;
    bool running = false;
    for (int i = 0; i < 40; i++) {
        cr_assert_eq(trail_add(&t, SK_AUDIT_STAGE_SINGLE, 0), 0);
        refused += trail_commit(&t) != 0;
        if (!running && sk_writer_claim_prepare(t.writer)) {
            cr_assert_eq(pthread_create(&thread, NULL, prepare, t.writer), 0);
            (void)sem_wait(&begun);
            running = true;
        }
    }
    hold = false;
    (void)sem_post(&go);
    cr_assert(running && pthread_join(thread, NULL) == 0);
    cr_assert_eq(trail_add(&t, SK_AUDIT_STAGE_SINGLE, 0), 0);
    cr_assert_eq(trail_commit(&t), 0);
    trail_check(&t, "late", 0);
    cr_expect_eq(refused, 0, "%d commits were refused", refused);
    trail_free(&t);
}

Test(audit_spare, a_spare_that_a_start_finds_is_made_anew)
{
    struct trail t;
    trail_init(&t, &trail_quick, TRAIL_FILE);
    cr_assert_eq(trail_open(&t), 0);
    for (int i = 0; i < 6; i++) {
        cr_assert_eq(trail_add_long(&t, 450), 0);
        cr_assert_eq(trail_commit(&t), 0);
    }
    trail_spare(&t);
    cr_assert(trail_has(&t, "spare"));
    trail_kill(&t);
    cr_assert_eq(trail_open(&t), 0);
    cr_assert_not(trail_has(&t, "spare"));
    fill_file(&t);
    trail_check(&t, "anew", 0);
    trail_free(&t);
}
