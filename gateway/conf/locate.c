/* Finds a value by its path, so that a refusal made after parsing still names its line. */
#include "conf/conf.h"

#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <yaml.h>

static yaml_node_t *child_by_key(yaml_document_t *document, yaml_node_t *node, struct sk_slice key)
{
    if (node->type != YAML_MAPPING_NODE) {
        return NULL;
    }
    for (yaml_node_pair_t *pair = node->data.mapping.pairs.start; pair < node->data.mapping.pairs.top; pair++) {
        yaml_node_t *name = yaml_document_get_node(document, pair->key);
        if (name && name->type == YAML_SCALAR_NODE && sk_slice_eq(key, sk_slice(name->data.scalar.value, name->data.scalar.length))) {
            return yaml_document_get_node(document, pair->value);
        }
    }
    return NULL;
}

static yaml_node_t *child_by_index(yaml_document_t *document, yaml_node_t *node, uint64_t index)
{
    if (node->type != YAML_SEQUENCE_NODE) {
        return NULL;
    }
    yaml_node_item_t *item = node->data.sequence.items.start + index;
    return item < node->data.sequence.items.top ? yaml_document_get_node(document, *item) : NULL;
}

/* The node at the path, or NULL; `line`: of the deepest node on it that is there. */
static yaml_node_t *find(yaml_document_t *document, struct sk_slice path, unsigned *line)
{
    yaml_node_t *node = yaml_document_get_root_node(document);
    *line = 0;
    while (node) {
        *line = (unsigned)node->start_mark.line + 1;
        if (path.len == 0) {
            break;
        }
        size_t end = 0;
        if (path.data[0] == '[') {
            uint64_t index;
            end = sk_slice_find(path, ']');
            if (sk_slice_u64(sk_slice(path.data + 1, end - 1), 1000000, &index)) {
                return NULL;
            }
            node = child_by_index(document, node, index);
            end++;
        } else {
            size_t start = path.data[0] == '.';
            end = start;
            while (end < path.len && path.data[end] != '.' && path.data[end] != '[') {
                end++;
            }
            node = child_by_key(document, node, sk_slice(path.data + start, end - start));
        }
        path = sk_slice_from(path, end);
    }
    return node;
}

bool sk_conf_says(struct sk_slice text, const char *path, uint64_t value)
{
    yaml_parser_t parser;
    yaml_document_t document;
    bool same = true;
    if (!text.data || !yaml_parser_initialize(&parser)) {
        return true;
    }
    yaml_parser_set_input_string(&parser, (const unsigned char *)text.data, text.len);
    if (yaml_parser_load(&parser, &document)) {
        unsigned line;
        uint64_t said;
        const yaml_node_t *node = find(&document, sk_slice_str(path), &line);
        same = !node || (node->type == YAML_SCALAR_NODE &&
                                sk_slice_u64(sk_slice(node->data.scalar.value, node->data.scalar.length), UINT64_MAX, &said) == 0 && said == value);
        yaml_document_delete(&document);
    }
    yaml_parser_delete(&parser);
    return same;
}

int sk_conf_refuse(struct sk_conf_error *error, const char *file, struct sk_slice text, const char *path, const char *format, ...)
{
    yaml_parser_t parser;
    yaml_document_t document;
    va_list args;
    *error = (struct sk_conf_error){.line = 0};
    (void)snprintf(error->file, sizeof(error->file), "%s", file);
    char why[400];
    va_start(args, format);
    (void)vsnprintf(why, sizeof(why), format, args);
    va_end(args);
    (void)snprintf(error->text, sizeof(error->text), "%s%s%s", path, path[0] ? ": " : "", why);
    if (!text.data || !yaml_parser_initialize(&parser)) {
        return 1;
    }
    yaml_parser_set_input_string(&parser, (const unsigned char *)text.data, text.len);
    if (yaml_parser_load(&parser, &document)) {
        (void)find(&document, sk_slice_str(path), &error->line);
        yaml_document_delete(&document);
    }
    yaml_parser_delete(&parser);
    return 1;
}
