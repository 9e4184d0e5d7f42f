/* Heads of HTTP/1. Pure; runs in the workers. */
#include "http/head.h"

#include "http/fields.h"
#include "http/target.h"

#include <errno.h>
#include <llhttp.h>

#define CONNECTION_MAX ((size_t)512)

long sk_head_find(struct sk_slice bytes, size_t *scanned)
{
    size_t at = *scanned;
    while (at < bytes.len) {
        const char *lf = memchr(bytes.data + at, '\n', bytes.len - at);
        if (!lf) {
            break;
        }
        size_t i = (size_t)(lf - bytes.data);
        if (i == 0 || bytes.data[i - 1] != '\r') {
            return -SK_REFUSAL_BARE_LF;
        }
        if (i == 1 || (i >= 3 && bytes.data[i - 2] == '\n')) {
            return i == 1 ? -SK_REFUSAL_MALFORMED : (long)i + 1;
        }
        at = i + 1;
    }
    *scanned = bytes.len;
    return bytes.len > SK_HEAD_MAX ? -SK_REFUSAL_HEAD_TOO_LARGE : 0;
}

/* What llhttp reports, as spans of the head. */
struct spans {
    struct sk_slice method, url;
    struct sk_field *fields;
    size_t count, room;
    bool too_many;
};

static void extend(struct sk_slice *span, const char *at, size_t len)
{
    *span = span->len ? sk_slice(span->data, (size_t)(at + len - span->data)) : sk_slice(at, len);
}

static int on_method(llhttp_t *parser, const char *at, size_t len)
{
    extend(&((struct spans *)parser->data)->method, at, len);
    return 0;
}

static int on_url(llhttp_t *parser, const char *at, size_t len)
{
    extend(&((struct spans *)parser->data)->url, at, len);
    return 0;
}

static int on_field(llhttp_t *parser, const char *at, size_t len)
{
    struct spans *s = parser->data;
    if (s->count == s->room) {
        s->too_many = true;
        return HPE_USER;
    }
    extend(&s->fields[s->count].name, at, len);
    return 0;
}

static int on_value(llhttp_t *parser, const char *at, size_t len)
{
    struct spans *s = parser->data;
    extend(&s->fields[s->count].value, at, len);
    return 0;
}

static int on_value_complete(llhttp_t *parser)
{
    ((struct spans *)parser->data)->count++;
    return 0;
}

/* Stops behind the head: framing of the body is ours (chunked.h). */
static int on_head_complete(llhttp_t *parser sk_unused)
{
    return HPE_PAUSED;
}

static const llhttp_settings_t *settings(void)
{
    static llhttp_settings_t s;
    if (!s.on_headers_complete) {
        llhttp_settings_init(&s);
        s.on_method = on_method;
        s.on_url = on_url;
        s.on_header_field = on_field;
        s.on_header_value = on_value;
        s.on_header_value_complete = on_value_complete;
        s.on_headers_complete = on_head_complete;
    }
    return &s;
}

/* How many bytes at the front are no controls, as far as eight at a time can tell: a step over most of a head. */
static size_t plain_prefix(const char *bytes, size_t len)
{
    const uint64_t ones = UINT64_C(0x0101010101010101), high = ones << 7;
    size_t at = 0;
    for (uint64_t eight; len - at >= sizeof(eight); at += sizeof(eight)) {
        memcpy(&eight, bytes + at, sizeof(eight));
        uint64_t below_space = eight - ones * 0x20, delete = (eight ^ ones * 0x7f) - ones;
        if ((below_space | delete | eight) & high) {
            break;
        }
    }
    return at;
}

/* Bytes that no head has: all controls but tab and the line ends, and a carriage return alone; folded lines. Counts
 * the lines. */
static enum sk_refusal check_bytes(const char *head, size_t len, size_t *lines)
{
    *lines = 0;
    for (size_t i = 0; i < len; i++) {
        i += plain_prefix(head + i, len - i);
        if (i == len) {
            break;
        }
        unsigned char c = (unsigned char)head[i];
        if (c >= 0x20 && c != 0x7f) {
            continue;
        }
        bool line_end = (c == '\r' && i + 1 < len && head[i + 1] == '\n') || (c == '\n' && i && head[i - 1] == '\r');
        if (!line_end && c != '\t') {
            return SK_REFUSAL_CONTROL_BYTE;
        }
        if (c == '\n' && i + 1 < len && (head[i + 1] == ' ' || head[i + 1] == '\t')) {
            return SK_REFUSAL_OBS_FOLD;
        }
        *lines += c == '\n';
    }
    return SK_REFUSAL_NONE;
}

static enum sk_refusal parse(
        char *head, size_t len, llhttp_type_t type, struct sk_arena *arena, llhttp_t *parser, struct spans *spans)
{
    size_t lines;
    enum sk_refusal refusal = check_bytes(head, len, &lines);
    if (refusal) {
        return refusal;
    }
    *spans = (struct spans){.room = lines < SK_FIELDS_MAX ? lines : SK_FIELDS_MAX};
    spans->fields = sk_arena_zalloc(arena, sizeof(struct sk_field) * spans->room);
    if (!spans->fields) {
        return SK_REFUSAL_TOO_BIG_FOR_ARENA;
    }
    llhttp_init(parser, type, settings());
    parser->data = spans;
    llhttp_errno_t error = llhttp_execute(parser, head, len);
    if (spans->too_many) {
        return SK_REFUSAL_TOO_MANY_FIELDS;
    }
    if (error == HPE_INVALID_CONTENT_LENGTH) {
        return SK_REFUSAL_LENGTH_BAD;
    }
    if (error == HPE_UNEXPECTED_CONTENT_LENGTH) {
        return parser->flags & F_TRANSFER_ENCODING ? SK_REFUSAL_LENGTH_AND_ENCODING : SK_REFUSAL_LENGTH_TWICE;
    }
    if (error == HPE_INVALID_TRANSFER_ENCODING) {
        return SK_REFUSAL_ENCODING;
    }
    if (error == HPE_INVALID_VERSION) {
        return SK_REFUSAL_VERSION;
    }
    if (error != HPE_PAUSED) {
        return SK_REFUSAL_MALFORMED;
    }
    for (size_t i = 0; i < spans->count; i++) {
        struct sk_field *field = &spans->fields[i];
        if (!sk_field_is_token(field->name)) {
            return SK_REFUSAL_MALFORMED;
        }
        char *name = (char *)(uintptr_t)field->name.data;
        for (size_t j = 0; j < field->name.len; j++) {
            name[j] = sk_ascii_lower(name[j]);
        }
        field->value = sk_slice_trim(field->value);
    }
    return SK_REFUSAL_NONE;
}

/* Content-Length and Transfer-Encoding of HTTP/1: exactly one way to tell where a message ends, or a refusal. */
static enum sk_refusal framing(const struct sk_field *fields, size_t count, enum sk_body *body, uint64_t *length)
{
    const struct sk_slice *said_length = NULL, *encoding = NULL;
    for (size_t i = 0; i < count; i++) {
        if (sk_slice_eq(fields[i].name, SK_LIT("content-length"))) {
            if (said_length) {
                return SK_REFUSAL_LENGTH_TWICE;
            }
            said_length = &fields[i].value;
        } else if (sk_slice_eq(fields[i].name, SK_LIT("transfer-encoding"))) {
            if (encoding) {
                return SK_REFUSAL_ENCODING;
            }
            encoding = &fields[i].value;
        }
    }
    if (said_length && encoding) {
        return SK_REFUSAL_LENGTH_AND_ENCODING;
    }
    if (encoding) {
        *body = SK_BODY_STREAM;
        return sk_slice_eq_nocase(*encoding, SK_LIT("chunked")) ? SK_REFUSAL_NONE : SK_REFUSAL_ENCODING;
    }
    if (said_length) {
        *body = SK_BODY_LENGTH;
        return sk_slice_u64(*said_length, INT64_MAX, length) ? SK_REFUSAL_LENGTH_BAD : SK_REFUSAL_NONE;
    }
    *body = SK_BODY_NONE;
    return SK_REFUSAL_NONE;
}

/* Names that the Connection field lists are hop-by-hop too. */
static bool named_by_connection(const struct sk_field *fields, size_t count, struct sk_slice name)
{
    for (size_t i = 0; i < count; i++) {
        if (sk_slice_eq(fields[i].name, SK_LIT("connection")) && sk_field_list_has(fields[i].value, name)) {
            return true;
        }
    }
    return false;
}

static bool connection_says(const struct sk_field *fields, size_t count, struct sk_slice token)
{
    return named_by_connection(fields, count, token);
}

/* Every other field is looked for in it: a long list is work for nothing. */
static enum sk_refusal check_connection(const struct sk_field *fields, size_t count)
{
    size_t len = 0;
    for (size_t i = 0; i < count; i++) {
        len += sk_slice_eq(fields[i].name, SK_LIT("connection")) ? fields[i].value.len + 16 : 0;
    }
    return len > CONNECTION_MAX ? SK_REFUSAL_MALFORMED : SK_REFUSAL_NONE;
}

/* Moves the fields that go on to the front; the others are framing, connection matters, or said elsewhere. */
static size_t keep_fields(struct sk_field *fields, size_t count)
{
    bool listed = sk_field_find(fields, count, SK_LIT("connection")) != NULL;
    bool dropped[SK_FIELDS_MAX];
    size_t kept = 0;
    /* All are judged before any is moved: moving overwrites the Connection field that names the others. */
    for (size_t i = 0; i < count; i++) {
        dropped[i] = sk_slice_eq(fields[i].name, SK_LIT("host")) || sk_slice_eq(fields[i].name, SK_LIT("content-length")) ||
                       sk_slice_eq(fields[i].name, SK_LIT("expect")) || sk_field_is_hop_by_hop(fields[i].name) ||
                       (listed && named_by_connection(fields, count, fields[i].name));
    }
    for (size_t i = 0; i < count; i++) {
        if (!dropped[i]) {
            fields[kept++] = fields[i];
        }
    }
    return kept;
}

static enum sk_refusal find_host(const struct sk_head_parts *parts, struct sk_arena *arena, struct sk_request *request)
{
    const struct sk_slice *host = NULL;
    for (size_t i = 0; i < parts->fields_count; i++) {
        if (sk_slice_eq(parts->fields[i].name, SK_LIT("host"))) {
            if (host) {
                return SK_REFUSAL_HOST_TWICE;
            }
            host = &parts->fields[i].value;
        }
    }
    if (!host && !parts->authority.len) {
        return SK_REFUSAL_HOST_MISSING;
    }
    if (host && parts->authority.len && !sk_slice_eq_nocase(*host, parts->authority)) {
        return SK_REFUSAL_HOST_MISMATCH;
    }
    return sk_authority_parse(host ? *host : parts->authority, arena, &request->authority, &request->host);
}

static enum sk_refusal check_expect(const struct sk_head_parts *parts, struct sk_request *request)
{
    const struct sk_slice *expect = sk_field_find(parts->fields, parts->fields_count, SK_LIT("expect"));
    if (!expect) {
        return SK_REFUSAL_NONE;
    }
    if (!sk_slice_eq_nocase(*expect, SK_LIT("100-continue"))) {
        return SK_REFUSAL_EXPECT;
    }
    request->expect_continue = request->body != SK_BODY_NONE && parts->version != 10;
    return SK_REFUSAL_NONE;
}

/* RFC 6455 section 4.2.1. Any other upgrade is ignored, as HTTP allows; a broken WebSocket handshake is refused. */
static enum sk_refusal check_upgrade(const struct sk_head_parts *parts, struct sk_request *request)
{
    const struct sk_field *fields = parts->fields;
    size_t count = parts->fields_count;
    const struct sk_slice *upgrade = sk_field_find(fields, count, SK_LIT("upgrade"));
    if (parts->protocol_websocket) {
        const struct sk_slice *version = sk_field_find(fields, count, SK_LIT("sec-websocket-version"));
        request->websocket = true;
        return version && sk_slice_eq(*version, SK_LIT("13")) ? SK_REFUSAL_NONE : SK_REFUSAL_UPGRADE;
    }
    if (!upgrade || parts->version != 11 || !sk_slice_eq_nocase(*upgrade, SK_LIT("websocket")) ||
            !connection_says(fields, count, SK_LIT("upgrade"))) {
        return SK_REFUSAL_NONE;
    }
    const struct sk_slice *version = sk_field_find(fields, count, SK_LIT("sec-websocket-version"));
    const struct sk_slice *key = sk_field_find(fields, count, SK_LIT("sec-websocket-key"));
    bool good = version && sk_slice_eq(*version, SK_LIT("13")) && key && key->len == 24 && request->body == SK_BODY_NONE &&
                sk_slice_eq(request->method, SK_LIT("GET"));
    request->websocket = good;
    request->websocket_key = good ? *key : SK_SLICE_NULL;
    return good ? SK_REFUSAL_NONE : SK_REFUSAL_UPGRADE;
}

enum sk_refusal sk_head_finish(const struct sk_head_parts *parts, struct sk_arena *arena, struct sk_request *request)
{
    request->method = parts->protocol_websocket ? SK_LIT("GET") : parts->method;
    request->version = parts->version;
    if (!sk_field_is_token(request->method) || request->method.len > 32) {
        return SK_REFUSAL_MALFORMED;
    }
    /* Methods are judged by their exact spelling, and some upstreams ignore their case. */
    for (size_t i = 0; i < request->method.len; i++) {
        if (request->method.data[i] >= 'a' && request->method.data[i] <= 'z') {
            return SK_REFUSAL_METHOD;
        }
    }
    if (sk_slice_eq(request->method, SK_LIT("CONNECT")) || sk_slice_eq(request->method, SK_LIT("TRACE"))) {
        return SK_REFUSAL_METHOD;
    }
    for (size_t i = 0; i < parts->fields_count; i++) {
        if (!sk_field_is_token(parts->fields[i].name)) {
            return SK_REFUSAL_MALFORMED;
        }
        if (!sk_field_value_ok(parts->fields[i].value)) {
            return SK_REFUSAL_CONTROL_BYTE;
        }
    }
    enum sk_refusal refusal = check_connection(parts->fields, parts->fields_count);
    if (!refusal) {
        refusal = find_host(parts, arena, request);
    }
    if (!refusal) {
        refusal = sk_target_parse(parts->target, arena, &request->path, &request->query);
    }
    if (!refusal) {
        refusal = check_expect(parts, request);
    }
    if (!refusal) {
        refusal = check_upgrade(parts, request);
    }
    if (refusal) {
        return refusal;
    }
    request->fields = parts->fields;
    request->fields_count = keep_fields(parts->fields, parts->fields_count);
    return SK_REFUSAL_NONE;
}

/* RFC 9112 section 3.2.2: the absolute form is accepted when it says the same host as the Host field. */
static enum sk_refusal split_target(struct sk_slice url, struct sk_head_parts *parts)
{
    parts->target = url;
    if (url.len && url.data[0] == '/') {
        return SK_REFUSAL_NONE;
    }
    struct sk_slice https = SK_LIT("https://");
    if (!sk_slice_eq_nocase(sk_slice_cut(url, https.len), https)) {
        return SK_REFUSAL_TARGET_BAD;
    }
    struct sk_slice rest = sk_slice_from(url, https.len);
    parts->authority = sk_slice_cut(rest, sk_slice_find(rest, '/'));
    parts->target = sk_slice_from(rest, parts->authority.len);
    return parts->authority.len && parts->target.len ? SK_REFUSAL_NONE : SK_REFUSAL_TARGET_BAD;
}

enum sk_refusal sk_head_request(char *head, size_t len, struct sk_arena *arena, struct sk_request *request)
{
    llhttp_t parser;
    struct spans spans = {.count = 0};
    *request = (struct sk_request){0};
    enum sk_refusal refusal = parse(head, len, HTTP_REQUEST, arena, &parser, &spans);
    request->method = spans.method;
    if (refusal) {
        return refusal;
    }
    if (parser.http_major != 1) {
        return SK_REFUSAL_VERSION;
    }
    /* llhttp skips further spaces, and reads RTSP and ICE as well. */
    struct sk_slice behind = sk_slice_from(sk_slice(head, len), spans.method.len + 1 + spans.url.len);
    if (spans.url.data != head + spans.method.len + 1 || !sk_slice_starts(behind, SK_LIT(" HTTP/1."))) {
        return SK_REFUSAL_MALFORMED;
    }
    struct sk_head_parts parts = {.method = spans.method, .fields = spans.fields, .fields_count = spans.count};
    parts.version = parser.http_minor ? 11 : 10;
    refusal = split_target(spans.url, &parts);
    if (!refusal) {
        refusal = framing(spans.fields, spans.count, &request->body, &request->content_length);
    }
    if (!refusal && parts.version == 10 && request->body == SK_BODY_STREAM) {
        refusal = SK_REFUSAL_ENCODING;
    }
    if (refusal) {
        return refusal;
    }
    if (!sk_field_find(spans.fields, spans.count, SK_LIT("host"))) {
        return SK_REFUSAL_HOST_MISSING;
    }
    bool close = connection_says(spans.fields, spans.count, SK_LIT("close"));
    request->keep_alive = parts.version == 11 && !close; /* HTTP/1.0 would have to be told */
    return sk_head_finish(&parts, arena, request);
}

enum sk_refusal sk_head_response(
        char *head, size_t len, bool to_head, bool websocket, struct sk_arena *arena, struct sk_response *response)
{
    llhttp_t parser;
    struct spans spans;
    *response = (struct sk_response){0};
    enum sk_refusal refusal = parse(head, len, HTTP_RESPONSE, arena, &parser, &spans);
    if (refusal) {
        return refusal;
    }
    if (parser.http_major != 1 || parser.status_code < 100 || parser.status_code > 599) {
        return SK_REFUSAL_MALFORMED;
    }
    refusal = framing(spans.fields, spans.count, &response->body, &response->content_length);
    if (refusal) {
        return refusal;
    }
    response->status = parser.status_code;
    bool said_length = response->body == SK_BODY_LENGTH;
    if (to_head || response->status < 200 || response->status == 204 || response->status == 304) {
        response->body = SK_BODY_NONE;
    } else if (response->body == SK_BODY_NONE) {
        response->body = SK_BODY_CLOSE;
    }
    /* HEAD and 304 tell a length that no body follows; it is passed on as what it says. */
    if (said_length && response->body == SK_BODY_NONE && response->status != 204 && response->status >= 200) {
        response->body = SK_BODY_NONE;
    } else if (!said_length) {
        response->content_length = UINT64_MAX;
    }
    bool close = connection_says(spans.fields, spans.count, SK_LIT("close"));
    bool asked = connection_says(spans.fields, spans.count, SK_LIT("keep-alive"));
    response->keep_alive = response->body != SK_BODY_CLOSE && (parser.http_minor ? !close : asked && response->body != SK_BODY_STREAM);
    if (response->status == 101) {
        const struct sk_slice *upgrade = sk_field_find(spans.fields, spans.count, SK_LIT("upgrade"));
        response->upgraded = websocket && upgrade && sk_slice_eq_nocase(*upgrade, SK_LIT("websocket"));
        if (!response->upgraded) {
            return SK_REFUSAL_UPGRADE;
        }
    }
    response->fields = spans.fields;
    response->fields_count = keep_fields(spans.fields, spans.count);
    return SK_REFUSAL_NONE;
}

enum sk_refusal sk_head_trailers(
        char *bytes, size_t len, struct sk_arena *arena, struct sk_field **fields, size_t *count)
{
    struct sk_slice rest = sk_slice(bytes, len);
    size_t lines;
    *count = 0;
    *fields = NULL;
    if (check_bytes(bytes, len, &lines)) {
        return SK_REFUSAL_TRAILER;
    }
    while (rest.len) {
        struct sk_slice line = sk_slice_split(&rest, '\n');
        line.len -= line.len > 0;
        if (line.len == 0) {
            return rest.len ? SK_REFUSAL_TRAILER : SK_REFUSAL_NONE;
        }
        struct sk_slice value = line;
        struct sk_slice name = sk_slice_split(&value, ':');
        if (name.len == line.len || !sk_field_is_token(name)) {
            return SK_REFUSAL_TRAILER;
        }
        for (size_t i = 0; i < name.len; i++) {
            ((char *)(uintptr_t)name.data)[i] = sk_ascii_lower(name.data[i]);
        }
        if (!*fields) {
            *fields = sk_arena_alloc(arena, sizeof(struct sk_field) * (lines < SK_FIELDS_MAX ? lines : SK_FIELDS_MAX));
        }
        if (!*fields || *count == SK_FIELDS_MAX || !sk_field_trailer_ok(name)) {
            return SK_REFUSAL_TRAILER;
        }
        (*fields)[(*count)++] = (struct sk_field){name, sk_slice_trim(value)};
    }
    return SK_REFUSAL_TRAILER;
}

/* ---- writing ---- */

struct writer {
    char *at;
};

static void put(struct writer *w, struct sk_slice s)
{
    if (s.len) {
        memcpy(w->at, s.data, s.len);
        w->at += s.len;
    }
}

static void put_number(struct writer *w, uint64_t number)
{
    char digits[20];
    size_t n = sizeof(digits);
    do {
        digits[--n] = (char)('0' + number % 10);
        number /= 10;
    } while (number);
    put(w, sk_slice(digits + n, sizeof(digits) - n));
}

static void put_fields(struct writer *w, const struct sk_field *fields, size_t count)
{
    for (size_t i = 0; i < count; i++) {
        put(w, fields[i].name);
        put(w, SK_LIT(": "));
        put(w, fields[i].value);
        put(w, SK_LIT("\r\n"));
    }
}

static size_t fields_size(const struct sk_field *fields, size_t count)
{
    size_t size = 0;
    for (size_t i = 0; i < count; i++) {
        size += fields[i].name.len + fields[i].value.len + 4;
    }
    return size;
}

static void put_framing(struct writer *w, enum sk_body body, uint64_t length)
{
    if (body == SK_BODY_LENGTH) {
        put(w, SK_LIT("content-length: "));
        put_number(w, length);
        put(w, SK_LIT("\r\n"));
    } else if (body == SK_BODY_STREAM) {
        put(w, SK_LIT("transfer-encoding: chunked\r\n"));
    }
}

int sk_head_put_request(struct sk_buf *out, const struct sk_request *r)
{
    size_t size = r->method.len + r->path.len + r->query.len + r->authority.len + fields_size(r->fields, r->fields_count) + 160;
    struct writer w = {sk_buf_reserve(out, size)};
    if (!w.at) {
        return -ENOBUFS;
    }
    char *start = w.at;
    put(&w, r->method);
    put(&w, SK_LIT(" "));
    put(&w, r->path);
    put(&w, r->query);
    put(&w, SK_LIT(" HTTP/1.1\r\nhost: "));
    put(&w, r->authority);
    put(&w, SK_LIT("\r\n"));
    if (r->websocket) {
        put(&w, SK_LIT("connection: upgrade\r\nupgrade: websocket\r\n"));
    }
    put_fields(&w, r->fields, r->fields_count);
    put_framing(&w, r->body, r->content_length);
    put(&w, SK_LIT("\r\n"));
    sk_buf_commit(out, (size_t)(w.at - start));
    return 0;
}

static struct sk_slice status_text(uint16_t status)
{
    static const struct {
        uint16_t status;
        struct sk_slice text;
    } known[] = {{200, {"OK", 2}}, {101, {"Switching Protocols", 19}}, {201, {"Created", 7}}, {202, {"Accepted", 8}},
            {204, {"No Content", 10}}, {206, {"Partial Content", 15}}, {301, {"Moved Permanently", 17}}, {302, {"Found", 5}},
            {303, {"See Other", 9}}, {304, {"Not Modified", 12}}, {307, {"Temporary Redirect", 18}}, {400, {"Bad Request", 11}},
            {401, {"Unauthorized", 12}}, {403, {"Forbidden", 9}}, {404, {"Not Found", 9}}, {405, {"Method Not Allowed", 18}},
            {408, {"Request Timeout", 15}}, {409, {"Conflict", 8}}, {413, {"Content Too Large", 17}}, {414, {"URI Too Long", 12}},
            {417, {"Expectation Failed", 18}}, {421, {"Misdirected Request", 19}}, {422, {"Unprocessable Content", 21}},
            {429, {"Too Many Requests", 17}}, {431, {"Request Header Fields Too Large", 31}},
            {500, {"Internal Server Error", 21}}, {501, {"Not Implemented", 15}}, {502, {"Bad Gateway", 11}},
            {503, {"Service Unavailable", 19}}, {504, {"Gateway Timeout", 15}}, {505, {"HTTP Version Not Supported", 26}}};
    for (size_t i = 0; i < SK_COUNT(known); i++) {
        if (known[i].status == status) {
            return known[i].text;
        }
    }
    return SK_SLICE_NULL;
}

int sk_head_put_response(struct sk_buf *out, const struct sk_response *r, bool keep_alive)
{
    struct writer w = {sk_buf_reserve(out, fields_size(r->fields, r->fields_count) + 224)};
    if (!w.at) {
        return -ENOBUFS;
    }
    char *start = w.at;
    put(&w, SK_LIT("HTTP/1.1 "));
    put_number(&w, r->status);
    put(&w, SK_LIT(" "));
    put(&w, status_text(r->status));
    put(&w, SK_LIT("\r\n"));
    if (r->upgraded) {
        put(&w, SK_LIT("connection: upgrade\r\nupgrade: websocket\r\n"));
    } else if (!keep_alive && r->status >= 200) {
        put(&w, SK_LIT("connection: close\r\n"));
    }
    put_fields(&w, r->fields, r->fields_count);
    bool told = r->body == SK_BODY_NONE && r->content_length != UINT64_MAX && r->status >= 200 && r->status != 204;
    put_framing(&w, told ? SK_BODY_LENGTH : r->body, r->content_length);
    put(&w, SK_LIT("\r\n"));
    sk_buf_commit(out, (size_t)(w.at - start));
    return 0;
}
