/*
 * A witness (C2SP tlog-witness): cosigns the checkpoints of logs that it was told of, each only when it goes on from the one that it cosigned
 * before. So a log that has shown it one history cannot show anybody another that it cosigned. It keeps the newest checkpoint of each log, and nothing else.
 */
#pragma once

#include "base/buf.h"
#include "crypto/note.h"

#define WITNESS_REQUEST (2 * SK_NOTE_TEXT) /* most bytes of one: a text, and many signatures */

struct witness {
    int folder; /* of the checkpoints */
    struct sk_note_key *key;
    const char *name;
    const char *const *logs; /* vkeys: of the log of the key's name; where there is none of that name, of each whose name goes on behind it with a slash */
    size_t logs_count;
};

/* A new key's 32 bytes into a file that there was not, for its owner alone; or one that there is. 0 or negative. */
int witness_make_key(const char *path) sk_nodiscard;
int witness_read_key(const char *path, uint8_t key[SK_NOTE_KEY]) sk_nodiscard;

/*
 * One request of add-checkpoint. Returns the status that answers it: 200 with the cosignature in `out`, on stable storage; 409 with the size of
 * the tree that was cosigned last, which the request does not go on from; else with what is wrong, as a line.
 */
unsigned witness_add(const struct witness *witness, struct sk_slice body, struct sk_buf *out);
