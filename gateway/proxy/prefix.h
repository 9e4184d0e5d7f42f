/* What a balancer sends before a client's first byte: a header of the PROXY protocol, version 2 (haproxy.org, section 2.2). Pure. */
#pragma once

#include "base/addr.h"

#define SK_PREFIX_MAX ((size_t)536) /* bytes of a header that is taken: addresses, and room for what else is said of them */

/* How many bytes it has, as far as these say: 16 at least. More than SK_PREFIX_MAX when it is none, or too long. */
size_t sk_prefix_size(struct sk_slice begun);
/* The client's address, of a header that is whole; as it was, when the balancer speaks for itself (LOCAL). 0; 1 it is none. */
int sk_prefix_read(struct sk_slice header, struct sk_addr *address) sk_nodiscard;
