/* The gateway's own pages, and what they are written with: text is escaped, a page is whole or none. */
#pragma once

#include "proxy/exchange.h"

struct sk_page {
    struct sk_buf buf;
    bool japanese, said; /* said: there is a message */
    int failed;
};

/* The page, up to its heading. */
void sk_page_open(struct sk_page *page, bool japanese, const char *ja, const char *en);
/* The finished page in the arena; the null slice when it was too long. */
struct sk_slice sk_page_close(struct sk_page *page, struct sk_arena *arena);
void sk_page_raw(struct sk_page *page, const char *html);
void sk_page_text(struct sk_page *page, struct sk_slice text);
void sk_page_say(struct sk_page *page, const char *ja, const char *en);
void sk_page_hidden(struct sk_page *page, const char *name, struct sk_slice value);
/* What a reason code means to who reads it; nothing for an empty one. */
void sk_page_message(struct sk_page *page, struct sk_slice reason);
/* In the tag of what has the focus: with it, a message is read aloud. */
void sk_page_focus(struct sk_page *page);
/* The status of what was refused for it: 403 or 429 where its reader can do something about it, else 503. */
uint16_t sk_page_status(struct sk_slice reason);
/* The head of a form that the script fills (passkey.js), hidden from who has none. `purpose`: "prove" or "register"; `session`: it is about
 * the user of the browser's session. */
void sk_page_ceremony(struct sk_page *page, const char *purpose, bool session, const char *action, struct sk_slice form_token);
/* The script, at the end of a page that has such a form. */
void sk_page_script(struct sk_page *page);
/* Where else the site's people sign in. `back`: where they want to go. */
void sk_page_providers(struct sk_page *page, const struct sk_site *site, struct sk_slice back);

/* Content-Security-Policy of every answer of the gateway's own: nothing but the style of its pages. Static. */
struct sk_slice sk_page_policy(void);
/* The language that the browser asks for. */
bool sk_page_japanese(const struct sk_request *request);
/* Does whoever asks name HTML among what is accepted? Browsers do for what they are to show; programs take anything. */
bool sk_page_is_wanted(const struct sk_request *request);

/* pages.c: whole pages; the null slice when one would be too long. */
/* `user`: the ID that was typed before. `state` and `prompts`: what more is asked (SK_AUTH_PROMPT). */
struct sk_slice sk_page_login(struct sk_arena *arena, bool japanese, const struct sk_site *site, struct sk_slice form_token, struct sk_slice back, struct sk_slice message,
        struct sk_slice user, struct sk_slice state, struct sk_slice prompts);
/* Whatever was refused, or could not be done, with that status. `where`: host and path that were asked for. `subject` may be empty. */
struct sk_slice sk_page_denied(struct sk_arena *arena, bool japanese, uint16_t status, struct sk_slice reason, struct sk_slice id, struct sk_slice where, struct sk_slice subject);
struct sk_slice sk_page_logout(struct sk_arena *arena, bool japanese, struct sk_slice form_token, bool done);
struct sk_slice sk_page_problem(struct sk_arena *arena, uint16_t status, struct sk_slice reason, struct sk_slice id, struct sk_slice where);
