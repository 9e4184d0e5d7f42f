/*
 * Audit's side of the signer: it hears what is signed, and has what became durable since signed each second. While nobody signs, nothing is
 * taken: what cannot be proved later did not pass. When the signer ends, audit does: the next one is compared with the journal as at a start.
 */
#pragma once

#include "audit/writer.h"
#include "ipc/child.h"

struct signing {
    struct sk_loop *loop;
    int folder; /* of the journal */
    struct sk_channel *signer;
    struct sk_table stands; /* of struct sk_writer_stand, as it said when it began */
    uint8_t epoch[SK_ID_SIZE];
    struct sk_writer *writer; /* NULL: the journal is not open yet */
    bool fresh, serves, late, failed;
    size_t told, asked;     /* bytes of what is unsigned that it was told; and of those, what the open question is about */
    uint64_t ticket, since; /* of that question; boot time, 0: none is open */
    struct sk_timer tick;
    bool stopping;
    void (*changed)(struct signing *signing); /* whether it works */
};

void signing_init(struct signing *signing, struct sk_loop *loop, void (*changed)(struct signing *signing));
/* Takes `fd` over. A second time the loop stops. */
void signing_connect(struct signing *signing, int fd);
/* From now on what this writer has unsigned is signed. */
void signing_begin(struct signing *signing, struct sk_writer *writer);
/* Something became durable. */
void signing_more(struct signing *signing);
/* The key of all that was recorded of a tenant is no more: that is to be certified. */
void signing_certify(struct signing *signing, const uint8_t tenant[SK_ID_SIZE], struct sk_slice contract);
bool signing_works(const struct signing *signing);
/* Has the rest signed, and stops the loop; also when that takes too long. */
void signing_stop(struct signing *signing);
