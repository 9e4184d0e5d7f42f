/* Opens tenant images. Pure; runs in the workers. */
#include "conf/image.h"

int sk_image_open(struct sk_image *image, struct sk_slice bytes)
{
    struct sk_image_header header;
    if (bytes.len < sizeof(header)) {
        return 1;
    }
    memcpy(&header, bytes.data, sizeof(header));
    if (header.magic != SK_TENANT_IMAGE_MAGIC || header.size > bytes.len || header.size < sizeof(header) || header.policy > header.size - sizeof(header)) {
        return 1;
    }
    image->bytes = sk_slice_cut(bytes, header.size);
    image->rest = sk_slice_from(image->bytes, sizeof(header) + header.policy);
    return sk_policy_open(&image->policy, sk_slice(bytes.data + sizeof(header), header.policy));
}

int sk_image_next(struct sk_slice *rest, union sk_ipc_any *message, uint16_t *code)
{
    uint32_t len;
    const struct sk_ipc_layout *layout;
    if (rest->len < sizeof(len)) {
        return 1;
    }
    memcpy(&len, rest->data, sizeof(len));
    struct sk_slice bytes = sk_slice_from(*rest, sizeof(len));
    if (len > bytes.len || sk_ipc_decode(&sk_tenant_interface, SK_TENANT_IN_IMAGE, sk_slice_cut(bytes, len), message, &layout)) {
        return 1;
    }
    *code = layout->code;
    *rest = sk_slice_from(bytes, len);
    return 0;
}
