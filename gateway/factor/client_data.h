/* What the browser says it did (WebAuthn Level 3, section 5.8.1): of this type, this challenge, an allowed origin, no frame of another's. */
#pragma once

#include "factor/webauthn.h"

/* What is expected. `type`: "webauthn.create" or "webauthn.get". `origins`: one a line. */
struct sk_client_data {
    struct sk_slice type;
    struct sk_slice challenge;
    struct sk_slice origins;
};

/* `json`: clientDataJSON. Members that it does not know are let be; a name twice is not. */
enum sk_webauthn_outcome sk_client_data_check(const struct sk_client_data *expected, struct sk_slice json) sk_nodiscard;
