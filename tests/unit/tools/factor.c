/* gateway/factor: what is right, what is wrong, and which strings are refused, over the real channel and in the real sandbox. */
#include "factor/hash.h"
#include "helper.h"
#include "ipc/factor.h"
#include "tests/unit/factor/vectors.h"

#include <argon2.h>
#include <criterion/criterion.h>
#include <signal.h>
#include <sys/socket.h>
#include <unistd.h>

static const struct helper_side side = {&sk_factor_interface, SK_FACTOR_FROM_HELPER};

static void make_hash(char out[SK_HASH_TEXT], const char *password, size_t len, uint32_t memory, uint32_t passes, uint32_t lanes)
{
    cr_assert_eq(argon2id_hash_encoded(passes, memory, lanes, password, len, "0123456789abcdef", 16, 32, out, SK_HASH_TEXT), ARGON2_OK);
}

static uint64_t verify(struct helper *helper, uint64_t ticket, const char *hash, struct sk_slice password)
{
    struct sk_factor_verify m = {.ticket = ticket, .hash = sk_slice_str(hash), .password = password};
    union sk_ipc_any answer;
    const struct sk_factor_verdict *verdict = (const struct sk_factor_verdict *)(void *)&answer;
    helper_send(helper->auth, &sk_factor_interface, SK_FACTOR_VERIFY, &m, NULL, 0);
    cr_assert_eq(helper_receive(helper->auth, &side, &answer), SK_FACTOR_VERDICT);
    cr_assert_eq(verdict->ticket, ticket);
    return verdict->result;
}

Test(factor, a_ping_is_sent_back_as_it_came)
{
    static const struct helper_side control = {&sk_control_interface, SK_CONTROL_FROM_CHILD};
    struct helper helper;
    union sk_ipc_any answer;
    helper_start(&helper, "SEKISHO_FACTOR", "");
    for (uint64_t number = 1; number < 1000000000; number *= 1000) {
        struct sk_control_ping ping = {.number = number};
        helper_send(helper.control, &sk_control_interface, SK_CONTROL_PING, &ping, NULL, 0);
        cr_assert_eq(helper_receive(helper.control, &control, &answer), SK_CONTROL_PING);
        cr_assert_eq(((const struct sk_control_ping *)(const void *)&answer)->number, number);
    }
    helper_stop(&helper);
}

Test(factor, only_the_right_password_is_right)
{
    struct helper helper;
    char hash[SK_HASH_TEXT];
    static char longest[1024];
    memset(longest, 'x', sizeof(longest));
    helper_start(&helper, "SEKISHO_FACTOR", "");
    make_hash(hash, "correct horse battery", 21, 19456, 2, 1);
    cr_expect_eq(verify(&helper, 1, hash, SK_LIT("correct horse battery")), 0);
    cr_expect_eq(verify(&helper, 2, hash, SK_LIT("correct horse batterY")), 1);
    cr_expect_eq(verify(&helper, 3, hash, SK_LIT("correct horse batter")), 1);
    cr_expect_eq(verify(&helper, 4, hash, SK_SLICE_NULL), 1);
    cr_expect_eq(verify(&helper, 5, hash, SK_LIT("correct horse battery\0")), 1);
    make_hash(hash, longest, sizeof(longest), 64, 1, 4);
    cr_expect_eq(verify(&helper, 6, hash, sk_slice(longest, sizeof(longest))), 0);
    cr_expect_eq(verify(&helper, UINT64_MAX, hash, sk_slice(longest, sizeof(longest) - 1)), 1);
    helper_stop(&helper);
}

Test(factor, a_password_is_one_however_it_is_spelt)
{
    struct helper helper;
    char hash[SK_HASH_TEXT];
    helper_start(&helper, "SEKISHO_FACTOR", "");
    make_hash(hash, "caf\xc3\xa9 au lait", 13, 64, 1, 1);
    cr_expect_eq(verify(&helper, 1, hash, SK_LIT("caf\xc3\xa9 au lait")), 0);
    cr_expect_eq(verify(&helper, 2, hash, SK_LIT("cafe\xcc\x81 au lait")), 0);
    cr_expect_eq(verify(&helper, 3, hash, SK_LIT("cafe au lait")), 1);
    struct sk_factor_hash ask = {.ticket = 4, .password = SK_LIT("tsurezure cafe\xcc\x81")};
    union sk_ipc_any answer;
    const struct sk_factor_hashed *hashed = (const struct sk_factor_hashed *)(void *)&answer;
    for (ask.least = 0; ask.least <= 8; ask.least += 8) {
        helper_send(helper.auth, &sk_factor_interface, SK_FACTOR_HASH, &ask, NULL, 0);
        cr_assert_eq(helper_receive(helper.auth, &side, &answer), SK_FACTOR_HASHED);
        cr_assert(hashed->reason.len == 0 && hashed->hash.len < SK_HASH_TEXT);
        memcpy(hash, hashed->hash.data, hashed->hash.len);
        hash[hashed->hash.len] = '\0';
        cr_expect_eq(argon2id_verify(hash, "tsurezure caf\xc3\xa9", 15), ARGON2_OK);
    }
    helper_stop(&helper);
}

/* Whether it was computed: a hash that libargon2 takes for none is told apart from a wrong password. */
Test(factor, what_is_no_text_is_wrong_at_the_same_cost)
{
    struct helper helper;
    char hash[SK_HASH_TEXT];
    helper_start(&helper, "SEKISHO_FACTOR", "");
    make_hash(hash, "\xff\xfe", 2, 64, 1, 1);
    cr_expect_eq(verify(&helper, 1, hash, SK_LIT("\xff\xfe")), 1);
    make_hash(hash, "", 0, 64, 1, 1);
    cr_expect_eq(verify(&helper, 2, hash, SK_LIT("\xff\xfe")), 1);
    cr_expect_eq(verify(&helper, 3, "$argon2id$v=19$m=64,t=1,p=1$!!!!$AAAA", SK_LIT("\xff\xfe")), 2);
    helper_stop(&helper);
}

Test(factor, a_string_that_is_no_hash_is_said_to_be_none)
{
    static const char *const bad[] = {"", "$", "$argon2id$", "plain", "$argon2i$v=19$m=64,t=1,p=1$MDEyMzQ1Njc4OWFiY2RlZg$AAAA",
            "$argon2id$v=16$m=64,t=1,p=1$MDEyMzQ1Njc4OWFiY2RlZg$AAAA", "$argon2id$v=19$m=64,t=1,p=1", "$argon2id$v=19$m=64,t=1,p=1$$",
            "$argon2id$v=19$m=64,t=1,p=1$MDEyMzQ1Njc4OWFiY2RlZg$A", "$argon2id$v=19$m=-1,t=1,p=1$MDEyMzQ1Njc4OWFiY2RlZg$AAAA",
            "$argon2id$v=19$m=64,t=0,p=1$MDEyMzQ1Njc4OWFiY2RlZg$AAAA", "$argon2id$v=19$t=1,m=64,p=1$MDEyMzQ1Njc4OWFiY2RlZg$AAAA",
            "$argon2id$v=19$m=64,t=1,p=1$!!!!$AAAA", "$6$salt$hash", "$argon2id$v=19$m=18446744073709551680,t=1,p=1$MDEy$AAAA"};
    struct helper helper;
    helper_start(&helper, "SEKISHO_FACTOR", "");
    for (size_t i = 0; i < SK_COUNT(bad); i++) {
        cr_expect_eq(verify(&helper, i, bad[i], SK_LIT("password")), 2, "%s", bad[i]);
    }
    helper_stop(&helper);
}

Test(factor, costs_that_would_take_the_machine_are_refused_before_anything_is_computed)
{
    struct helper helper;
    char hash[SK_HASH_TEXT], text[SK_HASH_TEXT];
    struct sk_hash_costs costs;
    helper_start(&helper, "SEKISHO_FACTOR", "");
    make_hash(hash, "password", 8, 64, 1, 1);
    const char *tail = strstr(hash, "$MDEy");
    static const char *const heavy[] = {"m=262145,t=1,p=1", "m=4294967295,t=1,p=1", "m=64,t=17,p=1", "m=64,t=1,p=5", "m=64,t=4000000000,p=1"};
    for (size_t i = 0; i < SK_COUNT(heavy); i++) {
        (void)snprintf(text, sizeof(text), "$argon2id$v=19$%s%s", heavy[i], tail);
        cr_expect_eq(verify(&helper, i, text, SK_LIT("password")), 2, "%s", text);
    }
    (void)snprintf(text, sizeof(text), "$argon2id$v=19$m=262144,t=16,p=4%s", tail);
    cr_expect_eq(sk_hash_parse(sk_slice_str(text), &costs), 0);
    cr_expect(costs.memory == 262144 && costs.passes == 16 && costs.lanes == 4);
    helper_stop(&helper);
}

/* Every library of it has read its files before they are gone: the formats and algorithms differ in what they need. */
Test(factor, authenticators_are_verified_without_files)
{
    static const char *const names[] = {"packed.RS256", "tpm.ES256", "fido-u2f.ES256", "packed.EdDSA", "packed.ES384"};
    struct helper helper;
    helper_start(&helper, "SEKISHO_FACTOR", "");
    for (size_t i = 0; i < SK_COUNT(names); i++) {
        const struct vector *vector = vector_named(names[i]);
        union sk_ipc_any answer;
        const struct sk_factor_registered *registered = (const struct sk_factor_registered *)(void *)&answer;
        const struct sk_factor_asserted *asserted = (const struct sk_factor_asserted *)(void *)&answer;
        struct sk_factor_register r = vector_registration(vector);
        struct sk_factor_assert a = vector_assertion_of(vector);
        r.policy = SK_FACTOR_ATTESTED;
        helper_send(helper.auth, &sk_factor_interface, SK_FACTOR_REGISTER, &r, NULL, 0);
        cr_assert_eq(helper_receive(helper.auth, &side, &answer), SK_FACTOR_REGISTERED);
        cr_expect(registered->ticket == 7 && registered->reason.len == 0 && registered->attested == 1, "%s", vector->name);
        cr_expect(sk_slice_eq(registered->key, a.key), "%s", vector->name);
        helper_send(helper.auth, &sk_factor_interface, SK_FACTOR_ASSERT, &a, NULL, 0);
        cr_assert_eq(helper_receive(helper.auth, &side, &answer), SK_FACTOR_ASSERTED);
        cr_expect(asserted->ticket == 8 && asserted->reason.len == 0, "%s", vector->name);
        a.challenge = r.challenge;
        helper_send(helper.auth, &sk_factor_interface, SK_FACTOR_ASSERT, &a, NULL, 0);
        cr_assert_eq(helper_receive(helper.auth, &side, &answer), SK_FACTOR_ASSERTED);
        cr_expect(sk_slice_eq(asserted->reason, SK_LIT("wrong-challenge")), "%s", vector->name);
    }
    helper_stop(&helper);
}

Test(factor, the_longest_question_comes_through)
{
    static char longest[24576];
    struct helper helper;
    union sk_ipc_any answer;
    struct sk_factor_register ask = vector_registration(vector_named("none.ES256"));
    helper_start(&helper, "SEKISHO_FACTOR", "");
    memset(longest, 'x', sizeof(longest));
    ask.rp_id = sk_slice(longest, 253);
    ask.origins = ask.allow = ask.deny = ask.client_data = sk_slice(longest, 4096);
    ask.challenge = sk_slice(longest, 128);
    ask.attestation = sk_slice(longest, 16384);
    ask.roots = sk_slice(longest, sizeof(longest));
    helper_send(helper.auth, &sk_factor_interface, SK_FACTOR_REGISTER, &ask, NULL, 0);
    cr_assert_eq(helper_receive(helper.auth, &side, &answer), SK_FACTOR_REGISTERED);
    cr_expect(sk_slice_eq(((const struct sk_factor_registered *)(void *)&answer)->reason, SK_LIT("malformed")));
    helper_stop(&helper);
}

Test(factor, a_new_auth_replaces_the_old_and_a_breach_ends_only_the_channel)
{
    struct helper helper;
    char hash[SK_HASH_TEXT];
    union sk_ipc_any message;
    helper_start(&helper, "SEKISHO_FACTOR", "");
    make_hash(hash, "password", 8, 64, 1, 1);
    helper_new_auth(&helper);
    cr_expect_eq(verify(&helper, 1, hash, SK_LIT("password")), 0);
    cr_assert_eq(send(helper.auth, "\xff\xff garbage", 10, 0), 10);
    cr_expect_eq(helper_receive(helper.auth, &side, &message), 0);
    helper_new_auth(&helper);
    cr_expect_eq(verify(&helper, 2, hash, SK_LIT("password")), 0);
    helper_stop(&helper);
}

Test(factor, it_ends_when_the_supervisor_is_gone)
{
    struct helper helper;
    helper_start(&helper, "SEKISHO_FACTOR", "");
    (void)shutdown(helper.control, SHUT_RDWR);
    cr_expect_eq(helper_wait(&helper), 0);
}
