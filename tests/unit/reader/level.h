/* The reader's index beside a journal under test: what it says that it needs is brought from the folder, as audit would. Tests alone. */
#pragma once

#include "reader/find.h"
#include "reader/follow.h"
#include "trail.h"

/* All files but the newest are packed before anything is followed. */
extern bool level_packs;
/* What is durable. */
struct follow_goal level_goal(const struct trail *t);
/* A file of the folder, or the keys. The descriptor. */
int level_open(const struct trail *t, uint64_t file);
/* All of a question's records, the newest first, until `each` has enough; and counts. As the reader does it, without turns. */
int level_find(const struct follow *f, const struct sk_keys *keys, const struct question *question, find_each each, void *context);
int level_count(const struct follow *f, const struct question *question, uint64_t step, struct find_count *counts);
/* Steps until it is level or broken; each file is brought twice at most. */
enum follow_step level(const struct trail *t, struct follow *f, const struct follow_goal *goal);
/* The tenant's part, or NULL; until the next call. */
const struct part *level_part(const struct segment *segment, const uint8_t tenant[SK_ID_SIZE]);
/* It begins, with stored indexes in a folder of the journal's folder when `stored`. */
void level_begin(const struct trail *t, struct follow *f, const uint8_t secret[SK_KEYS_SECRET], bool stored);
/* Every index that can be is stored. */
void level_store(struct follow *f);
/* It is level with all that is durable. */
void level_with(const struct trail *t, struct follow *f);
