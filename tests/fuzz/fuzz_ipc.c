/* Any bytes are no message, or the one message that is written as these very bytes. The input is an interface's number, a side's bit, and the bytes. */
#include "ipc/auth.h"
#include "ipc/control.h"
#include "ipc/factor.h"
#include "ipc/fetch.h"
#include "ipc/pam.h"
#include "ipc/reader.h"
#include "ipc/serving.h"
#include "ipc/signer.h"
#include "ipc/store.h"
#include "ipc/tenant.h"

#include <stdlib.h>

static const struct sk_ipc_interface *const interfaces[] = {&sk_auth_interface, &sk_control_interface, &sk_factor_interface, &sk_fetch_interface,
        &sk_pam_interface, &sk_signer_interface, &sk_store_interface, &sk_tenant_interface, &sk_reader_interface, &sk_serving_interface};

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    static uint8_t again[SK_IPC_MESSAGE_MAX];
    union sk_ipc_any message;
    const struct sk_ipc_layout *layout;
    if (size < 2) {
        return 0;
    }
    const struct sk_ipc_interface *interface = interfaces[data[0] % SK_COUNT(interfaces)];
    struct sk_slice bytes = sk_slice(data + 2, size - 2);
    if (sk_ipc_decode(interface, data[1], bytes, &message, &layout) == 0) {
        int len = sk_ipc_encode(interface, layout->code, &message, again, sizeof(again));
        if (!(layout->sender & data[1]) || len < 0 || !sk_slice_eq(sk_slice(again, (size_t)len), bytes)) {
            abort();
        }
    }
    return 0;
}
