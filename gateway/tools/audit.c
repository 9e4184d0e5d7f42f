/* sekisho audit search, show, tail and stats: the audit trail of the server's tenant, as its API gives it. */
#include "tools/api.h"

#include <stdlib.h>
#include <unistd.h>

#define PAGE 200 /* records of one answer, at most: the API's own limit */
#define WAIT "25s"
#define BAR 40

enum { SUBJECT = SK_API_OWN_OPTIONS, ADDRESS, SESSION, REQUEST, OP, STAGE, DECISION, REASON, APP, METHOD, HOST, PATH, STATUS, FROM, TO, OWN };
enum { OUTPUT = OWN, LIMIT };
enum { STEP = LIMIT };

#define FILTERS                                                                                              \
    SK_API_OPTIONS, {"--subject", "NAME", "of this user or program; NAME* of all that begin so", true},      \
            {"--address", "ADDRESS", "from this address, or prefix as 192.0.2.0/24", true},                  \
            {"--session", "ID", "in this session", true}, {"--request", "ID", "of this request", true},      \
            {"--op", "OP", "of this kind: request, login, link-made and so on", true},                       \
            {"--stage", "STAGE", "single, intent, outcome, start, end, unknown", true},                      \
            {"--decision", "DECISION", "allow, deny, challenge or error", true},                             \
            {"--reason", "CODE", "for this reason", true}, {"--app", "NAME", "to this app", true},           \
            {"--method", "METHOD", "with this method", true}, {"--host", "HOST", "at this host", true},      \
            {"--path", "PATH", "to this path; PATH* to all that begin so", true},                            \
            {"--status", "STATUS", "answered so: 403, or 4xx for all of its class", true},                   \
            {"--from", "TIME", "from then on: 2026-11-21, 2026-11-21T09:00:00Z, or -2h for two hours ago", false}, \
            {"--to", "TIME", "before then", false}, {"-o", "FORM", "table (default) or json, one object a line", false}

/* The query that the options ask for, and room for four that a page adds. */
struct query {
    struct sk_api_query all[(OWN - SUBJECT) * SK_TOOL_VALUES + 4];
    size_t count;
};

static void add(struct query *query, const char *name, const char *value)
{
    query->all[query->count++] = (struct sk_api_query){name, value};
}

static void add_filters(struct query *query, const struct sk_tool_values *options)
{
    static const struct sk_tool_option filters[] = {FILTERS, {NULL}};
    for (int i = SUBJECT; i < OWN; i++) {
        for (unsigned v = 0; v < options[i].count; v++) {
            add(query, filters[i].name + 2, options[i].values[v]);
        }
    }
}

/* ---- showing ---- */

static const char *text_of(const json_t *record, const char *name)
{
    const char *text = json_string_value(json_object_get(record, name));
    return text ? text : "";
}

static void print_header(void)
{
    (void)printf("%-24s %-14s %-15s %-9s %-6s %-20s %-32s %s\n", "TIME", "SUBJECT", "ADDRESS", "DECISION", "STATUS", "REASON", "REQUEST", "WHAT");
}

static void print_row(const json_t *record)
{
    static const struct {
        const char *name;
        int width;
    } columns[] = {{"time", 24}, {"subject", 14}, {"address", 15}, {"decision", 9}, {"status", 6}, {"reason", 20}, {"request", 32}};
    for (size_t i = 0; i < SK_COUNT(columns); i++) {
        const json_t *value = json_object_get(record, columns[i].name);
        char number[24] = "";
        (void)snprintf(number, sizeof(number), "%lld", (long long)json_integer_value(value));
        const char *text = json_is_integer(value) ? number : text_of(record, columns[i].name);
        sk_api_print(stdout, text[0] ? text : "-", columns[i].width);
        (void)printf(" ");
    }
    bool request = text_of(record, "method")[0] != '\0';
    const char *what[] = {request ? text_of(record, "method") : text_of(record, "op"), request ? text_of(record, "path") : text_of(record, "detail"), text_of(record, "stage")};
    bool said = strcmp(what[2], "single") != 0;
    sk_api_print(stdout, what[0], 0);
    (void)printf(what[1][0] ? " " : "");
    sk_api_print(stdout, what[1], 0);
    (void)printf(said ? " (" : "");
    sk_api_print(stdout, said ? what[2] : "", 0);
    if (strcmp(what[2], "aggregate") == 0) {
        (void)printf(" of %lld", (long long)json_integer_value(json_object_get(record, "count")));
    }
    (void)printf(said ? ")\n" : "\n");
}

/* All that it says, a line each. */
static void print_whole(const json_t *record)
{
    const char *name;
    const json_t *value;
    json_object_foreach((json_t *)(uintptr_t)record, name, value)
    {
        char *number = json_is_string(value) ? NULL : json_dumps(value, JSON_ENCODE_ANY | JSON_ENSURE_ASCII);
        sk_api_print(stdout, name, 14);
        sk_api_print(stdout, number ? number : text_of(record, name), 0);
        (void)printf("\n");
        free(number);
    }
    (void)printf("\n");
}

static int print_json(const json_t *record)
{
    return json_dumpf(record, stdout, JSON_COMPACT | JSON_ENSURE_ASCII) || putchar('\n') == EOF ? SK_TOOL_FAILED : 0;
}

enum form { TABLE, JSON, WHOLE };

static int print_record(const json_t *record, enum form form)
{
    if (form == JSON) {
        return print_json(record);
    }
    (form == WHOLE ? print_whole : print_row)(record);
    return 0;
}

/* ---- asking ---- */

/* One page of a query, the newest first. `next`: below which there may be more, or 0. 0 or the exit status. */
static int get_page(struct sk_api *api, const struct query *query, json_t **answer, json_int_t *next, long *status)
{
    const struct sk_api_request request = {.resource = "audit/records", .more = query->all, .more_count = query->count};
    int r = sk_api_get(api, &request, answer, status);
    if (r == 0 && !json_is_array(json_object_get(*answer, "records"))) {
        json_decref(*answer);
        return sk_tool_fail("the answer", "is no list of records", "is this a Sekisho gateway?");
    }
    *next = r ? 0 : json_integer_value(json_object_get(*answer, "next"));
    return r;
}

/* Gathers up to `most` records of a query, page by page, into `all`, the newest first. `size`: of the trail, or NULL. 0 or the exit status. */
static int gather(struct sk_api *api, const struct query *query, uint64_t most, json_t *all, json_int_t *size, long *status)
{
    json_int_t next = 1;
    char before[24] = "", limit[24];
    int r = 0;
    while (r == 0 && next && json_array_size(all) < most) {
        struct query page = *query;
        json_t *answer = NULL;
        uint64_t left = most - json_array_size(all);
        (void)snprintf(limit, sizeof(limit), "%llu", (unsigned long long)(left < PAGE ? left : PAGE));
        add(&page, "limit", limit);
        add(&page, "before", before[0] ? before : NULL);
        r = get_page(api, &page, &answer, &next, status);
        r = r ? r : json_array_extend(all, json_object_get(answer, "records")) ? SK_TOOL_FAILED : 0;
        if (size && !before[0] && r == 0) {
            *size = json_integer_value(json_object_get(answer, "size"));
        }
        (void)snprintf(before, sizeof(before), "%lld", (long long)next);
        json_decref(answer);
    }
    return r;
}

/* ---- search and show ---- */

static int read_limit(const struct sk_tool_values *option, uint64_t otherwise, uint64_t *limit)
{
    *limit = otherwise;
    bool right = !option->count || (sk_slice_u64(sk_slice_str(option->values[0]), 1000000, limit) == 0 && *limit);
    return right ? 0 : sk_tool_usage(option->values[0], "a number from 1 to 1000000");
}

static int run_search(const struct sk_tool_values *operands sk_unused, const struct sk_tool_values *options)
{
    static struct query query;
    struct sk_api *api = NULL;
    uint64_t limit;
    json_t *all = json_array();
    long status;
    int json = sk_tool_wants_json(&options[OUTPUT]), r = json < 0 ? SK_TOOL_USAGE : read_limit(&options[LIMIT], 100, &limit);
    add_filters(&query, options);
    r = r ? r : sk_api_open(options, &api);
    r = r ? r : gather(api, &query, limit, all, NULL, &status);
    if (r == 0 && !json) {
        print_header();
    }
    for (size_t i = 0; r == 0 && i < json_array_size(all); i++) {
        r = print_record(json_array_get(all, i), json ? JSON : TABLE);
    }
    if (r == 0 && json_array_size(all) == limit) {
        (void)fprintf(stderr, "sekisho: the newest %llu; there may be more: --limit gives more of them, --to goes further back\n", (unsigned long long)limit);
    }
    json_decref(all);
    (void)sk_api_close(api);
    return r;
}

static int run_show(const struct sk_tool_values *operands, const struct sk_tool_values *options)
{
    static struct query query;
    struct sk_api *api = NULL;
    json_t *all = json_array();
    long status;
    int json = sk_tool_wants_json(&options[SK_API_OWN_OPTIONS]), r = json < 0 ? SK_TOOL_USAGE : sk_api_open(options, &api);
    add(&query, "request", operands->values[0]);
    r = r ? r : gather(api, &query, 1000, all, NULL, &status);
    for (size_t i = json_array_size(all); r == 0 && i--;) {
        r = print_record(json_array_get(all, i), json ? JSON : WHOLE);
    }
    if (r == 0 && json_array_size(all) == 0) {
        r = sk_tool_fail(operands->values[0], "no record of such a request", "the id stands on the page, or in the answer, that refused");
    }
    json_decref(all);
    (void)sk_api_close(api);
    return r;
}

/* ---- tail ---- */

/* What is new since number `*after`, once there is something or the wait is over. 0 or the exit status. */
static int follow(struct sk_api *api, const struct query *query, json_int_t *after, enum form form)
{
    char since[24];
    struct query fresh = *query;
    json_t *all = json_array();
    json_int_t size = *after;
    long status = 0;
    (void)snprintf(since, sizeof(since), "%lld", (long long)*after);
    add(&fresh, "after", since);
    add(&fresh, "wait", WAIT);
    int r = gather(api, &fresh, UINT64_MAX, all, &size, &status);
    for (size_t i = json_array_size(all); r == 0 && i--;) {
        r = print_record(json_array_get(all, i), form);
    }
    r = r || fflush(stdout) == 0 ? r : SK_TOOL_FAILED;
    *after = r || size < *after ? *after : size;
    json_decref(all);
    if (status == 503 || status == 429) {
        (void)sleep(1); /* said; it may be back by then */
        return 0;
    }
    return r;
}

static int run_tail(const struct sk_tool_values *operands sk_unused, const struct sk_tool_values *options)
{
    static struct query query;
    struct sk_api *api = NULL;
    uint64_t lines;
    json_t *all = json_array();
    json_int_t size = 0;
    long status;
    int json = sk_tool_wants_json(&options[OUTPUT]), r = json < 0 ? SK_TOOL_USAGE : read_limit(&options[LIMIT], 10, &lines);
    add_filters(&query, options);
    r = r ? r : sk_api_open(options, &api);
    r = r ? r : gather(api, &query, lines, all, &size, &status);
    if (r == 0 && !json) {
        print_header();
    }
    for (size_t i = json_array_size(all); r == 0 && i--;) {
        r = print_record(json_array_get(all, i), json ? JSON : TABLE);
    }
    (void)fflush(stdout);
    json_decref(all);
    while (r == 0) {
        r = follow(api, &query, &size, json ? JSON : TABLE);
    }
    (void)sk_api_close(api);
    return r;
}

/* ---- stats ---- */

static json_int_t total_of(const json_t *count)
{
    static const char *const decisions[] = {"allow", "deny", "challenge", "error"};
    json_int_t total = 0;
    for (size_t i = 0; i < SK_COUNT(decisions); i++) {
        total += json_integer_value(json_object_get(count, decisions[i]));
    }
    return total;
}

static void print_counts(const json_t *counts)
{
    size_t i;
    const json_t *count;
    json_int_t most = 1;
    json_array_foreach(counts, i, count)
    {
        most = total_of(count) > most ? total_of(count) : most;
    }
    (void)printf("%-24s %10s %10s %10s %10s\n", "FROM", "ALLOW", "DENY", "CHALLENGE", "ERROR");
    json_array_foreach(counts, i, count)
    {
        sk_api_print(stdout, text_of(count, "from"), 24);
        (void)printf(" %10lld %10lld %10lld %10lld ", (long long)json_integer_value(json_object_get(count, "allow")), (long long)json_integer_value(json_object_get(count, "deny")),
                (long long)json_integer_value(json_object_get(count, "challenge")), (long long)json_integer_value(json_object_get(count, "error")));
        for (json_int_t n = (total_of(count) * BAR + most - 1) / most; n > 0; n--) {
            (void)putchar('#');
        }
        (void)putchar('\n');
    }
}

static int run_stats(const struct sk_tool_values *operands sk_unused, const struct sk_tool_values *options)
{
    static struct query query;
    struct sk_api *api = NULL;
    json_t *answer = NULL;
    long status;
    int json = sk_tool_wants_json(&options[OUTPUT]), r = json < 0 ? SK_TOOL_USAGE : sk_api_open(options, &api);
    add_filters(&query, options);
    add(&query, "step", sk_tool_value(&options[STEP], NULL));
    const struct sk_api_request request = {.resource = "audit/stats", .more = query.all, .more_count = query.count};
    r = r ? r : sk_api_get(api, &request, &answer, &status);
    if (r == 0 && json) {
        r = json_dumpf(answer, stdout, JSON_INDENT(2) | JSON_ENSURE_ASCII) || putchar('\n') == EOF ? SK_TOOL_FAILED : 0;
    } else if (r == 0) {
        print_counts(json_object_get(answer, "counts"));
    }
    json_decref(answer);
    (void)sk_api_close(api);
    return r;
}

static const struct sk_tool_option search_options[] = {FILTERS, {"--limit", "NUMBER", "at most so many (100)", false}, {NULL}};
static const struct sk_tool_option tail_options[] = {FILTERS, {"-n", "NUMBER", "begin with so many of the last ones (10)", false}, {NULL}};
static const struct sk_tool_option stats_options[] = {FILTERS, {"--step", "DURATION", "the time that one count is of: 1m, 1h, 1d (a hundredth of the whole)", false}, {NULL}};
static const struct sk_tool_option show_options[] = {SK_API_OPTIONS, {"-o", "FORM", "table (default) or json, one object a line", false}, {NULL}};

const struct sk_tool_command sk_tool_audit_search = {.group = "audit",
        .name = "search",
        .operands = "",
        .help = "Find records of the audit trail, the newest first. Several values of one option are alternatives; all options given must hold.",
        .options = search_options,
        .run = run_search};

const struct sk_tool_command sk_tool_audit_show = {.group = "audit",
        .name = "show",
        .operands = "REQUEST-ID",
        .least = 1,
        .most = 1,
        .help = "Show all that is on record of one request, by the id that its client was told: who, from where, and the rule that decided.",
        .options = show_options,
        .run = run_show};

const struct sk_tool_command sk_tool_audit_tail = {.group = "audit",
        .name = "tail",
        .operands = "",
        .help = "Show the last records, and each new one within a second, until it is interrupted.",
        .options = tail_options,
        .run = run_tail};

const struct sk_tool_command sk_tool_audit_stats = {.group = "audit",
        .name = "stats",
        .operands = "",
        .help = "Count records over time, by decision: of the last day, or from --from to --to.",
        .options = stats_options,
        .run = run_stats};
