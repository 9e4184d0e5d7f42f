/*
 * A tenant's image: all that workers need of one tenant, flat, in shared memory. A header, the policy image, then
 * settings, hosts, certificates and apps as messages of ipc/tenant.h, each with a 32-bit length before it.
 */
#pragma once

#include "conf/conf.h"
#include "ipc/tenant.h"

#define SK_TENANT_IMAGE_MAGIC 0x494d4b53U /* "SKMI" */

struct sk_image_header {
    uint32_t magic;
    uint32_t size;   /* of all */
    uint32_t policy; /* bytes of the policy image, which follows */
    uint32_t pad;
};

struct sk_image {
    struct sk_slice bytes;
    struct sk_policy policy;
    struct sk_slice rest; /* the messages */
};

/*
 * Compiles a tenant file into `image`. Reads the certificate, key and CA files it names.
 * 0; 1 refused, with `error` filled; negative.
 */
int sk_image_compile(const struct sk_conf *conf, const struct sk_conf_tenant *tenant, const char *file, struct sk_slice text,
        struct sk_buf *image, struct sk_conf_error *error) sk_nodiscard;

/* Documents that were fetched, by the id of their source; empty: not yet. */
struct sk_image_documents {
    struct sk_slice (*find)(void *context, const uint8_t id[SK_ID_SIZE]);
    void *context;
};

/* Puts the same image with what was fetched in its place. 0 or negative. */
int sk_image_fill(struct sk_slice bytes, const struct sk_image_documents *documents, struct sk_buf *image) sk_nodiscard;

/* Opens and checks. `bytes` is 8-byte aligned. 0 or 1. */
int sk_image_open(struct sk_image *image, struct sk_slice bytes) sk_nodiscard;
/* Takes the next message off image->rest. 0; 1 at the end or malformed. */
int sk_image_next(struct sk_slice *rest, union sk_ipc_any *message, uint16_t *code) sk_nodiscard;

/* A tenant's id: the first 16 bytes of a hash of service and name, so that a file moved to another node keeps it. */
void sk_image_tenant_id(const char *service, const char *tenant, uint8_t id[SK_ID_SIZE]);
