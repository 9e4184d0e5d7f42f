/* The record ring. Producers: worker, auth. Consumer: audit. */
#include "ipc/ring.h"

#include "ipc/channel.h"

#include <errno.h>
#include <fcntl.h>
#include <sys/mman.h>
#include <sys/socket.h>
#include <unistd.h>

#define MASK (SK_RING_SIZE - 1)
#define LINE 64

/* Positions only grow; an entry is a 32-bit length, the bytes, and a pad to 8. */
struct sk_ring_shared {
    _Alignas(LINE) _Atomic uint64_t put; /* producer's */
    _Alignas(LINE) _Atomic uint64_t got; /* consumer's from here on */
    _Atomic uint64_t durable;
    _Atomic uint32_t working; /* zero at first: a ring nobody serves yet takes no records in vain */
    _Alignas(LINE) _Atomic uint32_t asleep; /* consumer sets, producer clears */
    _Alignas(LINE) uint8_t data[SK_RING_SIZE];
};

int sk_ring_make(int fds[3])
{
    fds[0] = memfd_create("ring", MFD_CLOEXEC | MFD_ALLOW_SEALING);
    fds[1] = fds[2] = -1;
    int paired = socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0, fds + 1);
    for (int i = 1; paired == 0 && i < 3; i++) {
        sk_channel_refuse_descriptors(fds[i]);
    }
    /* Sealed in size: a producer that shrank the memory would kill the consumer that touches it. */
    if (fds[0] >= 0 && paired == 0 && ftruncate(fds[0], (off_t)sizeof(struct sk_ring_shared)) == 0 &&
            fcntl(fds[0], F_ADD_SEALS, F_SEAL_SHRINK | F_SEAL_GROW | F_SEAL_SEAL) == 0) {
        return 0;
    }
    int r = -errno;
    for (int i = 0; i < 3; i++) {
        if (fds[i] >= 0) {
            (void)close(fds[i]);
        }
    }
    return r;
}

int sk_ring_open(struct sk_ring *ring, const int fds[2])
{
    void *memory = mmap(NULL, sizeof(struct sk_ring_shared), PROT_READ | PROT_WRITE, MAP_SHARED, fds[0], 0);
    int error = errno;
    (void)close(fds[0]);
    if (memory == MAP_FAILED) {
        (void)close(fds[1]);
        return -error;
    }
    *ring = (struct sk_ring){.shared = memory, .wake = fds[1]};
    return 0;
}

void sk_ring_close(struct sk_ring *ring)
{
    if (ring->shared) {
        (void)munmap(ring->shared, sizeof(*ring->shared));
        (void)close(ring->wake);
    }
    *ring = SK_RING_NULL;
}

static void copy_in(struct sk_ring_shared *shared, uint64_t at, const void *from, size_t len)
{
    size_t start = at & MASK;
    size_t first = len < SK_RING_SIZE - start ? len : SK_RING_SIZE - start;
    memcpy(shared->data + start, from, first);
    memcpy(shared->data, (const uint8_t *)from + first, len - first);
}

static void copy_out(const struct sk_ring_shared *shared, uint64_t at, void *to, size_t len)
{
    size_t start = at & MASK;
    size_t first = len < SK_RING_SIZE - start ? len : SK_RING_SIZE - start;
    memcpy(to, shared->data + start, first);
    memcpy((uint8_t *)to + first, shared->data, len - first);
}

int sk_ring_put(struct sk_ring *ring, struct sk_slice entry)
{
    if (entry.len == 0 || entry.len > SK_RING_ENTRY_MAX) {
        return -EMSGSIZE;
    }
    uint32_t len = (uint32_t)entry.len;
    uint64_t need = (sizeof(len) + entry.len + 7) & ~UINT64_C(7);
    uint64_t got = atomic_load_explicit(&ring->shared->got, memory_order_acquire);
    uint64_t used = ring->at - got;
    if (used > SK_RING_SIZE || need > SK_RING_SIZE - used) {
        return 1;
    }
    copy_in(ring->shared, ring->at, &len, sizeof(len));
    copy_in(ring->shared, ring->at + sizeof(len), entry.data, entry.len);
    ring->at += need;
    ring->count++;
    atomic_store_explicit(&ring->shared->put, ring->at, memory_order_seq_cst);
    return 0;
}

/* The other side's socket may be full: then it has been told. */
static void wake(const struct sk_ring *ring)
{
    (void)!send(ring->wake, "", 1, MSG_DONTWAIT | MSG_NOSIGNAL);
}

void sk_ring_ring(struct sk_ring *ring)
{
    if (atomic_load_explicit(&ring->shared->asleep, memory_order_seq_cst) &&
            atomic_exchange_explicit(&ring->shared->asleep, 0, memory_order_seq_cst)) {
        wake(ring);
    }
}

uint64_t sk_ring_durable(const struct sk_ring *ring)
{
    return atomic_load_explicit(&ring->shared->durable, memory_order_acquire);
}

bool sk_ring_failed(const struct sk_ring *ring)
{
    return atomic_load_explicit(&ring->shared->working, memory_order_acquire) == 0;
}

int sk_ring_get(struct sk_ring *ring, uint8_t *out)
{
    uint64_t put = atomic_load_explicit(&ring->shared->put, memory_order_acquire);
    uint64_t there = put - ring->at;
    uint32_t len;
    if (there == 0) {
        return 0;
    }
    if (there > SK_RING_SIZE || there < sizeof(len)) {
        return -EPROTO;
    }
    /* Read once, for the compiler too: a second look at shared memory could see another length than was checked. */
    len = *(const volatile uint32_t *)(const void *)(ring->shared->data + (ring->at & MASK));
    uint64_t need = (sizeof(len) + (uint64_t)len + 7) & ~UINT64_C(7);
    if (len == 0 || len > SK_RING_ENTRY_MAX || need > there) {
        return -EPROTO;
    }
    copy_out(ring->shared, ring->at + sizeof(len), out, len);
    ring->at += need;
    atomic_store_explicit(&ring->shared->got, ring->at, memory_order_release);
    return (int)len;
}

bool sk_ring_sleep(struct sk_ring *ring)
{
    atomic_store_explicit(&ring->shared->asleep, 1, memory_order_seq_cst);
    return atomic_load_explicit(&ring->shared->put, memory_order_seq_cst) != ring->at;
}

void sk_ring_acknowledge(struct sk_ring *ring, uint64_t count, bool failed)
{
    atomic_store_explicit(&ring->shared->working, !failed, memory_order_release);
    atomic_store_explicit(&ring->shared->durable, count, memory_order_release);
    wake(ring);
}

bool sk_ring_woken(const struct sk_ring *ring)
{
    uint8_t bytes[64];
    ssize_t n = recv(ring->wake, bytes, sizeof(bytes), MSG_DONTWAIT);
    return n > 0 || (n < 0 && (errno == EAGAIN || errno == EINTR));
}
