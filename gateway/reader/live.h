/* The index of a file that is still written: in memory, and searched there. */
#pragma once

#include "base/table.h"
#include "journal/reader.h"
#include "reader/part.h"

struct live; /* of one file: a part for each tenant that has records in it */

struct live *live_new(uint64_t file);
struct live *live_free(struct live *live);
/* One more record, which was opened. Each tenant's come in order. 0 or negative. */
int live_add(struct live *live, const struct sk_journal_read *read) sk_nodiscard;
/* The tenant's part, or NULL. */
const struct part *live_part(const struct live *live, const uint8_t tenant[SK_ID_SIZE]);
