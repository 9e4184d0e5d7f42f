/*
 * The commands that ask a gateway are clients of its own API, with HTTP Basic over verified TLS. What the caller may do
 * there is decided there. GET gives {RESOURCE: [{…}], "total"}, DELETE gives {"ended": NUMBER}, an error
 * application/problem+json (RFC 9457) with "reason" and "id" besides.
 */
#include "tools/api.h"

#include "base/buf.h"
#include "base/clock.h"

#include <curl/curl.h>
#include <errno.h>
#include <jansson.h>
#include <stdlib.h>

#define API "/.sekisho/api/v1/"
#define URL_MAX ((size_t)8 << 10)
#define ANSWER_MAX ((size_t)16 << 20)
#define TIMEOUT_SECONDS 30L

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
    if (options[SK_API_PASSWORD_FILE].count) {
        return read_password_file(options[SK_API_PASSWORD_FILE].values[0], call->password);
    }
    if (environment) {
        bool fits = (size_t)snprintf(call->password, sizeof(call->password), "%s", environment) < sizeof(call->password);
        return fits ? 0 : sk_tool_fail("SEKISHO_PASSWORD", "longer than 1024 bytes", NULL);
    }
    return sk_tool_password("Password", 1, call->password, &len);
}

/* One NAME=VALUE of the query, escaped; nothing without a value. */
static int put_query(struct call *call, const struct sk_api_query *query, struct sk_buf *url, const char *before)
{
    char *safe = query->value ? curl_easy_escape(call->curl, query->value, 0) : NULL;
    int r = query->value && !safe ? -ENOMEM : safe ? sk_buf_printf(url, "%s%s=%s", before, query->name, safe) : 0;
    curl_free(safe);
    return r;
}

/* The API's address: the server's, the resource, an id below it, and the query. */
static int make_url(struct call *call, const char *server, const struct sk_api_request *request)
{
    struct sk_slice base = sk_slice_str(server);
    while (base.len && base.data[base.len - 1] == '/') {
        base.len--;
    }
    if (!sk_slice_starts(base, SK_LIT("https://")) || sk_slice_find(sk_slice_from(base, 8), '/') + 8 < base.len) {
        return sk_tool_usage(server, "the server is https://HOST or https://HOST:PORT");
    }
    struct sk_buf url SK_CLEANUP(sk_buf_free) = SK_BUF_INIT(URL_MAX);
    char *safe_id = request->id ? curl_easy_escape(call->curl, request->id, 0) : NULL;
    int r = request->id && !safe_id ? -ENOMEM : 0;
    r = r ? r : sk_buf_printf(&url, "%.*s" API "%s%s%s", (int)base.len, base.data, request->resource, safe_id ? "/" : "", safe_id ? safe_id : "");
    curl_free(safe_id);
    const char *before = "?";
    for (size_t i = 0; r == 0 && i < SK_COUNT(request->query); i++) {
        r = put_query(call, &request->query[i], &url, before);
        before = request->query[i].value ? "&" : before;
    }
    r = r ? r : sk_buf_put(&url, sk_slice("", 1));
    call->url = r ? NULL : strdup(sk_buf_peek(&url).data);
    return call->url ? 0 : sk_tool_fail(server, strerror(ENOMEM), NULL);
}

static CURLcode set_all(struct call *call, const struct sk_tool_values *options, const char *user, const char *method)
{
    CURL *c = call->curl;
    for (unsigned i = 0; i < options[SK_API_RESOLVE].count; i++) {
        struct curl_slist *more = curl_slist_append(call->resolve, options[SK_API_RESOLVE].values[i]);
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
    if (r == CURLE_OK && options[SK_API_CACERT].count) {
        r = curl_easy_setopt(c, CURLOPT_CAINFO, options[SK_API_CACERT].values[0]);
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
static int ask(struct call *call, const struct sk_tool_values *options, const char *method, const struct sk_api_request *request)
{
    const char *server = sk_tool_value(&options[SK_API_SERVER], getenv("SEKISHO_SERVER"));
    const char *user = sk_tool_value(&options[SK_API_USER], getenv("SEKISHO_USER"));
    if (!server || !user || !user[0] || strchr(user, ':')) {
        return sk_tool_usage(server ? "--user" : "--server", server && user ? "a user's name is not empty and has no colon" : "missing");
    }
    call->curl = curl_easy_init();
    if (!call->curl) {
        return sk_tool_fail(server, strerror(ENOMEM), NULL);
    }
    int r = make_url(call, server, request);
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

static void print_table(const json_t *rows, const struct sk_api_column *columns)
{
    size_t i;
    const json_t *row;
    for (const struct sk_api_column *c = columns; c->name; c++) {
        (void)printf("%-*s%s", c->width, c->title, c[1].name ? " " : "\n");
    }
    json_array_foreach(rows, i, row)
    {
        for (const struct sk_api_column *c = columns; c->name; c++) {
            const char *value = member(row, c->name);
            print_safe(stdout, value[0] ? value : c->otherwise ? c->otherwise : "", c->width);
            (void)printf(c[1].name ? " " : "\n");
        }
    }
}

int sk_api_list(const struct sk_tool_values *options, const struct sk_tool_values *form, const struct sk_api_request *request, const struct sk_api_column *columns)
{
    struct call call SK_CLEANUP(call_free) = {.answer = SK_BUF_INIT(ANSWER_MAX)};
    int json = sk_tool_wants_json(form);
    int r = json < 0 ? SK_TOOL_USAGE : ask(&call, options, "GET", request);
    if (r) {
        return r;
    }
    struct sk_slice text = sk_buf_peek(&call.answer);
    json_t *answer = json_loadb(text.data ? text.data : "", text.len, 0, NULL);
    json_t *rows = json_object_get(answer, request->resource);
    if (!json_is_array(rows)) {
        (void)sk_tool_fail(call.url, "the answer is no such list", "is this a Sekisho gateway?");
        json_decref(answer);
        return SK_TOOL_FAILED;
    }
    if (json) {
        r = json_dumpf(rows, stdout, JSON_INDENT(2) | JSON_ENSURE_ASCII) || putchar('\n') == EOF;
    } else {
        print_table(rows, columns);
    }
    json_int_t total = json_integer_value(json_object_get(answer, "total"));
    if (total > (json_int_t)json_array_size(rows)) {
        (void)fprintf(stderr, "sekisho: %s%zu of %lld %s; --of names a user\n", request->which, json_array_size(rows), (long long)total, request->resource);
    }
    json_decref(answer);
    return r;
}

int sk_api_end(const struct sk_tool_values *options, const struct sk_api_request *request)
{
    struct call call SK_CLEANUP(call_free) = {.answer = SK_BUF_INIT(ANSWER_MAX)};
    int r = ask(&call, options, "DELETE", request);
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

int sk_api_make(const struct sk_tool_values *options, const struct sk_api_request *request, const char *name)
{
    struct call call SK_CLEANUP(call_free) = {.answer = SK_BUF_INIT(ANSWER_MAX)};
    int r = ask(&call, options, "POST", request);
    if (r) {
        return r;
    }
    struct sk_slice text = sk_buf_peek(&call.answer);
    json_t *answer = json_loadb(text.data ? text.data : "", text.len, 0, NULL);
    const char *made = member(answer, name);
    if (made[0]) {
        print_safe(stdout, made, 0);
        (void)printf("\n");
    } else {
        r = sk_tool_fail(call.url, "the answer does not say what was made", "is this a Sekisho gateway?");
    }
    json_decref(answer);
    return r;
}
