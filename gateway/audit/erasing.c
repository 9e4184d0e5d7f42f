/* Erasing the journal's keys. Runs in audit alone. */
#include "audit/writing.h"

#include "base/clock.h"

#include <errno.h>

/* What was derived from a key that is no more goes with it. */
static void forget(struct sk_writer *w)
{
    for (struct sk_table_node *n = sk_table_walk(&w->state.tenants, NULL); n; n = sk_table_walk(&w->state.tenants, n)) {
        struct sk_journal_tenant *tenant = SK_CONTAINER(n, struct sk_journal_tenant, node);
        if (tenant->sealing.sealer && sk_keys_gone(w->keys, tenant->id, tenant->sealing.day)) {
            sk_sealing_free(&tenant->sealing);
        }
    }
}

int sk_writer_erase_again(struct sk_writer *w)
{
    int r = w->unerased ? w->set.disk->write(w->keys_fd, sk_slice(w->erasing.slot, SK_KEYS_SLOT), (off_t)w->erasing.at) : 0;
    w->unerased = w->unerased && r;
    return r;
}

/* Keys that are kept or copied are on disk before one is erased. */
static int begin(struct sk_writer *w)
{
    return w->unerased ? -EAGAIN : writer_put_slots(w);
}

/* What is added and not written yet may be sealed with what is erased. */
static struct sk_keys_time now(const struct sk_writer *w)
{
    return (struct sk_keys_time){sk_clock_wall(), w->state.group + (w->count > 0)};
}

static int erased(struct sk_writer *w)
{
    w->unerased = true;
    forget(w);
    return sk_writer_erase_again(w);
}

int sk_writer_erase_day(struct sk_writer *w, const uint8_t service[SK_ID_SIZE], uint32_t day)
{
    int r = begin(w);
    return r ? r : sk_keys_erase_day(w->keys, service, day, now(w), &w->erasing) ? 1 : erased(w);
}

int sk_writer_erase_tenant(struct sk_writer *w, const uint8_t tenant[SK_ID_SIZE])
{
    int r = begin(w);
    return r ? r : sk_keys_erase_tenant(w->keys, tenant, now(w), &w->erasing) ? 1 : erased(w);
}

int sk_writer_release(struct sk_writer *w, const uint8_t tenant[SK_ID_SIZE], uint32_t day)
{
    int r = begin(w);
    return r ? r : sk_keys_release(w->keys, tenant, day, now(w), &w->erasing) ? 1 : erased(w);
}

int sk_writer_erase_copy(struct sk_writer *w, const uint8_t tenant[SK_ID_SIZE])
{
    int r = begin(w);
    return r ? r : sk_keys_erase_copy(w->keys, tenant, now(w), &w->erasing) ? 1 : erased(w);
}

int sk_writer_hold(struct sk_writer *w, const uint8_t tenant[SK_ID_SIZE], uint32_t day)
{
    int r = sk_keys_hold(w->keys, tenant, day, &w->slots);
    if (sk_buf_len(&w->slots) >= WRITER_GROUP_FULL) {
        (void)!writer_put_slots(w); /* else before the next group */
    }
    return r;
}

int sk_writer_copy(struct sk_writer *w, const uint8_t tenant[SK_ID_SIZE], const struct sk_wrap_key *recovery, uint64_t due)
{
    return sk_keys_copy(w->keys, tenant, recovery, due, &w->slots);
}

int sk_writer_say(struct sk_writer *w, enum sk_keys_said what, const uint8_t id[SK_ID_SIZE], uint32_t value)
{
    return sk_keys_say(w->keys, what, id, value, &w->slots);
}

uint64_t sk_writer_erased(const struct sk_writer *w)
{
    return sk_keys_count_erased(w->keys) - w->unerased;
}

const struct sk_keys *sk_writer_keys(const struct sk_writer *w)
{
    return w->keys;
}

void sk_writer_set_first(struct sk_writer *w, uint64_t file)
{
    w->first = file;
}
