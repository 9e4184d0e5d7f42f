/* gateway/ipc/ring.c between two threads and two processes, and against a producer that lies. */
#include "ipc/ring.h"

#include <criterion/criterion.h>
#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <pthread.h>
#include <sys/mman.h>
#include <sys/socket.h>
#include <sys/wait.h>
#include <unistd.h>

struct both {
    struct sk_ring producer, consumer;
    uint8_t *memory; /* a third mapping: what a hostile producer can do */
    size_t size, data; /* where the entries begin */
};

#define PUT_AT 0 /* the producer's position is the first member */

static struct both open_both(void)
{
    struct both both;
    int fds[3];
    cr_assert_eq(sk_ring_make(fds), 0);
    const int consumer[] = {dup(fds[0]), fds[1]}, producer[] = {fds[0], fds[2]};
    both.size = (size_t)lseek(fds[0], 0, SEEK_END);
    both.memory = mmap(NULL, both.size, PROT_READ | PROT_WRITE, MAP_SHARED, fds[0], 0);
    cr_assert_neq(both.memory, MAP_FAILED);
    both.data = both.size - SK_RING_SIZE;
    cr_assert_eq(sk_ring_open(&both.producer, producer), 0);
    cr_assert_eq(sk_ring_open(&both.consumer, consumer), 0);
    return both;
}

static void close_both(struct both *both)
{
    sk_ring_close(&both->producer);
    sk_ring_close(&both->consumer);
    (void)munmap(both->memory, both->size);
}

static void set_put(struct both *both, uint64_t put)
{
    __atomic_store_n((uint64_t *)(void *)(both->memory + PUT_AT), put, __ATOMIC_SEQ_CST);
}

/* Entry `number`: its length and every byte follow from the number. */
static size_t make_entry(uint64_t number, uint8_t *out)
{
    size_t len = 8 + (number * 2654435761U >> 7) % (SK_RING_ENTRY_MAX - 7);
    memset(out, (int)(number & 0xff), len);
    memcpy(out, &number, sizeof(number));
    return len;
}

static bool is_entry(uint64_t number, const uint8_t *bytes, int len)
{
    uint8_t want[SK_RING_ENTRY_MAX];
    size_t want_len = make_entry(number, want);
    return len > 0 && (size_t)len == want_len && memcmp(bytes, want, want_len) == 0;
}

static bool readable(int fd, int milliseconds)
{
    struct pollfd p = {.fd = fd, .events = POLLIN};
    return poll(&p, 1, milliseconds) == 1;
}

Test(ipc_ring, entries_come_out_whole_and_in_order_through_many_turns)
{
    struct both both = open_both();
    uint8_t entry[SK_RING_ENTRY_MAX];
    uint64_t put = 0, got = 0;
    while (got < 20000) {
        while (sk_ring_put(&both.producer, sk_slice(entry, make_entry(put, entry))) == 0) {
            put++;
        }
        cr_assert_gt(put, got + 500);
        for (uint64_t part = (put - got) / 2 + 1; part > 0; part--) {
            int len = sk_ring_get(&both.consumer, entry);
            cr_assert(is_entry(got, entry, len), "entry %lu", (unsigned long)got);
            got++;
        }
    }
    cr_assert_eq(both.producer.count, put);
    close_both(&both);
}

Test(ipc_ring, a_full_ring_takes_no_more_until_something_is_taken)
{
    struct both both = open_both();
    uint8_t entry[SK_RING_ENTRY_MAX] = {1};
    size_t count = 0;
    while (sk_ring_put(&both.producer, sk_slice(entry, 4)) == 0) {
        count++;
    }
    cr_assert_eq(count, SK_RING_SIZE / 8, "every byte is used");
    cr_assert_eq(sk_ring_put(&both.producer, sk_slice(entry, 1)), 1);
    cr_assert_eq(both.producer.count, count);
    cr_assert_eq(sk_ring_get(&both.consumer, entry), 4);
    cr_assert_eq(sk_ring_put(&both.producer, sk_slice(entry, 5)), 1, "eight bytes are free, not sixteen");
    cr_assert_eq(sk_ring_put(&both.producer, sk_slice(entry, 4)), 0);
    for (size_t i = 0; i < count; i++) {
        cr_assert_eq(sk_ring_get(&both.consumer, entry), 4);
    }
    cr_assert_eq(sk_ring_get(&both.consumer, entry), 0);
    close_both(&both);
}

Test(ipc_ring, the_longest_entry_fits)
{
    struct both both = open_both();
    uint8_t entry[SK_RING_ENTRY_MAX], out[SK_RING_ENTRY_MAX];
    memset(entry, 7, sizeof(entry));
    cr_assert_eq(sk_ring_put(&both.producer, sk_slice(entry, sizeof(entry))), 0);
    cr_assert_eq(sk_ring_get(&both.consumer, out), (int)sizeof(out));
    cr_assert_eq(memcmp(entry, out, sizeof(out)), 0);
    close_both(&both);
}

/* A caller that waits for room would wait for ever; an empty entry would end the ring at its other side. */
Test(ipc_ring, an_entry_that_can_never_go_is_an_error_and_no_full_ring)
{
    struct both both = open_both();
    static uint8_t entry[SK_RING_ENTRY_MAX + 1];
    uint8_t out[SK_RING_ENTRY_MAX];
    cr_expect_lt(sk_ring_put(&both.producer, sk_slice(entry, sizeof(entry))), 0);
    cr_expect_lt(sk_ring_put(&both.producer, sk_slice(entry, 0)), 0);
    cr_expect_lt(sk_ring_put(&both.producer, SK_SLICE_NULL), 0);
    cr_expect_lt(sk_ring_put(&both.producer, sk_slice(entry, SIZE_MAX)), 0);
    cr_expect_eq(both.producer.count, 0);
    cr_expect_eq(sk_ring_get(&both.consumer, out), 0);
    close_both(&both);
}

struct stream {
    struct sk_ring ring;
    uint64_t entries;
};

static void *produce(void *argument)
{
    struct stream *stream = argument;
    uint8_t entry[SK_RING_ENTRY_MAX];
    for (uint64_t i = 0; i < stream->entries; i++) {
        size_t len = make_entry(i, entry);
        while (sk_ring_put(&stream->ring, sk_slice(entry, len)) == 1) {
            sk_ring_ring(&stream->ring);
            (void)readable(stream->ring.wake, 1);
            cr_assert(sk_ring_woken(&stream->ring));
        }
        sk_ring_ring(&stream->ring);
    }
    return NULL;
}

/* Sleeps as the audit program does; a lost wake-up is seen as a wait that does not end. */
static void consume(struct sk_ring *ring, uint64_t entries)
{
    uint8_t entry[SK_RING_ENTRY_MAX];
    for (uint64_t got = 0; got < entries;) {
        int len = sk_ring_get(ring, entry);
        cr_assert_geq(len, 0);
        if (len > 0) {
            cr_assert(is_entry(got, entry, len), "entry %lu", (unsigned long)got);
            got++;
        } else {
            sk_ring_acknowledge(ring, got, false);
            if (!sk_ring_sleep(ring)) {
                cr_assert(readable(ring->wake, 10000), "woken for entry %lu", (unsigned long)got);
                cr_assert(sk_ring_woken(ring));
            }
        }
    }
    sk_ring_acknowledge(ring, entries, false);
}

Test(ipc_ring, two_threads_pass_every_entry_and_no_wake_up_is_lost)
{
    struct both both = open_both();
    struct stream stream = {both.producer, 30000};
    pthread_t thread;
    cr_assert_eq(pthread_create(&thread, NULL, produce, &stream), 0);
    consume(&both.consumer, stream.entries);
    cr_assert_eq(pthread_join(thread, NULL), 0);
    cr_assert_eq(sk_ring_durable(&stream.ring), stream.entries);
    cr_assert_eq(stream.ring.count, stream.entries);
    close_both(&both);
}

Test(ipc_ring, two_processes_pass_every_entry)
{
    struct both both = open_both();
    pid_t child = fork();
    cr_assert_geq(child, 0);
    if (child == 0) {
        struct stream stream = {both.producer, 20000};
        (void)produce(&stream);
        _exit(0);
    }
    consume(&both.consumer, 20000);
    int status;
    cr_assert_eq(waitpid(child, &status, 0), child);
    cr_assert_eq(status, 0);
    cr_assert_eq(sk_ring_durable(&both.producer), 20000);
    close_both(&both);
}

Test(ipc_ring, a_producer_that_dies_leaves_whole_entries)
{
    struct both both = open_both();
    uint8_t entry[SK_RING_ENTRY_MAX];
    pid_t child = fork();
    cr_assert_geq(child, 0);
    if (child == 0) {
        for (uint64_t i = 0; i < 10; i++) {
            (void)!sk_ring_put(&both.producer, sk_slice(entry, make_entry(i, entry)));
        }
        /* The eleventh is half written: its bytes are there, its position is not. */
        memset(both.memory + both.data + 100000, 0xff, 4000);
        (void)raise(SIGKILL);
    }
    int status;
    cr_assert_eq(waitpid(child, &status, 0), child);
    for (uint64_t i = 0; i < 10; i++) {
        int len = sk_ring_get(&both.consumer, entry);
        cr_assert(is_entry(i, entry, len));
    }
    cr_assert_eq(sk_ring_get(&both.consumer, entry), 0);
    close_both(&both);
}

Test(ipc_ring, a_position_that_cannot_be_ends_the_ring)
{
    static const uint64_t puts[] = {1, 2, 3, 4, 7, 8, 16, SK_RING_SIZE, SK_RING_SIZE + 1, SK_RING_SIZE + 8, UINT64_C(1) << 32, UINT64_C(1) << 63,
            UINT64_MAX, UINT64_MAX - 7};
    struct both both = open_both();
    uint8_t entry[SK_RING_ENTRY_MAX];
    for (size_t i = 0; i < sizeof(puts) / sizeof(puts[0]); i++) {
        set_put(&both, puts[i]);
        cr_assert_eq(sk_ring_get(&both.consumer, entry), -EPROTO, "%lx", (unsigned long)puts[i]);
        cr_assert_eq(both.consumer.at, 0);
    }
    set_put(&both, 0);
    cr_assert_eq(sk_ring_get(&both.consumer, entry), 0);
    close_both(&both);
}

Test(ipc_ring, a_position_that_goes_back_ends_the_ring)
{
    struct both both = open_both();
    uint8_t entry[SK_RING_ENTRY_MAX] = {1};
    cr_assert_eq(sk_ring_put(&both.producer, sk_slice(entry, 100)), 0);
    cr_assert_eq(sk_ring_get(&both.consumer, entry), 100);
    set_put(&both, 8);
    cr_assert_eq(sk_ring_get(&both.consumer, entry), -EPROTO);
    close_both(&both);
}

static void expect_length_refused(struct both *both, uint64_t start, uint32_t len, uint64_t there)
{
    uint8_t *out = malloc(SK_RING_ENTRY_MAX);
    cr_assert_not_null(out);
    memcpy(both->memory + both->data + start % SK_RING_SIZE, &len, sizeof(len));
    set_put(both, start + there);
    cr_assert_eq(sk_ring_get(&both->consumer, out), -EPROTO, "length %u of %lu at %lu", len, (unsigned long)there, (unsigned long)start);
    free(out);
}

Test(ipc_ring, a_length_that_cannot_be_ends_the_ring_at_every_place_of_the_ring)
{
    static const uint32_t lengths[] = {0, SK_RING_ENTRY_MAX + 1, 1U << 20, 1U << 22, 1U << 31, UINT32_MAX - 10, UINT32_MAX - 3, UINT32_MAX};
    struct both both = open_both();
    uint8_t entry[SK_RING_ENTRY_MAX] = {1};
    /* Entries of 1020 bytes take 1024: the last ones lie at the ring's end. */
    for (uint64_t start = 0; start < SK_RING_SIZE + 4096; start += 1024) {
        for (size_t i = 0; i < sizeof(lengths) / sizeof(lengths[0]); i++) {
            expect_length_refused(&both, start, lengths[i], SK_RING_SIZE);
        }
        expect_length_refused(&both, start, 1020, 1016);
        expect_length_refused(&both, start, 5, 8);
        set_put(&both, start);
        cr_assert_eq(sk_ring_put(&both.producer, sk_slice(entry, 1020)), 0);
        cr_assert_eq(sk_ring_get(&both.consumer, entry), 1020);
    }
    close_both(&both);
}

Test(ipc_ring, a_consumer_position_that_cannot_be_stops_the_producer)
{
    struct both both = open_both();
    uint8_t entry[8] = {1};
    uint64_t *got = (uint64_t *)(void *)(both.memory + 64);
    cr_assert_eq(sk_ring_put(&both.producer, sk_slice(entry, sizeof(entry))), 0);
    *got = 4096;
    cr_assert_eq(sk_ring_put(&both.producer, sk_slice(entry, sizeof(entry))), 1);
    *got = UINT64_MAX;
    cr_assert_eq(sk_ring_put(&both.producer, sk_slice(entry, sizeof(entry))), 0);
    close_both(&both);
}

Test(ipc_ring, the_consumer_is_woken_only_when_it_sleeps)
{
    struct both both = open_both();
    uint8_t entry[SK_RING_ENTRY_MAX] = {1};
    cr_assert_eq(sk_ring_put(&both.producer, sk_slice(entry, 1)), 0);
    sk_ring_ring(&both.producer);
    cr_assert_not(readable(both.consumer.wake, 0));
    cr_assert(sk_ring_sleep(&both.consumer), "there is an entry");
    cr_assert_eq(sk_ring_get(&both.consumer, entry), 1);
    cr_assert_not(sk_ring_sleep(&both.consumer));
    sk_ring_ring(&both.producer);
    cr_assert(readable(both.consumer.wake, 0));
    cr_assert(sk_ring_woken(&both.consumer));
    cr_assert_not(readable(both.consumer.wake, 0));
    sk_ring_ring(&both.producer);
    cr_assert_not(readable(both.consumer.wake, 0), "once for one sleep");
    close_both(&both);
}

Test(ipc_ring, what_is_durable_and_whether_writing_works_reach_the_producer)
{
    struct both both = open_both();
    cr_assert_eq(sk_ring_durable(&both.producer), 0);
    cr_assert(sk_ring_failed(&both.producer), "nobody serves it yet");
    cr_assert_not(readable(both.producer.wake, 0));
    sk_ring_acknowledge(&both.consumer, 5, true);
    cr_assert(readable(both.producer.wake, 0));
    cr_assert(sk_ring_woken(&both.producer));
    cr_assert_not(readable(both.producer.wake, 0));
    cr_assert_eq(sk_ring_durable(&both.producer), 5);
    cr_assert(sk_ring_failed(&both.producer));
    sk_ring_acknowledge(&both.consumer, 6, false);
    cr_assert_eq(sk_ring_durable(&both.producer), 6);
    cr_assert_not(sk_ring_failed(&both.producer));
    close_both(&both);
}

/* What the producer does to its own end is its own affair. */
Test(ipc_ring, neither_side_can_make_the_other_wait_or_spin, .timeout = 20)
{
    struct both both = open_both();
    struct sk_ring *sides[] = {&both.producer, &both.consumer};
    static uint8_t junk[4096];
    uint8_t entry[8] = {1};
    for (size_t i = 0; i < 2; i++) {
        cr_assert_eq(fcntl(sides[i]->wake, F_SETFL, 0), 0);
        while (send(sides[i]->wake, junk, sizeof(junk), MSG_DONTWAIT) > 0) {
        }
    }
    cr_assert_not(sk_ring_sleep(&both.consumer));
    cr_assert_eq(sk_ring_put(&both.producer, sk_slice(entry, sizeof(entry))), 0);
    sk_ring_ring(&both.producer);
    for (int i = 0; i < 100; i++) {
        sk_ring_acknowledge(&both.consumer, 1, false);
    }
    for (size_t i = 0; i < 2; i++) {
        for (int n = 0; readable(sides[i]->wake, 0); n++) {
            cr_assert(sk_ring_woken(sides[i]) && n < 100000);
        }
        cr_assert(sk_ring_woken(sides[i]), "nothing there is not the end");
    }
    sk_ring_close(&both.producer);
    cr_assert_not(sk_ring_woken(&both.consumer), "this descriptor stays readable for ever");
    sk_ring_acknowledge(&both.consumer, 2, false);
    close_both(&both);
}

/* Touching memory that was cut off would kill the audit program. */
Test(ipc_ring, nobody_can_resize_the_memory)
{
    int fds[3];
    struct sk_ring ring;
    cr_assert_eq(sk_ring_make(fds), 0);
    int memory = dup(fds[0]);
    (void)close(fds[2]);
    cr_assert_eq(sk_ring_open(&ring, fds), 0);
    cr_assert_eq(ftruncate(memory, 4096), -1);
    cr_assert_eq(ftruncate(memory, 64 << 20), -1);
    (void)close(memory);
    sk_ring_close(&ring);
    sk_ring_close(&ring);
}

Test(ipc_ring, descriptors_that_are_no_ring_are_closed)
{
    struct sk_ring ring;
    int fds[3];
    cr_assert_eq(pipe(fds), 0);
    cr_assert_lt(sk_ring_open(&ring, fds), 0);
    for (int i = 0; i < 2; i++) {
        cr_assert_eq(close(fds[i]), -1);
    }
}
