/*
 * Documents that tenants name by URL: fetch has them at hand in its folder, the supervisor puts them into the images. It reads none of
 * them: who uses one, judges it. What was fetched before a restart is in force at once after it.
 */
#include "supervisor/supervisor.h"

#include "base/text.h"
#include "ipc/fetch.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/stat.h>
#include <unistd.h>

static struct source *find(struct supervisor *s, const uint8_t id[SK_ID_SIZE])
{
    for (struct sk_table_node *n = sk_table_first(&s->sources, sk_table_hash(sk_slice(id, SK_ID_SIZE))); n; n = sk_table_next(n)) {
        struct source *source = SK_CONTAINER(n, struct source, node);
        if (memcmp(source->id, id, SK_ID_SIZE) == 0) {
            return source;
        }
    }
    return NULL;
}

/* The folder is another account's: what stands there for a file may be anything. */
static void read_document(const char *data, struct source *source)
{
    char digits[2 * SK_ID_SIZE + 1], path[4300];
    struct stat info;
    sk_hex_encode(source->id, SK_ID_SIZE, digits);
    (void)snprintf(path, sizeof(path), "%s/" FETCHED_FOLDER "/%s", data, digits);
    int fd = open(path, O_RDONLY | O_CLOEXEC | O_NOFOLLOW | O_NONBLOCK | O_NOCTTY);
    if (fd < 0 || fstat(fd, &info) || !S_ISREG(info.st_mode) || info.st_size > (off_t)SK_FETCH_LIST_MAX) {
        if (fd >= 0) {
            (void)close(fd);
        }
        return;
    }
    sk_buf_free(&source->text);
    source->text = SK_BUF_INIT(SK_FETCH_LIST_MAX);
    char *to = sk_buf_reserve(&source->text, (size_t)info.st_size);
    ssize_t len = to ? read(fd, to, (size_t)info.st_size) : -1;
    sk_buf_commit(&source->text, len > 0 ? (size_t)len : 0);
    (void)close(fd);
}

static void announce(const struct source *source, struct process *fetch)
{
    struct sk_control_source m = {.kind = source->kind, .url = source->url, .ca = source->ca};
    memcpy(m.id, source->id, SK_ID_SIZE);
    memcpy(m.tenant, source->tenant, SK_ID_SIZE);
    process_send(fetch, SK_CONTROL_SOURCE, &m, NULL);
}

struct source *source_ref(struct supervisor *s, const struct sk_conf *conf, const struct sk_tenant_source *m)
{
    struct source *source = find(s, m->id);
    if (source) {
        source->refs++;
        return source;
    }
    source = calloc(1, sizeof(*source) + m->url.len + m->ca.len);
    if (!source || sk_table_add(&s->sources, &source->node, sk_table_hash(sk_slice(m->id, SK_ID_SIZE)))) {
        free(source);
        return NULL;
    }
    char *at = (char *)(source + 1);
    memcpy(source->id, m->id, SK_ID_SIZE);
    memcpy(source->tenant, m->tenant, SK_ID_SIZE);
    source->kind = m->kind;
    source->url = sk_slice(at, m->url.len);
    source->ca = sk_slice(at + m->url.len, m->ca.len);
    memcpy(at, m->url.data, m->url.len);
    if (m->ca.len) {
        memcpy(at + m->url.len, m->ca.data, m->ca.len);
    }
    source->refs = 1;
    read_document(conf->is.data, source);
    announce(source, process_of(s, KIND_FETCH, 0));
    return source;
}

void source_unref(struct supervisor *s, struct source *source)
{
    if (--source->refs == 0) {
        struct sk_control_unsource m;
        memcpy(m.id, source->id, SK_ID_SIZE);
        process_send(process_of(s, KIND_FETCH, 0), SK_CONTROL_UNSOURCE, &m, NULL);
        sk_table_remove(&s->sources, &source->node);
        sk_buf_free(&source->text);
        free(source);
    }
}

void sources_announce(struct supervisor *s, struct process *fetch)
{
    for (struct sk_table_node *n = sk_table_walk(&s->sources, NULL); n; n = sk_table_walk(&s->sources, n)) {
        announce(SK_CONTAINER(n, struct source, node), fetch);
    }
}

static struct sk_slice text_of(void *context, const uint8_t id[SK_ID_SIZE])
{
    const struct source *source = find(context, id);
    return source ? sk_buf_peek(&source->text) : SK_SLICE_NULL;
}

int sources_fill(struct supervisor *s, struct sk_slice image, struct sk_buf *out)
{
    const struct sk_image_documents documents = {.find = text_of, .context = s};
    return sk_image_fill(image, &documents, out);
}

void source_changed(struct supervisor *s, const uint8_t id[SK_ID_SIZE])
{
    struct source *source = find(s, id);
    if (source) {
        read_document(s->conf->is.data, source);
        tenants_refill(s, source);
    }
}
