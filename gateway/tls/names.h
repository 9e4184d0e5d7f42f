/* The names by which a certificate's holder can be known. Pure: whose certificate it is, and whether it is right, is found out elsewhere. */
#pragma once

#include "base/buf.h"

#include <openssl/types.h>

/* rfc822Name, userPrincipalName, uniformResourceIdentifier of the subject alternative name; the whole subject as RFC 2253 writes it. */
enum sk_tls_name { SK_TLS_EMAIL, SK_TLS_UPN, SK_TLS_URI, SK_TLS_SUBJECT };

/* Appended, UTF-8 without control characters. 0; 1 when it has none, or more than one, or another; negative. */
int sk_tls_name_of(X509 *certificate, enum sk_tls_name which, struct sk_buf *out) sk_nodiscard;
