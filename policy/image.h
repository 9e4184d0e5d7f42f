/*
 * The image's layout: a header, then arrays of fixed records, each 8-byte aligned, then the text pool. Offsets count
 * from the start of the image. The writer and the reader are of one build: a foreign version is refused.
 */
#pragma once

#include "sekisho/policy.h"

#define SK_IMAGE_MAGIC 0x50534b53U /* "SKSP" */
#define SK_IMAGE_VERSION 2U
#define SK_IMAGE_NONE UINT32_MAX

struct image_array {
    uint32_t offset;
    uint32_t count;
};

struct image_text {
    uint32_t offset;
    uint32_t len;
};

struct image_header {
    uint32_t magic;
    uint32_t version;
    uint32_t size;
    uint32_t open;
    struct sk_policy_set from; /* tenant-wide networks */
    struct image_array hosts;  /* image_text */
    struct image_array networks;
    struct image_array v4; /* image_v4, sorted, the first at 0 */
    struct image_array v6;
    struct image_array sets; /* sk_policy_set */
    struct image_array roles;
    struct image_array apps;
    struct image_array nodes;
    struct image_array edges;
    struct image_array rules;
    struct image_array demands;
    struct image_array texts; /* bytes */
    uint32_t demand;          /* tenant-wide, or SK_IMAGE_NONE */
    uint32_t pad;
};

#define IMAGE_SETS_MAX 8U

/* Which sets of factors suffice, each as bits of enum sk_policy_factor: one of them, no factor older than `within`. */
struct image_demand {
    struct image_text text;
    uint32_t within; /* s; 0: at any time */
    uint32_t count;
    uint32_t sets[IMAGE_SETS_MAX];
};

/* The fewest factors that are missing beside those proven; 0: it is met. */
static inline uint32_t image_lacks(const struct image_demand *demand, uint32_t proven)
{
    uint32_t best = 0;
    for (uint32_t i = 0; i < demand->count; i++) {
        uint32_t lacks = demand->sets[i] & ~proven;
        if (lacks == 0) {
            return 0;
        }
        best = i == 0 || __builtin_popcount(lacks) < __builtin_popcount(best) ? lacks : best;
    }
    return best;
}

struct image_network {
    struct image_text name;
};

/* Addresses from `start` up to the next entry's start are in exactly the networks of sets[set]. */
struct image_v4 {
    uint32_t start;
    uint32_t set;
};

struct image_v6 {
    uint8_t start[16];
    uint32_t set;
    uint32_t pad;
};

/* A role's parents have lower indexes, so one pass from high to low closes a set over inheritance. */
struct image_role {
    struct image_text name;
    struct sk_policy_set inherits;
    struct sk_policy_set from;
    uint32_t restricted;
    uint32_t demand; /* or SK_IMAGE_NONE */
};

struct image_app {
    struct image_text name;
    struct image_text path; /* "/" or "/a/b", no slash at the end */
    uint64_t hosts;         /* bit for each of the tenant's hosts */
    struct sk_policy_set from;
    uint32_t restricted;
    uint32_t kind;
    uint32_t root; /* node */
    uint32_t demand; /* or SK_IMAGE_NONE */
};

/* A node of an app's path tree. `exact` rules hold when the path ends here, `below` when it ends here or deeper. */
struct image_node {
    struct image_array edges; /* into the edge array: first, count; sorted by label */
    uint32_t any;             /* child for a `*` segment, or SK_IMAGE_NONE */
    uint32_t pad;
    struct image_array exact; /* into the rule array */
    struct image_array below;
};

struct image_edge {
    struct image_text label;
    uint32_t node;
    uint32_t pad;
};

enum image_effect { IMAGE_ALLOW = 0, IMAGE_DENY, IMAGE_STEP_UP };

struct image_rule {
    struct image_text text;
    uint32_t methods; /* bits by image_method; IMAGE_ANY_METHOD for all */
    uint16_t effect;
    uint16_t pad;
    uint32_t of; /* role; for IMAGE_STEP_UP demand */
};

#define IMAGE_ANY_METHOD UINT32_MAX

/* Bit of a method that rules can name, or 0 for one they cannot: that is only matched by `*`. */
uint32_t image_method(struct sk_slice name);
