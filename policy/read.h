/* Typed access to an opened image's arrays, for the engine's own files. */
#pragma once

#include "policy/image.h"

static inline const struct image_header *image_header(const struct sk_policy *p)
{
    return (const struct image_header *)(const void *)p->bytes;
}

#define IMAGE_ARRAY(function, type, member)                                                                  \
    static inline const type *function(const struct sk_policy *p)                                            \
    {                                                                                                        \
        return (const type *)(const void *)(p->bytes + image_header(p)->member.offset);                      \
    }

IMAGE_ARRAY(image_hosts, struct image_text, hosts)
IMAGE_ARRAY(image_networks, struct image_network, networks)
IMAGE_ARRAY(image_v4s, struct image_v4, v4)
IMAGE_ARRAY(image_v6s, struct image_v6, v6)
IMAGE_ARRAY(image_sets, struct sk_policy_set, sets)
IMAGE_ARRAY(image_roles, struct image_role, roles)
IMAGE_ARRAY(image_apps, struct image_app, apps)
IMAGE_ARRAY(image_nodes, struct image_node, nodes)
IMAGE_ARRAY(image_edges, struct image_edge, edges)
IMAGE_ARRAY(image_rules, struct image_rule, rules)
IMAGE_ARRAY(image_demands, struct image_demand, demands)
IMAGE_ARRAY(image_texts, char, texts)

static inline struct sk_slice image_text(const struct sk_policy *p, struct image_text text)
{
    return sk_slice(image_texts(p) + text.offset, text.len);
}
