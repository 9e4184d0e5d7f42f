/* What was verified of programs, remembered as keyed hashes. Between auth's own files. */
#pragma once

#include "auth/auth.h"

#define REMEMBER_LIFETIME (300 * SK_SECOND)
#define REMEMBERED_OF_TENANT 20000 /* then its oldest is forgotten, and verified again when it comes */

/* A verified password or key, as a keyed hash, for a short time. */
struct remembered {
    struct sk_table_node by_key, by_session;
    struct remembered *newer, *older; /* of the tenant */
    struct tenant *tenant;
    uint8_t key[SK_SHA256_SIZE];
    char session[65];
    char name[257];
    enum sk_policy_factor factor;
    uint64_t until;      /* boot ns */
    uint64_t expires;    /* wall ns, of a key or token; 0: never */
    const struct issuer *issuer; /* of a token: who it is stands in `user`, and not in the store */
    struct user user;
    uint8_t credential[SK_SHA256_SIZE]; /* of a program: what tokens that it asks for are tied to */
    struct binding binding; /* of a token */
    uint64_t noted; /* boot ns: of a key, when the store was told that it is used; else 0 */
    char *scope; /* of an access token, owned: "APP METHODS", semicolon between; NULL: of anything else */
};

/* A password is remembered for the network it was right from: from another, a guess that hits is an attempt like any other. As it was
 * typed: auth does not know the normal form of passwords, and another spelling of the same one is verified once more. */
void auth_remember_key(const struct auth *auth, const uint8_t tenant[SK_ID_SIZE], struct sk_slice network, struct sk_slice name,
        struct sk_slice password, uint8_t key[SK_SHA256_SIZE]);
struct remembered *auth_remembered(struct auth *auth, const uint8_t key[SK_SHA256_SIZE]);
struct remembered *auth_remembered_session(struct auth *auth, const uint8_t tenant[SK_ID_SIZE], struct sk_slice session);
/* Whatever this issuer's tokens were remembered for is void: for the workers too. */
void auth_forget_issuer(struct auth *auth, struct tenant *tenant, const struct issuer *issuer);
/* Its session's name begins with "basic-", whatever it is; when `session` is empty a new one is made. */
struct remembered *auth_remember(struct auth *auth, struct tenant *tenant, struct sk_slice name, const uint8_t key[SK_SHA256_SIZE],
        enum sk_policy_factor factor, uint64_t expires, struct sk_slice session);
/* Of the session, of the subject, or of both; either may be empty. */
void auth_forget(struct auth *auth, struct tenant *tenant, struct sk_slice session, struct sk_slice subject);
