/*
 * sekisho session list and session revoke: a client of the gateway's own API, with HTTP Basic over verified TLS. What
 * the caller may do there is decided there. GET gives {"sessions": [{"id", "subject", "address", "started", "used"}], "total"},
 * DELETE gives {"ended": NUMBER}, an error application/problem+json (RFC 9457) with "reason" and "id" besides.
 */
#include "tools/tools.h"

#include "base/buf.h"
#include "base/clock.h"

#include <curl/curl.h>
#include <errno.h>
#include <jansson.h>
#include <stdlib.h>

#define API "/.sekisho/api/v1/sessions"
#define ANSWER_MAX ((size_t)16 << 20)
#define TIMEOUT_SECONDS 30L

/* The order of both commands' options. */
enum { SERVER, USER, PASSWORD_FILE, CACERT, RESOLVE, OF, OUTPUT };

struct call {
    CURL *curl;
    struct curl_slist *resolve;
    char *url;
    struct sk_buf answer;
    char password[1025];
    char error[CURL_ERROR_SIZE];
    long status;
};

static void call_free(struct call *call)
{
    curl_easy_cleanup(call->curl);
    curl_slist_free_all(call->resolve);
    free(call->url);
    sk_buf_free(&call->answer);
    sk_wipe(call->password, sizeof(call->password));
}

static size_t on_body(char *bytes, size_t size, size_t count, void *context)
{
    struct call *call = context;
    return sk_buf_put(&call->answer, sk_slice(bytes, size * count)) ? 0 : count;
}

static int read_password_file(const char *path, char out[1025])
{
    FILE *file = fopen(path, "re");
    size_t len = file ? fread(out, 1, 1024, file) : 0;
    int r = !file || ferror(file) ? sk_tool_fail(path, strerror(errno), "--password-file names a file of one line") : 0;
    if (file) {
        (void)fclose(file);
    }
    out[sk_slice_find(sk_slice(out, len), '\n')] = '\0';
    return r;
}

/* The file, else the environment, else the person. */
static int find_password(struct call *call, const struct sk_tool_values *options)
{
    const char *environment = getenv("SEKISHO_PASSWORD");
    size_t len;
    if (options[PASSWORD_FILE].count) {
        return read_password_file(options[PASSWORD_FILE].values[0], call->password);
    }
    if (environment) {
        bool fits = (size_t)snprintf(call->password, sizeof(call->password), "%s", environment) < sizeof(call->password);
        return fits ? 0 : sk_tool_fail("SEKISHO_PASSWORD", "longer than 1024 bytes", NULL);
    }
    return sk_tool_password("Password", 1, call->password, &len);
}

/* The API's address: the server's, `id` below it, and the user asked for. */
static int make_url(struct call *call, const char *server, const char *id, const char *of)
{
    struct sk_slice base = sk_slice_str(server);
    while (base.len && base.data[base.len - 1] == '/') {
        base.len--;
    }
    if (!sk_slice_starts(base, SK_LIT("https://")) || sk_slice_find(sk_slice_from(base, 8), '/') + 8 < base.len) {
        return sk_tool_usage(server, "the server is https://HOST or https://HOST:PORT");
    }
    char *safe_id = id ? curl_easy_escape(call->curl, id, 0) : NULL;
    char *safe_of = of ? curl_easy_escape(call->curl, of, 0) : NULL;
    int r = asprintf(&call->url, "%.*s" API "%s%s%s%s", (int)base.len, base.data, id ? "/" : "", safe_id ? safe_id : "",
            of ? "?user=" : "", safe_of ? safe_of : "");
    curl_free(safe_id);
    curl_free(safe_of);
    if (r < 0) {
        call->url = NULL;
    }
    return r < 0 || (id && !safe_id) || (of && !safe_of) ? sk_tool_fail(server, strerror(ENOMEM), NULL) : 0;
}

static CURLcode set_all(struct call *call, const struct sk_tool_values *options, const char *user, const char *method)
{
    CURL *c = call->curl;
    for (unsigned i = 0; i < options[RESOLVE].count; i++) {
        struct curl_slist *more = curl_slist_append(call->resolve, options[RESOLVE].values[i]);
        if (!more) {
            return CURLE_OUT_OF_MEMORY;
        }
        call->resolve = more;
    }
    CURLcode r = curl_easy_setopt(c, CURLOPT_URL, call->url);
    r = r ? r : curl_easy_setopt(c, CURLOPT_PROTOCOLS_STR, "https");
    r = r ? r : curl_easy_setopt(c, CURLOPT_SSLVERSION, (long)CURL_SSLVERSION_TLSv1_2);
    r = r ? r : curl_easy_setopt(c, CURLOPT_HTTPAUTH, (long)CURLAUTH_BASIC);
    r = r ? r : curl_easy_setopt(c, CURLOPT_USERNAME, user);
    r = r ? r : curl_easy_setopt(c, CURLOPT_PASSWORD, call->password);
    r = r ? r : curl_easy_setopt(c, CURLOPT_CUSTOMREQUEST, method);
    r = r ? r : curl_easy_setopt(c, CURLOPT_USERAGENT, "sekisho/" SEKISHO_VERSION);
    r = r ? r : curl_easy_setopt(c, CURLOPT_TIMEOUT, TIMEOUT_SECONDS);
    r = r ? r : curl_easy_setopt(c, CURLOPT_NOSIGNAL, 1L);
    r = r ? r : curl_easy_setopt(c, CURLOPT_WRITEFUNCTION, on_body);
    r = r ? r : curl_easy_setopt(c, CURLOPT_WRITEDATA, call);
    r = r ? r : curl_easy_setopt(c, CURLOPT_ERRORBUFFER, call->error);
    r = r ? r : curl_easy_setopt(c, CURLOPT_RESOLVE, call->resolve);
    if (r == CURLE_OK && options[CACERT].count) {
        r = curl_easy_setopt(c, CURLOPT_CAINFO, options[CACERT].values[0]);
    }
    return r;
}

static const char *member(const json_t *object, const char *name)
{
    const char *text = json_string_value(json_object_get(object, name));
    return text ? text : "";
}

/* One line, whatever the server sent: control bytes could move a terminal's cursor. */
static void print_safe(FILE *out, const char *text, int width)
{
    char safe[512];
    size_t len = 0;
    for (; text[len] && len + 1 < sizeof(safe); len++) {
        safe[len] = (unsigned char)text[len] < 0x20 || text[len] == 0x7f ? '?' : text[len];
    }
    safe[len] = '\0';
    (void)fprintf(out, "%-*s", width, safe);
}

static int refused(const struct call *call)
{
    struct sk_slice text = sk_buf_peek(&call->answer);
    json_t *problem = json_loadb(text.data ? text.data : "", text.len, 0, NULL);
    static const char *const names[] = {"title", "detail", "reason", "id"};
    (void)fprintf(stderr, "sekisho: %s: HTTP %ld", call->url, call->status);
    for (size_t i = 0; i < SK_COUNT(names); i++) {
        const char *value = member(problem, names[i]);
        if (value[0]) {
            (void)fprintf(stderr, i < 2 ? ": " : i == 2 ? "; reason " : "; id ");
            print_safe(stderr, value, 0);
        }
    }
    (void)fprintf(stderr, call->status == 401 ? "; check --user and the password\n" : "\n");
    json_decref(problem);
    return SK_TOOL_FAILED;
}

/* 0 with a 2xx answer; else the status of the command, with the error said. */
static int ask(struct call *call, const struct sk_tool_values *options, const char *method, const char *id)
{
    const char *server = sk_tool_value(&options[SERVER], getenv("SEKISHO_SERVER"));
    const char *user = sk_tool_value(&options[USER], getenv("SEKISHO_USER"));
    if (!server || !user || !user[0] || strchr(user, ':')) {
        return sk_tool_usage(server ? "--user" : "--server", server && user ? "a user's name is not empty and has no colon" : "missing");
    }
    call->curl = curl_easy_init();
    if (!call->curl) {
        return sk_tool_fail(server, strerror(ENOMEM), NULL);
    }
    int r = make_url(call, server, id, sk_tool_value(&options[OF], NULL));
    r = r ? r : find_password(call, options);
    if (r) {
        return r;
    }
    CURLcode code = set_all(call, options, user, method);
    code = code ? code : curl_easy_perform(call->curl);
    if (code != CURLE_OK) {
        return sk_tool_fail(call->url, call->error[0] ? call->error : curl_easy_strerror(code),
                code == CURLE_PEER_FAILED_VERIFICATION ? "--cacert names the authority to trust" : NULL);
    }
    (void)curl_easy_getinfo(call->curl, CURLINFO_RESPONSE_CODE, &call->status);
    return call->status >= 200 && call->status < 300 ? 0 : refused(call);
}

static int print_table(const json_t *sessions)
{
    static const struct {
        const char *name, *title;
        int width;
    } columns[] = {{"subject", "USER", 16}, {"address", "ADDRESS", 16}, {"started", "STARTED", 25}, {"used", "USED", 25}, {"id", "ID", 0}};
    size_t i;
    const json_t *session;
    for (size_t c = 0; c < SK_COUNT(columns); c++) {
        (void)printf("%-*s%s", columns[c].width, columns[c].title, c + 1 < SK_COUNT(columns) ? " " : "\n");
    }
    json_array_foreach(sessions, i, session)
    {
        for (size_t c = 0; c < SK_COUNT(columns); c++) {
            print_safe(stdout, member(session, columns[c].name), columns[c].width);
            (void)printf(c + 1 < SK_COUNT(columns) ? " " : "\n");
        }
    }
    return SK_TOOL_OK;
}

static int run_list(const struct sk_tool_values *operands sk_unused, const struct sk_tool_values *options)
{
    struct call call SK_CLEANUP(call_free) = {.answer = SK_BUF_INIT(ANSWER_MAX)};
    int json = sk_tool_wants_json(&options[OUTPUT]);
    int r = json < 0 ? SK_TOOL_USAGE : ask(&call, options, "GET", NULL);
    if (r) {
        return r;
    }
    struct sk_slice text = sk_buf_peek(&call.answer);
    json_t *answer = json_loadb(text.data ? text.data : "", text.len, 0, NULL);
    json_t *sessions = json_object_get(answer, "sessions");
    if (!json_is_array(sessions)) {
        r = sk_tool_fail(call.url, "the answer is no list of sessions", "is this a Sekisho gateway?");
    } else if (json) {
        r = json_dumpf(sessions, stdout, JSON_INDENT(2) | JSON_ENSURE_ASCII) || putchar('\n') == EOF;
    } else {
        r = print_table(sessions);
    }
    json_int_t total = json_integer_value(json_object_get(answer, "total"));
    if (total > (json_int_t)json_array_size(sessions)) {
        (void)fprintf(stderr, "sekisho: the last used %zu of %lld sessions; --of names a user\n", json_array_size(sessions), (long long)total);
    }
    json_decref(answer);
    return r;
}

static int run_revoke(const struct sk_tool_values *operands, const struct sk_tool_values *options)
{
    struct call call SK_CLEANUP(call_free) = {.answer = SK_BUF_INIT(ANSWER_MAX)};
    if (operands->count == options[OF].count) {
        return sk_tool_usage("session revoke", "give the id of one session, or --of NAME for all of a user");
    }
    if (operands->count && !operands->values[0][0]) {
        return sk_tool_usage("session revoke", "the id is empty");
    }
    int r = ask(&call, options, "DELETE", operands->count ? operands->values[0] : NULL);
    if (r) {
        return r;
    }
    struct sk_slice text = sk_buf_peek(&call.answer);
    json_t *answer = json_loadb(text.data ? text.data : "", text.len, 0, NULL);
    json_t *ended = json_object_get(answer, "ended");
    if (json_is_integer(ended)) {
        (void)printf("%lld ended\n", (long long)json_integer_value(ended));
    } else {
        (void)printf("ended\n");
    }
    json_decref(answer);
    return SK_TOOL_OK;
}

#define CONNECTION                                                                                           \
    {"--server", "URL", "the gateway, https://HOST (else SEKISHO_SERVER)", false},                           \
            {"--user", "NAME", "who asks (else SEKISHO_USER)", false},                                       \
            {"--password-file", "FILE", "the password (else SEKISHO_PASSWORD, else it is asked for)", false}, \
            {"--cacert", "FILE", "trust these authorities, instead of the system's", false},                 \
    {                                                                                                        \
        "--resolve", "HOST:PORT:ADDRESS", "find the host at this address", true                              \
    }

static const struct sk_tool_option list_options[] = {CONNECTION, {"--of", "NAME", "the sessions of this user alone", false},
        {"-o", "FORM", "table (default) or json", false}, {NULL}};
static const struct sk_tool_option revoke_options[] = {CONNECTION, {"--of", "NAME", "all sessions of this user", false}, {NULL}};

const struct sk_tool_command sk_tool_session_list = {.group = "session",
        .name = "list",
        .operands = "",
        .help = "List the sessions of the server's tenant.",
        .options = list_options,
        .run = run_list};

const struct sk_tool_command sk_tool_session_revoke = {.group = "session",
        .name = "revoke",
        .operands = "[ID]",
        .most = 1,
        .help = "End one session by its id, or all of a user; open streams are cut.",
        .options = revoke_options,
        .run = run_revoke};
