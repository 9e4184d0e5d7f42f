/* deploy/siem/README.md: each field is where its table says, and nothing is in a form that it does not name. */
#include "journal/record.h"
#include "views.h"

#include <criterion/criterion.h>
#include <stdio.h>
#include <stdlib.h>

enum form { SYSLOG, CEF, OCSF, ECS, FORMS };

#define NAMES_MAX 8
#define ROWS_MAX 64

struct row {
    char key[64];
    char names[FORMS][NAMES_MAX][64];
    bool seen[FORMS][NAMES_MAX];
};

static struct row rows[ROWS_MAX];
static size_t rows_count;
static char *document;

/* The next name between backticks, taken off `rest`; false: none. */
static bool next_name(struct sk_slice *rest, char out[64])
{
    if (sk_slice_find(*rest, '`') == rest->len) {
        return false;
    }
    (void)sk_slice_split(rest, '`');
    struct sk_slice name = sk_slice_split(rest, '`');
    (void)snprintf(out, 64, "%.*s", (int)name.len, name.data);
    return true;
}

static void read_row(struct sk_slice line)
{
    struct row *row = &rows[rows_count++];
    cr_assert_lt(rows_count, ROWS_MAX);
    (void)sk_slice_split(&line, '|');
    struct sk_slice cell = sk_slice_split(&line, '|');
    cr_assert(next_name(&cell, row->key));
    for (size_t form = 0; form < FORMS; form++) {
        cell = sk_slice_split(&line, '|');
        for (size_t i = 0; i < NAMES_MAX && next_name(&cell, row->names[form][i]); i++) {
        }
    }
}

static void read_document(void)
{
    FILE *file = fopen(SIEM_README, "r");
    cr_assert_not_null(file, SIEM_README);
    document = calloc(1, 65536);
    cr_assert(document && fread(document, 1, 65535, file) > 1000);
    (void)fclose(file);
    struct sk_slice rest = sk_slice_str(document);
    while (rest.len) {
        struct sk_slice line = sk_slice_split(&rest, '\n');
        if (sk_slice_starts(line, SK_LIT("| `"))) {
            read_row(line);
        }
    }
    cr_assert_gt(rows_count, 30);
}

/* The document speaks of it somewhere. */
static void expect_named(const char *name)
{
    char quoted[80];
    (void)snprintf(quoted, sizeof(quoted), "`%s`", name);
    cr_expect_not_null(strstr(document, quoted), "%s is in no row of " SIEM_README, name);
}

struct forms {
    struct pairs pairs[2]; /* SYSLOG and CEF */
    json_t *json[FORMS];
};

static struct forms make_forms(const struct sk_audit_record *record)
{
    static view_function *const views[FORMS] = {sk_view_syslog, sk_view_cef, sk_view_ocsf, sk_view_ecs};
    struct forms forms;
    for (size_t form = 0; form < FORMS; form++) {
        char *text = view_text(views[form], record);
        if (form == SYSLOG) {
            forms.pairs[form] = view_read_syslog(text);
        } else if (form == CEF) {
            forms.pairs[form] = view_read_cef(text);
        } else {
            forms.json[form] = view_read_json(text);
        }
        free(text);
    }
    return forms;
}

static void free_forms(struct forms *forms)
{
    pairs_free(&forms->pairs[SYSLOG]);
    pairs_free(&forms->pairs[CEF]);
    json_decref(forms->json[OCSF]);
    json_decref(forms->json[ECS]);
}

static const char *value_of(const struct forms *forms, size_t form, const char *name)
{
    return form < OCSF ? pairs_get(&forms->pairs[form], name) : view_value(forms->json[form], name);
}

/* What a field may look like where it is not as in syslog. */
static bool is_value(const struct forms *forms, const char *key, const char *value)
{
    static const struct {
        const char *key, *values[8];
    } others[] = {{"time", {"2026-11-21T03:04:05.678999Z", "1795230245678"}}, {"node", {"gw1.example.net"}}, {"version", {"0.1.0"}},
            {"severity", {"84", "83", "5", "7", "3", "4"}}, {"outcome", {"failure", "2"}}, {"duration_us", {"4294967296", "4294"}},
            {"tls", {"1.3", "TLS_AES_256_GCM_SHA384"}}};
    const char *own = pairs_get(&forms->pairs[SYSLOG], strcmp(key, "message") == 0 ? "MSG" : key);
    bool is = own && strcmp(value, own) == 0;
    for (size_t i = 0; i < SK_COUNT(others); i++) {
        for (size_t k = 0; strcmp(key, others[i].key) == 0 && others[i].values[k]; k++) {
            is = is || strcmp(value, others[i].values[k]) == 0;
        }
    }
    return is;
}

/* CEF's externalId and request are made of two fields. */
static void check_name(const struct forms *forms, struct row *row, size_t form, size_t i, bool *found)
{
    const char *name = row->names[form][i], *value = value_of(forms, form, name);
    bool joined = form == CEF && (strcmp(name, "externalId") == 0 || strcmp(name, "request") == 0);
    const char *own = pairs_get(&forms->pairs[SYSLOG], row->key);
    if (value) {
        cr_expect(joined ? own && strstr(value, own) : is_value(forms, row->key, value), "%s: %s has %s", row->key, name, value);
        row->seen[form][i] = true;
        *found = true;
    }
}

static void check_rows(const struct forms *forms)
{
    for (size_t r = 0; r < rows_count; r++) {
        for (size_t form = 0; form < FORMS; form++) {
            bool found = !rows[r].names[form][0][0];
            for (size_t i = 0; i < NAMES_MAX && rows[r].names[form][i][0]; i++) {
                check_name(forms, &rows[r], form, i, &found);
            }
            cr_expect(found, "%s is nowhere in form %zu", rows[r].key, form);
        }
    }
}

static void check_leaves(const json_t *json, const char *path)
{
    const char *key;
    json_t *value;
    json_object_foreach((json_t *)(uintptr_t)json, key, value) {
        char name[128];
        bool objects = json_is_array(value) && json_is_object(json_array_get(value, 0));
        (void)snprintf(name, sizeof(name), "%s%s%s%s", path, *path ? "." : "", key, objects ? "[]" : "");
        if (json_is_object(value) || objects) {
            check_leaves(objects ? json_array_get(value, 0) : value, name);
        } else {
            expect_named(name);
        }
    }
}

static void check_names(const struct forms *forms)
{
    for (size_t form = SYSLOG; form <= CEF; form++) {
        for (unsigned i = 0; i < forms->pairs[form].count; i++) {
            const char *name = forms->pairs[form].all[i].name;
            size_t len = strlen(name);
            if (len < 5 || strcmp(name + len - 5, "Label") != 0) {
                expect_named(name);
            }
        }
    }
    check_leaves(forms->json[OCSF], "");
    check_leaves(forms->json[ECS], "");
}

static void check(const struct sk_audit_record *record)
{
    struct forms forms = make_forms(record);
    check_rows(&forms);
    check_names(&forms);
    free_forms(&forms);
}

Test(journal_view_map, the_table_agrees_with_the_forms)
{
    read_document();
    for (size_t op = 0; op < view_ops_count; op++) {
        struct sk_audit_record record = view_full();
        record.op = view_ops[op];
        check(&record);
        record.session = SK_LIT("basic-1");
        check(&record);
        record.method = SK_LIT("PURGE");
        check(&record);
        record.address = SK_LIT("0123456789abcdef");
        record.factors = SK_LIT("jwt");
        check(&record);
    }
    for (size_t r = 0; r < rows_count; r++) {
        for (size_t form = 0; form < FORMS; form++) {
            for (size_t i = 0; i < NAMES_MAX && rows[r].names[form][i][0]; i++) {
                cr_expect(rows[r].seen[form][i], "%s of %s is in no form", rows[r].names[form][i], rows[r].key);
            }
        }
    }
    free(document);
}

static int own_view(const struct sk_audit_record *record, const struct sk_view_context *context, struct sk_buf *out)
{
    (void)context;
    return sk_record_json(record, out);
}

/* So that a field that is added to the journal's own view has to be in the others and in the table. */
Test(journal_view_map, every_field_of_the_journals_own_view_is_in_the_table)
{
    struct sk_audit_record record = view_full();
    read_document();
    char *text = view_text(own_view, &record);
    json_t *json = view_read_json(text);
    const char *key;
    json_t *value;
    json_object_foreach(json, key, value) {
        bool found = false;
        for (size_t r = 0; !found && r < rows_count; r++) {
            found = strcmp(rows[r].key, key) == 0;
        }
        cr_expect(found, "%s", key);
    }
    json_decref(json);
    free(text);
    free(document);
}
