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

struct sk_api {
    CURL *curl;
    const char *server, *user;
    struct curl_slist *resolve;
    char *url;
    struct sk_buf answer;
    char password[1025];
    char error[CURL_ERROR_SIZE];
    long status;
};

struct sk_api *sk_api_close(struct sk_api *api)
{
    if (api) {
        curl_easy_cleanup(api->curl);
        curl_slist_free_all(api->resolve);
        free(api->url);
        sk_buf_free(&api->answer);
        sk_wipe(api->password, sizeof(api->password));
        free(api);
    }
    return NULL;
}

static void close_it(struct sk_api **api)
{
    *api = sk_api_close(*api);
}

static size_t on_body(char *bytes, size_t size, size_t count, void *context)
{
    struct sk_api *api = context;
    return sk_buf_put(&api->answer, sk_slice(bytes, size * count)) ? 0 : count;
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
static int find_password(struct sk_api *api, const struct sk_tool_values *options)
{
    const char *environment = getenv("SEKISHO_PASSWORD");
    size_t len;
    if (options[SK_API_PASSWORD_FILE].count) {
        return read_password_file(options[SK_API_PASSWORD_FILE].values[0], api->password);
    }
    if (environment) {
        bool fits = (size_t)snprintf(api->password, sizeof(api->password), "%s", environment) < sizeof(api->password);
        return fits ? 0 : sk_tool_fail("SEKISHO_PASSWORD", "longer than 1024 bytes", NULL);
    }
    return sk_tool_password("Password", 1, api->password, &len);
}

/* One NAME=VALUE of the query, escaped; nothing without a value. */
static int put_query(struct sk_api *api, const struct sk_api_query *query, struct sk_buf *url, const char *before)
{
    char *safe = query->value ? curl_easy_escape(api->curl, query->value, 0) : NULL;
    int r = query->value && !safe ? -ENOMEM : safe ? sk_buf_printf(url, "%s%s=%s", before, query->name, safe) : 0;
    curl_free(safe);
    return r;
}

/* The API's address: the server's, the resource, an id below it, and the query. */
static int make_url(struct sk_api *api, const struct sk_api_request *request)
{
    struct sk_slice base = sk_slice_str(api->server);
    while (base.len && base.data[base.len - 1] == '/') {
        base.len--;
    }
    if (!sk_slice_starts(base, SK_LIT("https://")) || sk_slice_find(sk_slice_from(base, 8), '/') + 8 < base.len) {
        return sk_tool_usage(api->server, "the server is https://HOST or https://HOST:PORT");
    }
    struct sk_buf url SK_CLEANUP(sk_buf_free) = SK_BUF_INIT(URL_MAX);
    char *safe_id = request->id ? curl_easy_escape(api->curl, request->id, 0) : NULL;
    int r = request->id && !safe_id ? -ENOMEM : 0;
    r = r ? r : sk_buf_printf(&url, "%.*s" API "%s%s%s", (int)base.len, base.data, request->resource, safe_id ? "/" : "", safe_id ? safe_id : "");
    curl_free(safe_id);
    const char *before = "?";
    for (size_t i = 0; r == 0 && i < SK_COUNT(request->query) + request->more_count; i++) {
        const struct sk_api_query *query = i < SK_COUNT(request->query) ? &request->query[i] : &request->more[i - SK_COUNT(request->query)];
        r = put_query(api, query, &url, before);
        before = query->value ? "&" : before;
    }
    r = r ? r : sk_buf_put(&url, sk_slice("", 1));
    free(api->url);
    api->url = r ? NULL : strdup(sk_buf_peek(&url).data);
    return api->url ? 0 : r == -ENOBUFS ? sk_tool_usage("the query", "too long") : sk_tool_fail(api->server, strerror(ENOMEM), NULL);
}

static CURLcode set_all(struct sk_api *api, const struct sk_tool_values *options)
{
    CURL *c = api->curl;
    for (unsigned i = 0; i < options[SK_API_RESOLVE].count; i++) {
        struct curl_slist *more = curl_slist_append(api->resolve, options[SK_API_RESOLVE].values[i]);
        if (!more) {
            return CURLE_OUT_OF_MEMORY;
        }
        api->resolve = more;
    }
    CURLcode r = curl_easy_setopt(c, CURLOPT_PROTOCOLS_STR, "https");
    r = r ? r : curl_easy_setopt(c, CURLOPT_SSLVERSION, (long)CURL_SSLVERSION_TLSv1_2);
    r = r ? r : curl_easy_setopt(c, CURLOPT_HTTPAUTH, (long)CURLAUTH_BASIC);
    r = r ? r : curl_easy_setopt(c, CURLOPT_USERNAME, api->user);
    r = r ? r : curl_easy_setopt(c, CURLOPT_PASSWORD, api->password);
    r = r ? r : curl_easy_setopt(c, CURLOPT_USERAGENT, "sekisho/" SEKISHO_VERSION);
    r = r ? r : curl_easy_setopt(c, CURLOPT_TIMEOUT, TIMEOUT_SECONDS);
    r = r ? r : curl_easy_setopt(c, CURLOPT_NOSIGNAL, 1L);
    r = r ? r : curl_easy_setopt(c, CURLOPT_WRITEFUNCTION, on_body);
    r = r ? r : curl_easy_setopt(c, CURLOPT_WRITEDATA, api);
    r = r ? r : curl_easy_setopt(c, CURLOPT_ERRORBUFFER, api->error);
    r = r ? r : curl_easy_setopt(c, CURLOPT_RESOLVE, api->resolve);
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

void sk_api_print(FILE *out, const char *text, int width)
{
    char safe[512];
    size_t len = 0;
    for (; text[len] && len + 1 < sizeof(safe); len++) {
        safe[len] = (unsigned char)text[len] < 0x20 || text[len] == 0x7f ? '?' : text[len];
    }
    safe[len] = '\0';
    (void)fprintf(out, "%-*s", width, safe);
}

static int refused(const struct sk_api *api)
{
    struct sk_slice text = sk_buf_peek(&api->answer);
    json_t *problem = json_loadb(text.data ? text.data : "", text.len, 0, NULL);
    static const char *const names[] = {"title", "detail", "reason", "id"};
    (void)fprintf(stderr, "sekisho: %s: HTTP %ld", api->url, api->status);
    for (size_t i = 0; i < SK_COUNT(names); i++) {
        const char *value = member(problem, names[i]);
        if (value[0]) {
            (void)fprintf(stderr, i < 2 ? ": " : i == 2 ? "; reason " : "; id ");
            sk_api_print(stderr, value, 0);
        }
    }
    (void)fprintf(stderr, api->status == 401 ? "; check --user and the password\n" : "\n");
    json_decref(problem);
    return SK_TOOL_FAILED;
}

int sk_api_open(const struct sk_tool_values *options, struct sk_api **out)
{
    const char *server = sk_tool_value(&options[SK_API_SERVER], getenv("SEKISHO_SERVER"));
    const char *user = sk_tool_value(&options[SK_API_USER], getenv("SEKISHO_USER"));
    *out = NULL;
    if (!server || !user || !user[0] || strchr(user, ':')) {
        (void)sk_tool_usage(server ? "--user" : "--server", server && user ? "a user's name is not empty and has no colon" : "missing");
        return SK_TOOL_USAGE;
    }
    struct sk_api *api = calloc(1, sizeof(*api));
    CURL *curl = curl_easy_init();
    if (!api || !curl) {
        free(api);
        curl_easy_cleanup(curl);
        (void)sk_tool_fail(server, strerror(ENOMEM), NULL);
        return SK_TOOL_FAILED;
    }
    api->curl = curl;
    api->server = server;
    api->user = user;
    api->answer = SK_BUF_INIT(ANSWER_MAX);
    int r = make_url(api, &(const struct sk_api_request){.resource = ""}); /* what is wrong with the server is said before the password is asked for */
    r = r ? r : find_password(api, options);
    r = r ? r : set_all(api, options) ? sk_tool_fail(server, strerror(ENOMEM), NULL) : 0;
    if (r) {
        (void)sk_api_close(api);
        return r;
    }
    *out = api;
    return 0;
}

/* 0 with a 2xx answer; else the status of the command, with the error said. */
static int ask(struct sk_api *api, const char *method, const struct sk_api_request *request)
{
    int r = make_url(api, request);
    if (r) {
        return r;
    }
    api->status = 0;
    sk_buf_take(&api->answer, sk_buf_len(&api->answer));
    CURLcode code = curl_easy_setopt(api->curl, CURLOPT_URL, api->url);
    code = code ? code : curl_easy_setopt(api->curl, CURLOPT_CUSTOMREQUEST, method);
    code = code ? code : curl_easy_perform(api->curl);
    if (code != CURLE_OK) {
        return sk_tool_fail(api->url, api->error[0] ? api->error : curl_easy_strerror(code),
                code == CURLE_PEER_FAILED_VERIFICATION ? "--cacert names the authority to trust" : NULL);
    }
    (void)curl_easy_getinfo(api->curl, CURLINFO_RESPONSE_CODE, &api->status);
    return api->status >= 200 && api->status < 300 ? 0 : refused(api);
}

int sk_api_get(struct sk_api *api, const struct sk_api_request *request, json_t **answer, long *status)
{
    int r = ask(api, "GET", request);
    struct sk_slice text = sk_buf_peek(&api->answer);
    *status = api->status;
    *answer = r ? NULL : json_loadb(text.data ? text.data : "", text.len, 0, NULL);
    return r || *answer ? r : sk_tool_fail(api->url, "the answer is no JSON", "is this a Sekisho gateway?");
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
            sk_api_print(stdout, value[0] ? value : c->otherwise ? c->otherwise : "", c->width);
            (void)printf(c[1].name ? " " : "\n");
        }
    }
}

int sk_api_list(const struct sk_tool_values *options, const struct sk_tool_values *form, const struct sk_api_request *request, const struct sk_api_column *columns)
{
    struct sk_api *api SK_CLEANUP(close_it) = NULL;
    json_t *answer = NULL;
    long status;
    int json = sk_tool_wants_json(form);
    int r = json < 0 ? SK_TOOL_USAGE : sk_api_open(options, &api);
    r = r ? r : sk_api_get(api, request, &answer, &status);
    if (r) {
        return r;
    }
    json_t *rows = json_object_get(answer, request->resource);
    if (!json_is_array(rows)) {
        (void)sk_tool_fail(api->url, "the answer is no such list", "is this a Sekisho gateway?");
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
    struct sk_api *api SK_CLEANUP(close_it) = NULL;
    int r = sk_api_open(options, &api);
    r = r ? r : ask(api, "DELETE", request);
    if (r) {
        return r;
    }
    struct sk_slice text = sk_buf_peek(&api->answer);
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
    struct sk_api *api SK_CLEANUP(close_it) = NULL;
    int r = sk_api_open(options, &api);
    r = r ? r : ask(api, "POST", request);
    if (r) {
        return r;
    }
    struct sk_slice text = sk_buf_peek(&api->answer);
    json_t *answer = json_loadb(text.data ? text.data : "", text.len, 0, NULL);
    const char *made = member(answer, name);
    if (made[0]) {
        sk_api_print(stdout, made, 0);
        (void)printf("\n");
    } else {
        r = sk_tool_fail(api->url, "the answer does not say what was made", "is this a Sekisho gateway?");
    }
    json_decref(answer);
    return r;
}
