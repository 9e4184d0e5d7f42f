/* The journal's writer. Runs in audit alone. */
#include "audit/writing.h"

#include "base/clock.h"
#include "ipc/signer.h"
#include "journal/record.h"

#include <endian.h>
#include <errno.h>
#include <fcntl.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/stat.h>
#include <unistd.h>

#define SOON (600 * SK_SECOND)

/* Time-ordered: 48 bits of milliseconds, then a count, then chance. */
static void make_id(struct sk_writer *w, uint64_t wall, uint8_t id[SK_ID_SIZE])
{
    uint64_t ms = wall / SK_MILLISECOND;
    static uint8_t chance[6];
    if (w->id_count++ % 65536 == 0) {
        sk_random(chance, sizeof(chance));
    }
    for (int i = 0; i < 6; i++) {
        id[i] = (uint8_t)(ms >> (40 - 8 * i));
    }
    for (int i = 0; i < 4; i++) {
        id[6 + i] = (uint8_t)(w->id_count >> (24 - 8 * i));
    }
    memcpy(id + 10, chance, sizeof(chance));
}

int writer_put_slots(struct sk_writer *w)
{
    struct sk_slice slots = sk_buf_peek(&w->slots);
    int r = slots.len ? w->set.disk->write(w->keys_fd, slots, (off_t)w->keys_at) : 0;
    if (r == 0) {
        w->keys_at += slots.len;
        sk_buf_take(&w->slots, slots.len);
    }
    return r;
}

int sk_writer_tenant(struct sk_writer *w, const uint8_t id[SK_ID_SIZE], const uint8_t *service, uint64_t until)
{
    struct sk_journal_tenant *tenant = sk_journal_tenant(&w->state, id);
    int r = !tenant ? -ENOMEM : service ? sk_keys_need_tenant(w->keys, id, service, &w->slots) : 0;
    if (r == 0) {
        tenant->until = until;
        if (sk_buf_len(&w->slots) >= WRITER_GROUP_FULL) {
            (void)!writer_put_slots(w); /* else before the next group */
        }
    }
    return r;
}

/*
 * It goes with the clock, but back only with one that went as time does, or that has been elsewhere for an hour: what was set back for a moment makes nothing
 * older than it is, and what was ahead for a moment is as if it had not been.
 */
static uint32_t day_of(struct sk_writer *w)
{
    uint64_t wall = sk_clock_wall(), boot = sk_clock_boot(), expected = w->clock.wall + (boot - w->clock.boot);
    uint64_t off = wall > expected ? wall - expected : expected - wall;
    uint32_t today = (uint32_t)(wall / SK_DAY);
    w->elsewhere = off < SK_WRITER_DOUBT ? 0 : w->elsewhere ? w->elsewhere : boot;
    if (!w->elsewhere || boot - w->elsewhere >= SK_WRITER_DOUBT) {
        w->clock.wall = wall;
        w->clock.boot = boot;
        w->elsewhere = 0;
        return today;
    }
    return today < w->day ? w->day : today;
}

/*
 * What is recorded on a day is erased with it. A day has files of its own: the next one's records are sealed for it from where its first file begins. No
 * record waits for that, and a full disk keeps none out: until there is another file, they are sealed for the day of the one that there is.
 */
void writer_begin_day(struct sk_writer *w, bool now)
{
    uint32_t before = w->day, today = day_of(w);
    if (today == before) {
        return;
    }
    w->turn = w->records_in_file;
    if (!w->turn || now || atomic_load(&w->spare_state) == 2) {
        w->day = today;
        w->day = w->turn && writer_next_file(w, true) ? before : today;
    }
}

/* The keys are there to seal the tenant's next record with. */
static int ready(struct sk_writer *w, struct sk_journal_tenant *tenant)
{
    static const uint8_t operators[SK_ID_SIZE];
    if (w->count == 0) {
        writer_begin_day(w, false);
    }
    int r = sk_sealing_set(&tenant->sealing, w->keys, tenant->id, w->day, w->run);
    if (r <= 0) {
        return r;
    }
    r = sk_keys_need_tenant(w->keys, tenant->id, operators, &w->slots);
    r = r ? r : sk_keys_need_day(w->keys, tenant->id, w->day, &w->slots);
    r = r ? r : sk_sealing_set(&tenant->sealing, w->keys, tenant->id, w->day, w->run);
    return r ? -ENOMEM : 0;
}

/* What a process says is not believed, and may cost no more than so much. */
int sk_writer_may_add(const struct sk_writer *w, const struct sk_audit_record *record, unsigned owner)
{
    const struct sk_journal_tenant *tenant = sk_journal_find_tenant(&w->state, record->tenant);
    bool opens = record->stage == SK_AUDIT_STAGE_INTENT || record->stage == SK_AUDIT_STAGE_START;
    if (owner && (!tenant || tenant->until < sk_clock_boot())) {
        return 2;
    }
    return owner && opens && w->state.owned[owner] >= SK_WRITER_OPENS_MAX ? 3 : 0;
}

int writer_put_leaf(struct sk_writer *w, const uint8_t tenant[SK_ID_SIZE], uint64_t seq, const uint8_t leaf[SK_TREE_HASH])
{
    uint64_t place = htole64(seq);
    char *to = w->set.stands ? sk_buf_reserve(&w->leaves, SK_SIGNER_LEAF) : NULL;
    if (!to) {
        return w->set.stands ? -ENOMEM : 0;
    }
    memcpy(to, tenant, SK_ID_SIZE);
    memcpy(to + SK_ID_SIZE, &place, sizeof(place));
    memcpy(to + SK_ID_SIZE + sizeof(place), leaf, SK_TREE_HASH);
    sk_buf_commit(&w->leaves, SK_SIGNER_LEAF);
    return 0;
}

struct sk_writer_place sk_writer_place(const struct sk_writer *w)
{
    return (struct sk_writer_place){w->first, w->state.file, w->at};
}

struct sk_slice sk_writer_unsigned(const struct sk_writer *w)
{
    return sk_slice_cut(sk_buf_peek(&w->leaves), w->leaves_durable);
}

void sk_writer_signed(struct sk_writer *w, size_t bytes)
{
    sk_buf_take(&w->leaves, bytes);
    w->leaves_durable -= bytes;
    w->leaves_signed += bytes;
}

uint64_t sk_writer_mark(const struct sk_writer *w)
{
    return w->leaves_signed + w->leaves_durable;
}

bool sk_writer_is_signed(const struct sk_writer *w, uint64_t mark)
{
    return !w->set.stands || w->leaves_signed >= mark;
}

int sk_writer_add(struct sk_writer *w, struct sk_audit_record *record, unsigned owner)
{
    return sk_writer_add_sent(w, record, SK_SLICE_NULL, owner);
}

int sk_writer_add_sent(struct sk_writer *w, struct sk_audit_record *record, struct sk_slice sent, unsigned owner)
{
    uint8_t cbor[SK_AUDIT_RECORD_MAX] sk_uninitialized;
    int refused = sk_writer_may_add(w, record, owner);
    if (refused) {
        return refused;
    }
    struct sk_journal_tenant *tenant = sk_journal_tenant(&w->state, record->tenant);
    int r = tenant ? ready(w, tenant) : -ENOMEM;
    if (r) {
        return r;
    }
    record->wall = sk_clock_wall();
    record->boot = sk_clock_boot();
    record->seq = tenant->tree.size;
    make_id(w, record->wall, record->id);
    size_t len = sent.len ? sk_record_place(record, sent, cbor) : 0;
    len = len ? len : sk_record_encode(record, cbor);
    if (len == 0) {
        return 1;
    }
    uint8_t leaf[SK_TREE_HASH];
    struct sk_frame_record frame = {.seq = record->seq};
    memcpy(frame.tenant, record->tenant, SK_ID_SIZE);
    size_t size = SK_FRAME_RECORD_HEADER + SK_SEALED_OVERHEAD + len;
    char *to = sk_buf_reserve(&w->body, size);
    /* Whatever may fail comes first: a record that is tried again, and is another then, has opened nothing and has no leaf. */
    if (!to || (w->set.stands && !sk_buf_reserve(&w->leaves, SK_SIGNER_LEAF)) ||
            sk_sealing_seal(&tenant->sealing, &frame, sk_slice(cbor, len), leaf, (uint8_t *)to) || sk_journal_follow(&w->state, record, owner)) {
        return -ENOMEM;
    }
    (void)!writer_put_leaf(w, record->tenant, record->seq, leaf);
    sk_tree_append(&tenant->tree, leaf);
    sk_buf_commit(&w->body, size);
    w->count++;
    return 0;
}

static bool group_full(const struct sk_writer *w, const struct sk_buf *body)
{
    return sk_buf_len(body) >= WRITER_GROUP_FULL || sk_buf_len(body) >= w->set.file_size / 4;
}

bool sk_writer_full(const struct sk_writer *w)
{
    return group_full(w, &w->body);
}

/* Whole blocks of memory for a group. The old bytes are not kept. */
static int reserve_block(struct sk_writer *w, size_t size)
{
    if (size > w->block_size) {
        free(w->block);
        w->block = aligned_alloc(SK_FRAME_BLOCK, size);
        w->block_size = w->block ? size : 0;
    }
    return w->block ? 0 : -ENOMEM;
}

/* Writes one group at `at` of `fd`. On success the chain goes on from it. */
static int write_group(struct sk_writer *w, int fd, uint64_t file, size_t at, enum sk_frame_group_kind kind, uint32_t count, struct sk_slice body)
{
    struct sk_frame_group group = {.file = file,
            .number = w->state.group,
            .kind = kind,
            .day = w->day,
            .body = (uint32_t)body.len,
            .count = count,
            .wall = sk_clock_wall(),
            .boot = sk_clock_boot()};
    size_t size = sk_frame_group_size(body.len);
    int r = reserve_block(w, size);
    if (r) {
        return r;
    }
    memcpy(group.run, w->run, SK_ID_SIZE);
    memcpy(group.previous, w->state.hash, SK_FRAME_HASH);
    sk_frame_put_group(&group, (const uint8_t *)body.data, w->block);
    if (body.len) {
        memcpy(w->block + SK_FRAME_GROUP_HEADER, body.data, body.len);
    }
    memset(w->block + SK_FRAME_GROUP_HEADER + body.len, 0, size - SK_FRAME_GROUP_HEADER - body.len);
    r = w->set.disk->write(fd, sk_slice(w->block, size), (off_t)at);
    if (r == 0) {
        memcpy(w->state.hash, group.hash, SK_FRAME_HASH);
        w->state.group++;
        w->state.wall = group.wall;
        w->state.boot = group.boot;
        w->state.day = group.day;
    }
    return r;
}

/* A snapshot on its way to the disk. */
struct snapshot {
    struct sk_writer *writer;
    int fd;
    uint64_t file;
    size_t at; /* where its next group goes */
    struct sk_buf body;
    uint32_t count;
};

static int write_part(struct snapshot *s, enum sk_frame_group_kind kind)
{
    struct sk_slice body = sk_buf_peek(&s->body);
    int r = write_group(s->writer, s->fd, s->file, s->at, kind, s->count, body);
    s->at += r ? 0 : sk_frame_group_size(body.len);
    s->count = 0;
    sk_buf_take(&s->body, body.len);
    return r;
}

static int put_entry(struct snapshot *s, const struct sk_frame_entry *entry)
{
    uint8_t bytes[SK_FRAME_ENTRY];
    int r = group_full(s->writer, &s->body) ? write_part(s, SK_FRAME_PART) : 0;
    sk_frame_put_entry(entry, bytes);
    r = r ? r : sk_buf_put(&s->body, sk_slice(bytes, sizeof(bytes)));
    s->count++;
    return r;
}

static int put_tenant(struct snapshot *s, const struct sk_journal_tenant *tenant)
{
    struct sk_frame_entry entry = {.kind = SK_FRAME_TENANT, .seq = tenant->tree.size};
    memcpy(entry.tenant, tenant->id, SK_ID_SIZE);
    sk_tree_root(&tenant->tree, entry.hash);
    int r = put_entry(s, &entry);
    for (unsigned i = 0; r == 0 && i < sk_tree_peaks(tenant->tree.size); i++) {
        entry.kind = SK_FRAME_PEAK;
        entry.seq = i;
        memcpy(entry.hash, tenant->tree.peaks[i], SK_TREE_HASH);
        r = put_entry(s, &entry);
    }
    return r;
}

/* Where every sequence stands, in as many groups as it takes. Only right when nothing is added but not committed. */
static int write_snapshot(struct sk_writer *w, int fd, uint64_t file, size_t *at)
{
    struct snapshot s = {.writer = w, .fd = fd, .file = file, .at = *at, .body = SK_BUF_INIT(WRITER_GROUP_FULL * 2)};
    int r = 0;
    for (struct sk_table_node *n = sk_table_walk(&w->state.tenants, NULL); r == 0 && n; n = sk_table_walk(&w->state.tenants, n)) {
        const struct sk_journal_tenant *tenant = SK_CONTAINER(n, struct sk_journal_tenant, node);
        r = put_tenant(&s, tenant);
    }
    for (struct sk_table_node *n = sk_table_walk(&w->state.opens, NULL); r == 0 && n; n = sk_table_walk(&w->state.opens, n)) {
        const struct sk_journal_open *open = SK_CONTAINER(n, struct sk_journal_open, node);
        struct sk_frame_entry entry = {.kind = SK_FRAME_INTENT, .seq = open->seq};
        memcpy(entry.tenant, open->tenant, SK_ID_SIZE);
        memcpy(entry.hash, open->request, SK_ID_SIZE);
        r = put_entry(&s, &entry);
    }
    r = r ? r : write_part(&s, SK_FRAME_SNAPSHOT);
    sk_buf_free(&s.body);
    *at = s.at;
    return r;
}

/* A file of zeros under the spare's name: the one made ahead, or made now. Its descriptor, or negative. */
static int take_spare(struct sk_writer *w)
{
    int ready = 2;
    if (atomic_compare_exchange_strong(&w->spare_state, &ready, 0)) {
        int fd = w->spare;
        w->spare = -1;
        return fd;
    }
    return ready == 1 ? -EAGAIN : w->set.disk->create(w->set.folder, WRITER_SPARE, w->set.file_size);
}

static int open_head(const struct sk_writer *w)
{
    return openat(w->set.folder, SK_JOURNAL_HEAD, O_WRONLY | O_CREAT | O_CLOEXEC | O_NOFOLLOW, 0600);
}

static int write_head(struct sk_writer *w)
{
    char text[SK_JOURNAL_HEAD_SIZE + 1];
    int fd = open_head(w);
    if (fd < 0) {
        return -errno;
    }
    sk_journal_put_head(&w->state, text);
    int r = w->set.disk->write(fd, sk_slice(text, SK_JOURNAL_HEAD_SIZE), 0);
    w->noted = r ? w->noted : w->state.group;
    (void)close(fd);
    return r;
}

int sk_writer_note(struct sk_writer *w)
{
    char text[SK_JOURNAL_HEAD_SIZE + 1];
    if (w->noted == w->state.group || !w->state.begun) {
        return 0;
    }
    int fd = open_head(w);
    if (fd < 0) {
        return -errno;
    }
    sk_journal_put_head(&w->state, text);
    int r = pwrite(fd, text, SK_JOURNAL_HEAD_SIZE, 0) == SK_JOURNAL_HEAD_SIZE ? 0 : -EIO;
    w->noted = r ? w->noted : w->state.group;
    (void)close(fd);
    return r;
}

/* Everything that must be on disk before a file has its name: header, and snapshot or records. */
static int begin_file(struct sk_writer *w, int fd, uint64_t number, bool snapshot, size_t *at)
{
    _Alignas(SK_FRAME_BLOCK) uint8_t header[SK_FRAME_BLOCK];
    struct sk_frame_file file = {.number = number};
    struct sk_slice body = sk_buf_peek(&w->body);
    memcpy(file.node, w->set.node, SK_ID_SIZE);
    memcpy(file.epoch, w->set.epoch, SK_ID_SIZE);
    memcpy(file.previous, w->state.hash, SK_FRAME_HASH);
    sk_frame_put_file(&file, header);
    *at = SK_FRAME_BLOCK;
    int r = w->set.disk->write(fd, sk_slice(header, sizeof(header)), 0);
    if (r == 0 && snapshot) {
        return write_snapshot(w, fd, number, at);
    }
    r = r ? r : write_group(w, fd, number, *at, SK_FRAME_RECORDS, w->count, body);
    *at += r ? 0 : sk_frame_group_size(body.len);
    return r;
}

int writer_next_file(struct sk_writer *w, bool snapshot)
{
    char name[40];
    uint64_t number = w->state.file + 1;
    size_t at = 0;
    struct sk_journal_state before = w->state;
    int fd = take_spare(w);
    if (fd < 0) {
        return fd;
    }
    sk_journal_file_name(number, name);
    int r = begin_file(w, fd, number, snapshot, &at);
    r = r ? r : w->set.disk->rename(w->set.folder, WRITER_SPARE, name);
    if (r) {
        w->state = before;
        (void)close(fd);
        return r;
    }
    if (w->fd >= 0) {
        if (!w->broken) {
            /* The room that it did not take. It stays as long as it is: whoever reads it has mapped all of it. */
            (void)!fallocate(w->fd, FALLOC_FL_PUNCH_HOLE | FALLOC_FL_KEEP_SIZE, (off_t)w->at, (off_t)(w->room > w->at ? w->room - w->at : 1));
        }
        (void)close(w->fd);
    }
    w->fd = fd;
    w->records_in_file = !snapshot;
    w->turn = false;
    w->state.file = number;
    w->state.begun = true;
    w->at = at;
    w->room = w->set.file_size > 2 * at ? w->set.file_size : 2 * at;
    w->broken = write_head(w) != 0; /* the group is durable; only this file is not gone on with */
    return 0;
}

bool writer_file_full(const struct sk_writer *w)
{
    return w->room < w->at || w->room - w->at < sk_frame_group_size(w->set.file_size / 4 + 2UL * SK_AUDIT_RECORD_MAX);
}

bool sk_writer_added(const struct sk_writer *w)
{
    return w->count > 0;
}

int sk_writer_commit(struct sk_writer *w)
{
    struct sk_slice body = sk_buf_peek(&w->body);
    int r = w->count ? writer_put_slots(w) : 0;
    if (w->count == 0 || r) {
        return r;
    }
    if (w->fd >= 0 && !w->broken) {
        r = write_group(w, w->fd, w->state.file, w->at, SK_FRAME_RECORDS, w->count, body);
        w->broken = r != 0;
        w->at += r ? 0 : sk_frame_group_size(body.len);
    }
    if (w->fd < 0 || w->broken) {
        /* What of a failed write is on disk nobody can tell: the file is never written again, the group goes elsewhere. */
        r = writer_next_file(w, false);
    }
    if (r) {
        return r;
    }
    w->state.records += w->count;
    w->records_in_file = true;
    w->leaves_durable = sk_buf_len(&w->leaves);
    w->count = 0;
    sk_buf_take(&w->body, body.len);
    r = writer_file_full(w) ? writer_next_file(w, true) : 0;
    if (r && r != -EAGAIN) {
        w->broken = true;
    } /* while the spare is being made this file goes on: it is sound, and may grow */
    return 0;
}

bool sk_writer_claim_prepare(struct sk_writer *w)
{
    int none = 0;
    bool soon = SK_DAY - sk_clock_wall() % SK_DAY < SOON; /* a day begins a file */
    return (w->turn || soon || w->at > w->set.file_size / 4) && atomic_compare_exchange_strong(&w->spare_state, &none, 1);
}

void sk_writer_prepare(struct sk_writer *w)
{
    int fd = w->set.disk->create(w->set.folder, WRITER_SPARE, w->set.file_size);
    w->spare = fd;
    atomic_store(&w->spare_state, fd < 0 ? 0 : 2);
}

int sk_writer_check(const struct sk_writer *w)
{
    char name[40];
    struct stat by_fd, by_name;
    sk_journal_file_name(w->state.file, name);
    if (w->fd < 0) {
        return -EBADF;
    }
    if (fstat(w->fd, &by_fd) || fstatat(w->set.folder, name, &by_name, AT_SYMLINK_NOFOLLOW)) {
        return -errno;
    }
    bool same = by_fd.st_ino == by_name.st_ino && by_fd.st_dev == by_name.st_dev && by_fd.st_nlink == 1;
    return same ? 0 : -ESTALE;
}

int writer_add_unknown(struct sk_writer *w, const struct sk_journal_open *open, struct sk_slice reason)
{
    uint8_t request[SK_ID_SIZE];
    struct sk_audit_record record = {.op = SK_AUDIT_REQUEST,
            .stage = SK_AUDIT_STAGE_UNKNOWN,
            .decision = SK_AUDIT_DECISION_ERROR,
            .reason = reason,
            .request = sk_slice(request, SK_ID_SIZE)};
    memcpy(request, open->request, SK_ID_SIZE);
    memcpy(record.tenant, open->tenant, SK_ID_SIZE);
    return sk_writer_add(w, &record, 0);
}

int sk_writer_abandon(struct sk_writer *w, unsigned owner)
{
    int r = 0;
    for (struct sk_table_node *n = sk_table_walk(&w->state.opens, NULL); r == 0 && n && w->state.owned[owner];) {
        struct sk_table_node *next = sk_table_walk(&w->state.opens, n);
        const struct sk_journal_open *open = SK_CONTAINER(n, struct sk_journal_open, node);
        if (open->owner == owner) {
            r = sk_writer_full(w) ? 1 : writer_add_unknown(w, open, SK_LIT("worker-died"));
        }
        n = next;
    }
    return r;
}

struct sk_writer *sk_writer_free(struct sk_writer *w)
{
    if (w) {
        if (w->fd >= 0) {
            (void)close(w->fd);
        }
        if (w->spare >= 0) {
            (void)close(w->spare);
        }
        sk_buf_free(&w->body);
        if (w->keys_fd >= 0) {
            (void)close(w->keys_fd);
        }
        sk_buf_free(&w->leaves);
        sk_buf_free(&w->slots);
        free(w->block);
        sk_journal_state_free(&w->state);
        w->keys = sk_keys_free(w->keys);
        sk_wipe(w->set.secret, sizeof(w->set.secret));
        free(w);
    }
    return NULL;
}
