/* Between the reader's files: all that it holds, and a question on its way. */
#pragma once

#include "reader/feeding.h"
#include "reader/follow.h"
#include "reader/proof.h"

#include "ipc/child.h"
#include "ipc/reader.h"
#include "journal/checkpoint.h"
#include "journal/query.h"

enum asked_state {
    ASKED_LEVEL,  /* waits for the index to be level with what audit said */
    ASKED_WAITS,  /* for a first record, */
    ASKED_READS,  /* file after file */
};

/* A question on its way. */
struct asked {
    struct asked *next;
    enum asked_state state;
    uint16_t code;
    uint64_t ticket; /* auth's */
    uint64_t stands; /* the index must be level with what audit said to this ticket */
    uint64_t until;  /* boot time until which it waits; 0: not at all */
    uint64_t looked; /* records below this number were looked at while it waited */
    struct question is;
    uint64_t limit, step;
    bool salted;
    size_t at; /* reading: of the files, the next ones are those below, the newest first */
    struct sk_sealing sealing;
    uint64_t given, last;     /* records, and the number of the last one */
    struct find_count *counts; /* owned */
    size_t counts_count;
    uint64_t asks; /* the signer was asked for a note with this ticket; 0: it was not, or has answered */
    size_t note_len;
    char note[SK_CHECKPOINTS_NOTE];
    char terms[]; /* is.terms */
};

struct reader;

/* A feed's channel. */
struct fed {
    struct reader *reader;
    struct sk_channel *channel; /* NULL: none */
    uint64_t ticket;            /* of the question that is answered */
};

#define READER_FEEDS 8U

struct reader {
    struct sk_child child;
    struct fed feeds[READER_FEEDS];
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
    unsigned on_the_way; /* answers that auth has not taken */
    unsigned alone;      /* ticks without a peer */
    struct sk_timer work, tick;
    struct sk_io stored; /* an index was written */
    bool unwritten;      /* one was not, and that was said */
};

void to_auth(struct reader *reader, uint16_t code, const void *message);
/* Takes the question a step on: the index is level with what it waits for. True: it is answered, and over. */
bool answer(struct reader *reader, struct asked *asked);
