/* Between the gateway's own pages (reserved.c, account.c), its token endpoint (oauth.c) and its API (api.c). */
#pragma once

#include "proxy/exchange.h"
#include "proxy/form.h"

/* Does no browser say that another site's page asks? */
bool sk_reserved_own_page(const struct sk_exchange *x);
enum sk_session { SK_SESSION_GOOD, SK_SESSION_ASKED, SK_SESSION_NONE, SK_SESSION_UNKNOWN };

/* The browser's session, x->grant when it is good. ASKED: auth is asked first, and the exchange comes again. UNKNOWN: nobody could say. */
enum sk_session sk_reserved_session(struct sk_exchange *x);
/* Did nobody say whether this one, which is not good, would be? */
bool sk_reserved_away(const struct sk_grant *grant);
/* Asks auth in the exchange's name, or answers 503. */
void sk_reserved_ask(struct sk_exchange *x, uint16_t code, void *message);
/* A path of this host to return to, in normal form; "/" for anything else. */
struct sk_slice sk_reserved_return(struct sk_exchange *x, struct sk_slice back);
/* The form token of the browser's cookie, or a fresh one with the cookie to set. */
struct sk_slice sk_reserved_form_token(struct sk_exchange *x, struct sk_slice *set_cookie);
/* `set_cookie` may be empty. */
void sk_reserved_page(struct sk_exchange *x, uint16_t status, enum sk_audit_decision decision, struct sk_slice reason, struct sk_slice page,
        struct sk_slice set_cookie);
void sk_reserved_redirect(struct sk_exchange *x, struct sk_slice to, struct sk_slice reason, struct sk_slice set_cookie);
void sk_reserved_login_page(struct sk_exchange *x, uint16_t status, struct sk_slice reason, struct sk_slice back);
/* The cookie of a session that was just made. */
struct sk_slice sk_reserved_session_cookie(struct sk_exchange *x, const struct sk_auth_grant *m);
/* Has the body gathered, of at most so many bytes: sk_reserved_form gets it. */
enum sk_go sk_reserved_wait_for_form(struct sk_exchange *x, size_t most);
/* 200 with this body. */
void sk_reserved_json(struct sk_exchange *x, struct sk_slice json);

/* trail.c: the API's audit trail. */
bool sk_trail_path(struct sk_slice path);
void sk_trail_serve(struct sk_exchange *x);
void sk_trail_told(struct sk_exchange *x, uint16_t code, const void *message);

/* account.c: what people prove themselves with. */
#define SK_ACCOUNT_PAGE "/.sekisho/account"
#define SK_VERIFY_PAGE "/.sekisho/verify"

bool sk_account_path(struct sk_slice path);
/* One that a browser shows: not what a script asks for. */
bool sk_account_is_page(struct sk_slice path);
enum sk_go sk_account_serve(struct sk_exchange *x);
void sk_account_form(struct sk_exchange *x);
void sk_account_told(struct sk_exchange *x, uint16_t code, const void *message);

/* oauth.c: access tokens for programs. */
bool sk_oauth_path(struct sk_slice path);
enum sk_go sk_oauth_serve(struct sk_exchange *x);
void sk_oauth_form(struct sk_exchange *x);
void sk_oauth_told(struct sk_exchange *x, uint16_t code, const void *message);

/* sign_in.c: at the tenant's identity provider. */
bool sk_sign_in_path(struct sk_slice path);
bool sk_sign_in_is_page(struct sk_slice path);
/* Is it an identity provider, who says that somebody logged out there? */
bool sk_sign_in_from_provider(const struct sk_exchange *x);
enum sk_go sk_sign_in_serve(struct sk_exchange *x);
void sk_sign_in_form(struct sk_exchange *x);
void sk_sign_in_told(struct sk_exchange *x, uint16_t code, const void *message);
