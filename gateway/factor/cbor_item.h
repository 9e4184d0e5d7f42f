/*
 * CBOR in CTAP2's canonical form (CTAP 2.1, section 8), looked at before libcbor sees it: definite lengths, shortest
 * numbers, map keys in order and once each, no tags, no floats, four levels at most.
 */
#pragma once

#include "factor/webauthn.h"

#include <cbor.h>

#define SK_CBOR_DEPTH 4

/* Takes one item off `rest`. GOOD, MALFORMED when it does not end or is no CBOR, or CBOR. */
enum sk_webauthn_outcome sk_cbor_take(struct sk_slice *rest, struct sk_slice *item) sk_nodiscard;

/* An item that sk_cbor_take took, as libcbor's; NULL without memory. */
cbor_item_t *sk_cbor_load(struct sk_slice item);
void sk_cbor_free(cbor_item_t **item);
#define SK_CBOR_ITEM SK_CLEANUP(sk_cbor_free) cbor_item_t *

/* The value of a map's key, a text or a number; NULL when there is none, or `map` is none. Owned by the map. */
const cbor_item_t *sk_cbor_named(const cbor_item_t *map, struct sk_slice name);
const cbor_item_t *sk_cbor_numbered(const cbor_item_t *map, int64_t number);
/* Entries of a map, elements of an array; SIZE_MAX when it is not that. */
size_t sk_cbor_map_size(const cbor_item_t *map);
size_t sk_cbor_array_size(const cbor_item_t *array);
/* 0; 1 when `item` is NULL, no integer, or out of range. */
int sk_cbor_int(const cbor_item_t *item, int64_t *value) sk_nodiscard;
/* The content of a byte string, a text: the null slice when `item` is NULL or something else. Lives as long as the item. */
struct sk_slice sk_cbor_bytes(const cbor_item_t *item);
struct sk_slice sk_cbor_text(const cbor_item_t *item);
