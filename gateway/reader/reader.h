/* Between the reader's files: all that it holds, and a question on its way. */
#pragma once

#include "reader/follow.h"
#include "reader/proof.h"

#include "ipc/child.h"
#include "ipc/reader.h"
#include "journal/checkpoint.h"

/* A question on its way. */
struct asked {
    struct asked *next;
    uint16_t code;
    uint64_t ticket;    /* auth's */
    uint64_t stands;    /* it is answered when the index is level with what audit said to this ticket */
    uint64_t until;     /* boot time until which it waits for a first record; 0: not at all */
    struct question is;
    uint64_t limit, step;
    bool salted;
    uint64_t asks; /* the signer was asked for a note with this ticket; 0: it was not, or has answered */
    size_t note_len;
    char note[SK_CHECKPOINTS_NOTE];
    char terms[]; /* is.terms */
};

struct reader {
    struct sk_child child;
    struct sk_channel *audit, *auth, *signer;
    uint8_t secret[SK_KEYS_SECRET];
    char folder[4097]; /* for indexes */
    struct follow follow;
    struct follow_goal goal;
    uint64_t told;   /* audit's answer to this ticket is the goal */
    uint64_t ticket; /* of the last asking */
    bool needs;      /* a file was asked for */
    bool begun;
    struct asked *first, **last;
    size_t asked_count;
    struct sk_timer work, tick;
    struct sk_io stored; /* an index was written */
    bool unwritten;      /* one was not, and that was said */
};

void to_auth(struct reader *reader, uint16_t code, const void *message);
/* Answers it, if it can be by now: the index is level with what the question waits for. */
bool answer(struct reader *reader, const struct asked *asked);
