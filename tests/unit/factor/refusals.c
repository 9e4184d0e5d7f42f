/* gateway/factor/webauthn.c: each reason is given for what it names, by one change of a good registration or assertion. */
#include "made.h"

#include <cbor.h>
#include <criterion/criterion.h>
#include <fido.h>

static struct made_cert root, leaf;
static bool reached[64];

/* The linker puts these before the libraries' own: the call of this number, counted down to 0, has no memory. */
static int until_failure = -1;

#define FAILING(type, name, parameters, arguments)                                                           \
    type __real_##name parameters;                                                                           \
    type __wrap_##name parameters;                                                                           \
    type __wrap_##name parameters                                                                            \
    {                                                                                                        \
        return until_failure >= 0 && until_failure-- == 0 ? NULL : __real_##name arguments;                  \
    }

FAILING(cbor_item_t *, cbor_load, (cbor_data source, size_t size, struct cbor_load_result *result), (source, size, result))
FAILING(fido_cred_t *, fido_cred_new, (void), ())
FAILING(fido_assert_t *, fido_assert_new, (void), ())
FAILING(X509_STORE *, X509_STORE_new, (void), ())

static void begin(void)
{
    made_cert(&root, &(struct made_cert_spec){.authority = 1});
    made_cert(&leaf, &(struct made_cert_spec){.issuer = &root});
}

TestSuite(webauthn_refusals, .init = begin);

static struct made packed(void)
{
    struct made made;
    made_init(&made);
    made.format = "packed";
    made.chain[0] = &leaf;
    made.chain_count = 1;
    return made;
}

static void expect_registered(const struct sk_factor_register *ask, enum sk_webauthn_outcome outcome, const char *reason)
{
    static const struct sk_factor_registered nothing;
    struct sk_factor_registered said;
    cr_expect_eq(sk_webauthn_register(ask, &said), outcome, "%s, not %.*s", reason, (int)said.reason.len, said.reason.data);
    cr_expect(sk_slice_eq(said.reason, sk_slice_str(reason)), "%s", reason);
    said.reason = SK_SLICE_NULL;
    cr_expect(outcome == SK_WEBAUTHN_GOOD || memcmp(&said, &nothing, sizeof(said)) == 0, "%s: it tells something", reason);
    reached[outcome] = true;
}

static void expect_asserted(const struct sk_factor_assert *ask, enum sk_webauthn_outcome outcome, const char *reason)
{
    struct sk_factor_asserted said;
    cr_expect_eq(sk_webauthn_assert(ask, &said), outcome, "%s, not %.*s", reason, (int)said.reason.len, said.reason.data);
    cr_expect(sk_slice_eq(said.reason, sk_slice_str(reason)), "%s", reason);
    cr_expect(outcome == SK_WEBAUTHN_GOOD || (said.counter == 0 && said.flags == 0), "%s: it tells something", reason);
    reached[outcome] = true;
}

/* A change of each kind; `ask` is good before. */
#define REGISTER(outcome, reason, change)                                                                    \
    do {                                                                                                     \
        struct made made = packed();                                                                         \
        struct sk_factor_register ask = made_registration(&made);                                            \
        ask.roots = made_der(&root);                                                                         \
        ask.policy = SK_FACTOR_ATTESTED;                                                                     \
        change;                                                                                              \
        expect_registered(&ask, SK_WEBAUTHN_##outcome, reason);                                              \
    } while (0)
/* A change of the authenticator itself. */
#define MADE(outcome, reason, change)                                                                        \
    do {                                                                                                     \
        struct made made = packed();                                                                         \
        change;                                                                                              \
        struct sk_factor_register ask = made_registration(&made);                                            \
        ask.roots = made_der(&root);                                                                         \
        expect_registered(&ask, SK_WEBAUTHN_##outcome, reason);                                              \
    } while (0)
#define ASSERT(outcome, reason, before, change)                                                              \
    do {                                                                                                     \
        struct made made = packed();                                                                         \
        (void)made_registration(&made);                                                                      \
        before;                                                                                              \
        struct sk_factor_assert ask = made_assertion(&made);                                                 \
        change;                                                                                              \
        expect_asserted(&ask, SK_WEBAUTHN_##outcome, reason);                                                \
    } while (0)

static void questions(void)
{
    REGISTER(QUESTION, "bad-question", ask.rp_id = SK_SLICE_NULL);
    REGISTER(QUESTION, "bad-question", ask.rp_id = SK_LIT("login.example\0.other"));
    REGISTER(QUESTION, "bad-question", ask.origins = SK_SLICE_NULL);
    REGISTER(QUESTION, "bad-question", ask.challenge = SK_LIT("only fifteen..."));
    REGISTER(QUESTION, "bad-question", ask.allow = SK_LIT("fifteen bytes.."));
    REGISTER(QUESTION, "bad-question", ask.deny = SK_LIT("seventeen bytes.."));
    REGISTER(QUESTION, "bad-question", ask.now = UINT64_MAX);
    REGISTER(QUESTION, "bad-question", ask.roots = SK_LIT("no certificate"));
    REGISTER(QUESTION, "bad-question", ask.roots = made_join(ask.roots, SK_LIT("more")));
    REGISTER(QUESTION, "bad-question", ask.roots = made_join(made_pem(&root), SK_LIT("-----BEGIN CERTIFICATE-----\nMIIB\n-----END CERTIFICATE-----\n")));
    REGISTER(QUESTION, "bad-question", ask.roots = made_join(made_pem(&root), sk_slice_cut(made_pem(&root), 200)));
    ASSERT(QUESTION, "bad-question", (void)0, ask.key = SK_LIT("\xa0"));
    ASSERT(QUESTION, "bad-question", (void)0, ask.key = made_join(ask.key, SK_LIT("\xa0")));
    ASSERT(QUESTION, "bad-question", (void)0, ask.key = SK_SLICE_NULL);
}

static void client_data(void)
{
    REGISTER(MALFORMED, "malformed", ask.client_data = SK_LIT("{}"));
    REGISTER(TYPE, "wrong-type", ask.client_data = made_assertion(&made).client_data);
    REGISTER(CHALLENGE, "wrong-challenge", ask.challenge = SK_LIT("the bytes of a challengE"));
    REGISTER(ORIGIN, "wrong-origin", ask.origins = SK_LIT("https://login.example\nhttps://login.example:8444"));
    MADE(CROSS_ORIGIN, "cross-origin", made.members = ",\"crossOrigin\":true");
    MADE(CROSS_ORIGIN, "cross-origin", made.members = ",\"topOrigin\":\"https://login.example:8443\"");
    ASSERT(TYPE, "wrong-type", (void)0, ask.client_data = made_registration(&made).client_data);
    ASSERT(CHALLENGE, "wrong-challenge", (void)0, ask.challenge = SK_LIT("the bytes of a challengE"));
    ASSERT(ORIGIN, "wrong-origin", (void)0, ask.origins = SK_LIT("http://login.example:8443"));
}

static void users(void)
{
    REGISTER(RP, "wrong-rp", ask.rp_id = SK_LIT("example"));
    MADE(ABSENT, "user-not-present", made.flags = 0x44);
    REGISTER(UNVERIFIED, "user-not-verified", ask.policy |= SK_FACTOR_USER_VERIFIED);
    ASSERT(RP, "wrong-rp", (void)0, ask.rp_id = SK_LIT("login.examples"));
    ASSERT(ABSENT, "user-not-present", made.flags = 0, (void)0);
    ASSERT(UNVERIFIED, "user-not-verified", (void)0, ask.policy = SK_FACTOR_USER_VERIFIED);
    ASSERT(GOOD, "", made.flags |= SK_FACTOR_UV, ask.policy = SK_FACTOR_USER_VERIFIED);
}

static void backups(void)
{
    struct made synced = packed();
    synced.flags |= SK_FACTOR_BE;
    struct sk_factor_register plain = made_registration(&synced);
    expect_registered(&plain, SK_WEBAUTHN_GOOD, "");
    plain.policy = SK_FACTOR_NOT_SYNCED;
    expect_registered(&plain, SK_WEBAUTHN_SYNCED, "synced-passkey");
    MADE(MALFORMED, "malformed", made.flags |= SK_FACTOR_BS);
    ASSERT(GOOD, "", made.flags |= SK_FACTOR_BE | SK_FACTOR_BS, (void)0);
    ASSERT(SYNCED, "synced-passkey", made.flags |= SK_FACTOR_BE, ask.policy = SK_FACTOR_NOT_SYNCED);
    ASSERT(BACKUP, "backup-flags-changed", made.flags |= SK_FACTOR_BE, ask.eligible = 0);
    ASSERT(BACKUP, "backup-flags-changed", (void)0, ask.eligible = 1);
    ASSERT(MALFORMED, "malformed", made.flags |= SK_FACTOR_BS, (void)0);
}

static void counters(void)
{
    ASSERT(GOOD, "", made.counter = 6, ask.counter = 5);
    ASSERT(GOOD, "", made.counter = UINT32_MAX, ask.counter = UINT32_MAX - 1U);
    ASSERT(COUNTER, "counter-went-back", made.counter = 5, ask.counter = 5);
    ASSERT(COUNTER, "counter-went-back", made.counter = 0, ask.counter = 1);
    ASSERT(COUNTER, "counter-went-back", made.counter = 4, ask.counter = UINT32_MAX);
}

static void attestations(void)
{
    static const struct sk_slice it = SK_LIT("0123456789abcdef"), other = SK_LIT("another aaguid..");
    struct made none = packed();
    none.format = "none";
    struct sk_factor_register plain = made_registration(&none);
    expect_registered(&plain, SK_WEBAUTHN_GOOD, "");
    plain.policy = SK_FACTOR_ATTESTED;
    expect_registered(&plain, SK_WEBAUTHN_UNATTESTED, "attestation-required");
    MADE(FORMAT, "attestation-format-not-allowed", made.format = "android-safetynet");
    REGISTER(GOOD, "", (void)0);
    REGISTER(UNTRUSTED, "attestation-untrusted", ask.roots = SK_SLICE_NULL);
    REGISTER(UNTRUSTED, "attestation-untrusted", ask.now += 1001);
    REGISTER(GOOD, "", ask.policy = 0; ask.now += 1001);
    REGISTER(GOOD, "", ask.allow = made_join(other, it); ask.deny = other);
    REGISTER(AUTHENTICATOR, "authenticator-not-allowed", ask.allow = other);
    REGISTER(AUTHENTICATOR, "authenticator-not-allowed", ask.deny = made_join(other, it));
    REGISTER(AUTHENTICATOR, "authenticator-not-allowed", ask.deny = it; ask.allow = it);
    REGISTER(SIGNATURE, "bad-signature", made.client_data = made_join(SK_LIT(" "), ask.client_data); ask.client_data = made.client_data);
    REGISTER(CBOR, "cbor-not-canonical", ask.attestation = made_join(ask.attestation, SK_LIT("\xf6")));
    MADE(ALGORITHM, "algorithm-not-allowed", made.statement_algorithm = -37);
}

/* One failure after the other, until none is left. */
static void failures(void)
{
    for (int after = 0; after <= 4; after++) {
        struct made made = packed();
        struct sk_factor_register ask = made_registration(&made);
        ask.roots = made_der(&root);
        until_failure = after;
        if (after == 4) { /* the key, the statement, its verification, the chain */
            expect_registered(&ask, SK_WEBAUTHN_GOOD, "");
        } else {
            expect_registered(&ask, SK_WEBAUTHN_BROKEN, "not-checked");
        }
        until_failure = -1;
    }
    for (int after = 0; after <= 2; after++) {
        struct made made = packed();
        (void)made_registration(&made);
        struct sk_factor_assert ask = made_assertion(&made);
        until_failure = after;
        if (after == 2) { /* the key, the verification */
            expect_asserted(&ask, SK_WEBAUTHN_GOOD, "");
        } else {
            expect_asserted(&ask, SK_WEBAUTHN_BROKEN, "not-checked");
        }
        until_failure = -1;
    }
}

Test(webauthn_refusals, each_reason_is_given_for_what_it_names)
{
    questions();
    client_data();
    users();
    backups();
    counters();
    attestations();
    failures();
#define REACHED(NAME, text) cr_expect(reached[SK_WEBAUTHN_##NAME], "nothing is refused as %s", text);
    SK_WEBAUTHN_REASONS(REACHED)
}

/* What a client writes into a statement that nobody vouches for must not pass a list. */
Test(webauthn_refusals, an_aaguid_that_nobody_vouches_for_is_on_no_list)
{
    static const struct sk_slice it = SK_LIT("0123456789abcdef"), other = SK_LIT("another aaguid..");
    const char *const formats[] = {"none", "packed"};
    for (size_t i = 0; i < SK_COUNT(formats); i++) {
        struct made made = packed();
        made.format = formats[i];
        made.chain_count = 0;
        struct sk_factor_register ask = made_registration(&made);
        ask.roots = made_der(&root);
        expect_registered(&ask, SK_WEBAUTHN_GOOD, "");
        ask.allow = it;
        expect_registered(&ask, SK_WEBAUTHN_UNATTESTED, "attestation-required");
        ask.allow = SK_SLICE_NULL;
        ask.deny = other;
        expect_registered(&ask, SK_WEBAUTHN_UNATTESTED, "attestation-required");
    }
    struct made_cert stranger, strangers;
    made_cert(&stranger, &(struct made_cert_spec){.authority = 1});
    made_cert(&strangers, &(struct made_cert_spec){.issuer = &stranger});
    struct made made = packed();
    made.chain[0] = &strangers;
    struct sk_factor_register ask = made_registration(&made);
    ask.roots = made_der(&root);
    ask.allow = it;
    expect_registered(&ask, SK_WEBAUTHN_UNTRUSTED, "attestation-untrusted");
    ask.allow = SK_SLICE_NULL;
    ask.deny = other;
    expect_registered(&ask, SK_WEBAUTHN_UNTRUSTED, "attestation-untrusted");
}
