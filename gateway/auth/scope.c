/* Scopes in their two spellings: "APP METHOD,METHOD;…", as tenants' files and grants have them, and "APP:METHOD …", as OAuth does.
 * An empty one is no limit. Runs in auth. Pure. */
#include "auth/programs.h"

/* The next method of a list, which moves on to those behind it. */
static struct sk_slice next_method(struct sk_slice *methods)
{
    return sk_slice_split(methods, ',');
}

static int put(struct sk_buf *out, struct sk_slice app, char between, struct sk_slice method)
{
    int r = sk_buf_put(out, app);
    r = r ? r : sk_buf_put(out, sk_slice(&between, 1));
    return r ? r : sk_buf_put(out, method);
}

int auth_scope_write(struct sk_slice scope, struct sk_buf *out)
{
    int r = 0;
    for (bool first = true; r == 0 && scope.len;) {
        struct sk_slice methods = sk_slice_split(&scope, ';'), app = sk_slice_split(&methods, ' ');
        while (r == 0 && methods.len) {
            r = first ? 0 : sk_buf_put(out, SK_LIT(" "));
            r = r ? r : put(out, app, ':', next_method(&methods));
            first = false;
        }
    }
    return r;
}

/* One more method: behind those of the same app, when that was the last. */
static int add(struct sk_buf *out, struct sk_slice *last, struct sk_slice app, struct sk_slice method)
{
    int r = 0;
    if (last->len && sk_slice_eq(*last, app)) {
        r = sk_buf_put(out, SK_LIT(","));
        return r ? r : sk_buf_put(out, method);
    }
    r = sk_buf_len(out) ? sk_buf_put(out, SK_LIT(";")) : 0;
    *last = app;
    return r ? r : put(out, app, ' ', method);
}

/* Not empty, and nothing in it that stands between two. */
static bool is_word(struct sk_slice word)
{
    for (size_t i = 0; i < word.len; i++) {
        if (word.data[i] == ',' || word.data[i] == ';') {
            return false;
        }
    }
    return word.len > 0;
}

int auth_scope_read(struct sk_slice text, struct sk_buf *out)
{
    struct sk_slice last = SK_SLICE_NULL;
    int r = 0;
    while (r == 0 && text.len) {
        struct sk_slice method = sk_slice_split(&text, ' '), app = sk_slice_split(&method, ':');
        r = is_word(app) && is_word(method) ? add(out, &last, app, method) : 1;
    }
    return r;
}

bool auth_scope_allows(struct sk_slice scope, struct sk_slice app, struct sk_slice method)
{
    bool allowed = scope.len == 0;
    while (!allowed && scope.len) {
        struct sk_slice methods = sk_slice_split(&scope, ';'), of = sk_slice_split(&methods, ' ');
        while (!allowed && methods.len && sk_slice_eq(of, app)) {
            struct sk_slice one = next_method(&methods);
            allowed = sk_slice_eq(one, method) || sk_slice_eq(one, SK_LIT("*"));
        }
    }
    return allowed;
}

int auth_scope_within(struct sk_slice wanted, struct sk_slice scope, struct sk_buf *out)
{
    struct sk_slice last = SK_SLICE_NULL;
    bool all = true;
    int r = wanted.len ? 0 : sk_buf_put(out, scope);
    while (r == 0 && wanted.len) {
        struct sk_slice methods = sk_slice_split(&wanted, ';'), app = sk_slice_split(&methods, ' ');
        while (r == 0 && methods.len) {
            struct sk_slice method = next_method(&methods);
            bool in = auth_scope_allows(scope, app, method);
            all = all && in;
            r = in ? add(out, &last, app, method) : 0;
        }
    }
    return r ? r : all ? 0 : 1;
}
