/* What fetch's own files share. */
#pragma once

#include "base/table.h"
#include "fetch/document.h"
#include "transfer/transfer.h"
#include "ipc/child.h"
#include "ipc/control.h"

struct fetch {
    struct sk_child child;
    struct sk_channel *auth;
    struct transfers *transfers;
    struct sk_table sources;
    struct exchange *exchanges; /* under way */
    char folder[4097];
    uint64_t generation; /* of the configuration; 0: it was not told yet */
};

/* sources.c */
/* Its document is fetched now, and again and again. */
void fetch_source(struct fetch *fetch, const struct sk_control_source *m);
void fetch_unsource(struct fetch *fetch, const uint8_t id[SK_ID_SIZE]);
/* Now, unless that was tried a moment ago. */
void fetch_refresh(struct fetch *fetch, const uint8_t id[SK_ID_SIZE]);
void fetch_refresh_all(struct fetch *fetch);
/* What is known of this provider, a struct sk_fetch_provider whose texts live until the event loop's turn ends, whose certificates its server
 * may have, and whose it is. 0; 1 nothing. */
int fetch_provider(const struct fetch *fetch, const uint8_t id[SK_ID_SIZE], union sk_ipc_any *provider, struct sk_slice *ca, uint8_t tenant[SK_ID_SIZE]) sk_nodiscard;
/* What nobody wants any more of what is in the folder goes. */
void fetch_clear_folder(const struct fetch *fetch);

/* exchange.c */
/* Answered with EXCHANGED, once. */
void fetch_exchange(struct fetch *fetch, const struct sk_fetch_exchange *m);
/* Nobody waits for them any more. */
void fetch_exchanges_end(struct fetch *fetch);
