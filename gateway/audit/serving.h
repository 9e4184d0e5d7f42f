/*
 * The journal's files, for the reader: it asks for each by its number, and where the journal stands. It is told what is on disk, and given
 * descriptors to read from; nothing that it does or leaves undone holds a record back.
 */
#pragma once

#include "audit/writer.h"
#include "ipc/child.h"

struct serving {
    struct sk_loop *loop;
    int folder; /* of the journal */
    struct sk_channel *reader; /* NULL: none */
    const struct sk_writer *writer; /* NULL: the journal is not open yet */
};

/* Takes `fd` over; a reader that there was is heard no more. */
void serving_connect(struct serving *serving, int fd);
/* A file was written anew. */
void serving_tell_anew(struct serving *serving, uint64_t file);
