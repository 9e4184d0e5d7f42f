/* Looking through the journal's files for days. Runs in audit, in a thread of its own. */
#include "audit/survey.h"

#include "audit/files.h"
#include "journal/packed.h"
#include "journal/reader.h"

#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <sys/stat.h>
#include <unistd.h>

#define NEWEST 4U /* files, of which the clock is looked at */

/* ---- tenants ---- */

static struct survey_tenant *find(const struct survey_tenants *tenants, const uint8_t id[SK_ID_SIZE])
{
    for (struct sk_table_node *n = sk_table_first(&tenants->table, sk_table_hash(sk_slice(id, SK_ID_SIZE))); n; n = sk_table_next(n)) {
        struct survey_tenant *tenant = SK_CONTAINER(n, struct survey_tenant, node);
        if (memcmp(tenant->tenant, id, SK_ID_SIZE) == 0) {
            return tenant;
        }
    }
    return NULL;
}

int survey_add(struct survey_tenants *tenants, const uint8_t id[SK_ID_SIZE], uint64_t first, uint64_t end)
{
    struct survey_tenant *tenant = find(tenants, id);
    if (!tenant) {
        tenant = calloc(1, sizeof(*tenant));
        if (!tenant || sk_table_add(&tenants->table, &tenant->node, sk_table_hash(sk_slice(id, SK_ID_SIZE)))) {
            free(tenant);
            return -ENOMEM;
        }
        memcpy(tenant->tenant, id, SK_ID_SIZE);
        tenant->first = first;
    }
    tenant->first = tenant->first < first ? tenant->first : first;
    tenant->end = tenant->end > end ? tenant->end : end;
    tenant->count += end - first;
    return 0;
}

void survey_free(struct survey_tenants *tenants)
{
    for (struct sk_table_node *n = sk_table_walk(&tenants->table, NULL); n;) {
        struct sk_table_node *next = sk_table_walk(&tenants->table, n);
        free(SK_CONTAINER(n, struct survey_tenant, node));
        n = next;
    }
    sk_table_free(&tenants->table);
}

/* ---- a file, group by group ---- */

/* It is read, not mapped: a bad sector is then an error, and nobody's end. */
struct walking {
    int fd;
    uint64_t at, end; /* of the next group; of what is looked at */
    struct sk_packed_header header; /* of a packed file; of another the first part of it */
    struct sk_frame_group group;
    bool over; /* packed: its last group was gone on to */
    struct sk_buf body;
};

static void walk_close(struct walking *w)
{
    if (w->fd >= 0) {
        (void)close(w->fd);
    }
    sk_buf_free(&w->body);
}

static int read_at(const struct walking *w, uint64_t at, void *to, size_t len)
{
    for (size_t done = 0; done < len;) {
        ssize_t n = pread(w->fd, (char *)to + done, len - done, (off_t)(at + done));
        if (n == 0 || (n < 0 && errno != EINTR)) {
            return n ? -errno : 1;
        }
        done += n > 0 ? (size_t)n : 0;
    }
    return 0;
}

/* 0; 1 it is no journal file; negative. */
static int walk_open(const struct survey *s, uint64_t number, struct walking *w)
{
    uint8_t header[SK_FRAME_BLOCK];
    struct stat info;
    char name[40];
    sk_journal_file_name(number, name);
    *w = (struct walking){.fd = openat(s->folder, name, O_RDONLY | O_CLOEXEC | O_NOFOLLOW), .at = SK_FRAME_BLOCK, .body = SK_BUF_INIT(UINT32_MAX)};
    if (w->fd < 0 || fstat(w->fd, &info)) {
        return -errno;
    }
    w->end = number == s->last ? s->end : (uint64_t)info.st_size;
    int r = read_at(w, 0, header, sizeof(header));
    if (r == 0 && sk_packed_get_header(header, &w->header) == 0) {
        w->end = w->header.chunks;
    } else {
        r = r ? r : sk_frame_get_file(header, &w->header.file);
    }
    return r ? r : w->header.file.number != number;
}

/* What a packed file says of its last group stands for all that had records. */
static int walk_last(struct walking *w)
{
    if (!w->header.file.packed || !w->header.count || w->over) {
        return 1;
    }
    w->group = (struct sk_frame_group){.file = w->header.file.number, .number = w->header.group, .kind = SK_FRAME_RECORDS, .wall = w->header.wall, .boot = w->header.boot,
            .day = w->header.day};
    memcpy(w->group.hash, w->header.last, SK_FRAME_HASH);
    w->over = true;
    return 0;
}

/* Goes on to the next group. 0; 1 there is none; negative. */
static int walk_next(struct walking *w)
{
    uint8_t header[SK_FRAME_GROUP_HEADER];
    if (w->at > w->end || w->end - w->at < SK_FRAME_BLOCK) {
        return walk_last(w);
    }
    int r = read_at(w, w->at, header, sizeof(header)) != 0; /* a bad sector is damage, and holds up nothing else */
    r = r ? r : sk_frame_get_group(header, &w->group) || w->group.file != w->header.file.number || sk_frame_group_size(w->group.body) > w->end - w->at;
    w->at += r ? 0 : sk_frame_group_size(w->group.body);
    return r;
}

/* Of the group that it went on to. It borrows. */
static int walk_body(struct walking *w, struct sk_slice *body)
{
    sk_buf_take(&w->body, sk_buf_len(&w->body));
    char *to = sk_buf_reserve(&w->body, w->group.body ? w->group.body : 1);
    int r = to ? read_at(w, w->at - sk_frame_group_size(w->group.body) + SK_FRAME_GROUP_HEADER, to, w->group.body) : -ENOMEM;
    *body = sk_slice(to, r ? 0 : w->group.body);
    return r;
}

/* ---- files ---- */

struct listed {
    uint64_t number;
    bool any, begins; /* it has records; and where all stood when it was begun */
    uint32_t day;     /* of the records */
    uint64_t wall;    /* when its first group was written */
    uint8_t previous[SK_FRAME_HASH];
};

static int look_at(const struct survey *s, struct listed *file)
{
    struct walking w;
    int r = walk_open(s, file->number, &w);
    memcpy(file->previous, w.header.file.previous, SK_FRAME_HASH);
    r = r ? r : walk_next(&w);
    file->wall = r == 0 ? w.group.wall : 0;
    file->begins = r == 0 && (w.group.kind != SK_FRAME_RECORDS || file->number == 1);
    while (r == 0 && w.group.kind != SK_FRAME_RECORDS) {
        r = walk_next(&w);
    }
    file->any = r == 0;
    file->day = r == 0 ? w.group.day : 0;
    walk_close(&w);
    return r < 0 ? r : 0;
}

/* From the n-th last on; 0: all. 0 or negative. */
static int list(const struct survey *s, size_t newest, struct listed **files, size_t *count)
{
    uint64_t *numbers;
    int r = files_list(s->folder, &numbers, count);
    while (*count && numbers[*count - 1] > s->last) {
        --*count;
    }
    size_t from = newest && *count > newest ? *count - newest : 0;
    *count -= from;
    *files = calloc(*count + 1, sizeof(**files));
    r = r ? r : *files ? 0 : -ENOMEM;
    for (size_t i = 0; r == 0 && i < *count; i++) {
        (*files)[i].number = numbers[from + i];
        r = look_at(s, &(*files)[i]);
    }
    free(numbers);
    return r;
}

/* When its last group was written; and whether it is whole, up to the group that the next one goes on from. */
static int look_through(const struct survey *s, const struct listed *file, uint64_t *wall, bool *whole)
{
    struct walking w;
    int r = walk_open(s, file->number, &w);
    for (r = r ? r : walk_next(&w); r == 0; r = walk_next(&w)) {
        *wall = w.group.wall;
    }
    *whole = r == 1 && memcmp(w.group.hash, file[1].previous, SK_FRAME_HASH) == 0;
    walk_close(&w);
    return r < 0 ? r : 0;
}

/* ---- days ---- */

static int add_records(struct survey_tenants *found, struct sk_slice body)
{
    struct sk_frame_record frame;
    struct sk_slice sealed;
    int r = 0;
    while (r == 0 && sk_frame_next_record(&body, &frame, &sealed) == 0) {
        r = survey_add(found, frame.tenant, frame.seq, frame.seq + 1);
    }
    return r;
}

/* A packed file says which numbers there are of whom. */
static int add_chunks(struct walking *w, struct survey_tenants *found)
{
    int r = 0;
    for (uint32_t i = 0; r == 0 && i < w->header.count; i++) {
        uint8_t entry[SK_PACKED_ENTRY];
        struct sk_packed_chunk chunk;
        r = read_at(w, w->header.directory + i * SK_PACKED_ENTRY, entry, sizeof(entry));
        sk_packed_get_chunk(entry, &chunk);
        r = r ? r : survey_add(found, chunk.tenant, chunk.seq, chunk.seq + chunk.count);
    }
    return r;
}

static int add_groups(const struct survey *s, const struct listed *file, struct survey_tenants *found)
{
    struct walking w;
    struct sk_slice body;
    int r = walk_open(s, file->number, &w);
    if (r == 0 && w.header.file.packed) {
        r = add_chunks(&w, found);
        walk_close(&w);
        return r < 0 ? r : 0;
    }
    for (r = r ? r : walk_next(&w); r == 0; r = walk_next(&w)) {
        int one = w.group.kind == SK_FRAME_RECORDS ? walk_body(&w, &body) : 0;
        one = one || w.group.kind != SK_FRAME_RECORDS ? one : add_records(found, body);
        if (one) {
            r = one;
            break;
        }
    }
    walk_close(&w);
    return r < 0 ? r : 0;
}

/* How many records each tenant had when the file was begun. */
static int read_stands(const struct survey *s, const struct listed *file, struct survey_tenants *stands)
{
    struct walking w;
    struct sk_slice body;
    struct sk_frame_entry entry;
    int r = walk_open(s, file->number, &w);
    for (r = r ? r : walk_next(&w); r == 0 && w.group.kind != SK_FRAME_RECORDS; r = walk_next(&w)) {
        int one = walk_body(&w, &body);
        while (one == 0 && sk_frame_next_entry(&body, &entry) == 0) {
            one = entry.kind == SK_FRAME_TENANT ? survey_add(stands, entry.tenant, 0, entry.seq) : 0;
        }
        if (one) {
            r = one;
            break;
        }
    }
    walk_close(&w);
    return r < 0 ? r : 0;
}

/* All that is in a file, by where the next one says that all stood. */
static int add_between(const struct survey *s, const struct listed *file, struct survey_tenants *found)
{
    struct survey_tenants before = {.table = SK_TABLE_INIT}, after = {.table = SK_TABLE_INIT};
    int r = read_stands(s, file, &before);
    r = r ? r : read_stands(s, file + 1, &after);
    for (struct sk_table_node *n = sk_table_walk(&after.table, NULL); r == 0 && n; n = sk_table_walk(&after.table, n)) {
        const struct survey_tenant *tenant = SK_CONTAINER(n, struct survey_tenant, node), *was = find(&before, tenant->tenant);
        uint64_t first = was ? was->end : 0;
        r = tenant->end > first ? survey_add(found, tenant->tenant, first, tenant->end) : 0;
    }
    survey_free(&before);
    survey_free(&after);
    return r;
}

int survey_days(const struct survey *s, uint32_t from, uint32_t to, struct survey_tenants *found, uint64_t *last)
{
    struct listed *files = NULL;
    size_t count = 0;
    int r = list(s, 0, &files, &count);
    *last = 0;
    for (size_t i = 0; r == 0 && i < count; i++) {
        const struct listed *file = &files[i];
        bool whole, newest = i + 1 == count;
        uint64_t wall = 0;
        if (!file->any || file->day < from || file->day > to) {
            continue;
        }
        r = file->begins && !newest && file[1].begins ? add_between(s, file, found) : add_groups(s, file, found);
        if (r == 0 && (newest || file[1].day != file->day)) {
            r = look_through(s, file, &wall, &whole);
            wall = !newest && file[1].wall < wall ? file[1].wall : wall; /* else the clock was ahead, and is right again */
            *last = wall > *last ? wall : *last;
        }
    }
    free(files);
    return r;
}

/* ---- sweeping ---- */

/* How many of the first files hold nothing that can be read, and need not be read from. */
static int count_over(const struct survey *s, const struct listed *files, size_t count, uint32_t day, size_t *over)
{
    int r = 0;
    for (size_t i = 0; r == 0 && i + 1 < count; i++) {
        uint64_t wall = 0;
        bool whole = false;
        if (files[i].any && files[i].day >= day) {
            break;
        }
        r = look_through(s, &files[i], &wall, &whole);
        if (!whole) {
            break;
        }
        *over = files[i + 1].begins ? i + 1 : *over;
    }
    return r;
}

int survey_sweep(const struct survey *s, uint32_t day, uint64_t *first)
{
    struct listed *files = NULL;
    size_t count = 0, over = 0;
    int r = list(s, 0, &files, &count);
    r = r ? r : count_over(s, files, count, day, &over);
    for (size_t i = 0; r == 0 && i < over; i++) {
        char name[40];
        sk_journal_file_name(files[i].number, name);
        r = unlinkat(s->folder, name, 0) ? -errno : 0;
        *first = r ? *first : files[i + 1].number;
    }
    r = r || !over || fsync(s->folder) == 0 ? r : -errno;
    free(files);
    return r;
}

/* ---- the clock ---- */

uint64_t survey_jumped(const struct survey *s, uint64_t most)
{
    struct listed *files = NULL;
    size_t count = 0;
    uint64_t wall = 0, boot = 0, jumped = 0;
    int r = list(s, NEWEST, &files, &count);
    for (size_t i = 0; r == 0 && i < count; i++) {
        struct walking w;
        int one = walk_open(s, files[i].number, &w);
        for (one = one ? one : walk_next(&w); one == 0; one = walk_next(&w)) {
            uint64_t ran = w.group.boot > boot ? w.group.boot - boot : 0;
            bool ahead = wall && w.group.wall > wall && w.group.wall - wall > most && w.group.wall - wall - most > ran;
            jumped = ahead ? w.group.wall : jumped;
            wall = w.group.wall;
            boot = w.group.boot;
        }
        walk_close(&w);
    }
    free(files);
    return jumped;
}
