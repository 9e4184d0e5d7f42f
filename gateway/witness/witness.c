/* What a witness cosigns. Runs in sekisho-witness. */
#include "witness/witness.h"

#include "base/clock.h"
#include "base/text.h"
#include "crypto/digest.h"
#include "journal/tree.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <sys/stat.h>
#include <unistd.h>

#define PROOF_MOST 63U /* hashes; section add-checkpoint */
#define WRITING "writing"

/* ---- files ---- */

static int write_whole(int fd, struct sk_slice bytes)
{
    while (bytes.len) {
        ssize_t n = write(fd, bytes.data, bytes.len);
        if (n <= 0) {
            return n < 0 ? -errno : -EIO;
        }
        bytes = sk_slice_from(bytes, (size_t)n);
    }
    return fsync(fd) ? -errno : 0;
}

int witness_make_key(const char *path)
{
    uint8_t key[SK_NOTE_KEY];
    int fd = open(path, O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC | O_NOFOLLOW, 0400);
    if (fd < 0) {
        return -errno;
    }
    sk_random(key, sizeof(key));
    int r = write_whole(fd, sk_slice(key, sizeof(key)));
    sk_wipe(key, sizeof(key));
    (void)close(fd);
    return r;
}

int witness_read_key(const char *path, uint8_t key[SK_NOTE_KEY])
{
    struct stat info = {0};
    int fd = open(path, O_RDONLY | O_CLOEXEC);
    if (fd < 0) {
        return -errno;
    }
    int r = fstat(fd, &info) ? -errno : info.st_mode & 077 ? -EPERM : info.st_size != SK_NOTE_KEY ? -EINVAL : 0;
    r = r || read(fd, key, SK_NOTE_KEY) == SK_NOTE_KEY ? r : -EIO;
    (void)close(fd);
    return r;
}

/* ---- checkpoints of any log: origin, size, root, whatever else ---- */

struct checkpoint {
    struct sk_slice origin;
    uint64_t size;
    uint8_t root[SK_TREE_HASH];
};

/* A number without a zero before it. */
static bool read_number(struct sk_slice text, uint64_t *number)
{
    return sk_slice_u64(text, INT64_MAX, number) == 0 && (text.len == 1 || text.data[0] != '0');
}

static bool read_hash(struct sk_slice text, uint8_t hash[SK_TREE_HASH])
{
    size_t len;
    return sk_base64_decode(text, hash, SK_TREE_HASH, &len) == 0 && len == SK_TREE_HASH;
}

static bool read_checkpoint(struct sk_slice text, struct checkpoint *checkpoint)
{
    checkpoint->origin = sk_slice_split(&text, '\n');
    struct sk_slice size = sk_slice_split(&text, '\n');
    return checkpoint->origin.len > 0 && read_number(size, &checkpoint->size) && read_hash(sk_slice_split(&text, '\n'), checkpoint->root);
}

/* ---- what was cosigned last ---- */

static void name_of(struct sk_slice origin, char name[2 * SK_SHA256_SIZE + 1])
{
    uint8_t hash[SK_SHA256_SIZE];
    sk_digest_sha256(origin, hash);
    sk_hex_encode(hash, sizeof(hash), name);
}

/* 0; negative: what is there cannot be read, and is not taken for nothing. */
static int read_last(const struct witness *w, struct sk_slice origin, struct checkpoint *last)
{
    static char note[WITNESS_REQUEST];
    char name[2 * SK_SHA256_SIZE + 1];
    name_of(origin, name);
    *last = (struct checkpoint){.origin = origin};
    sk_tree_root(&(struct sk_tree){.size = 0}, last->root);
    int fd = openat(w->folder, name, O_RDONLY | O_CLOEXEC | O_NOFOLLOW);
    if (fd < 0) {
        return errno == ENOENT ? 0 : -errno;
    }
    ssize_t n = read(fd, note, sizeof(note));
    (void)close(fd);
    bool good = n > 0 && read_checkpoint(sk_note_text(sk_slice(note, (size_t)n)), last) && sk_slice_eq(last->origin, origin);
    last->origin = origin;
    return good ? 0 : -EIO;
}

static int write_last(const struct witness *w, struct sk_slice origin, struct sk_slice note)
{
    char name[2 * SK_SHA256_SIZE + 1];
    name_of(origin, name);
    int fd = openat(w->folder, WRITING, O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC | O_NOFOLLOW, 0600);
    if (fd < 0) {
        return -errno;
    }
    int r = write_whole(fd, note);
    (void)close(fd);
    return r ? r : renameat(w->folder, WRITING, w->folder, name) || fsync(w->folder) ? -errno : 0;
}

/* ---- a request ---- */

struct request {
    uint64_t old;
    uint8_t proof[PROOF_MOST][SK_TREE_HASH];
    size_t hashes;
    struct sk_slice note, text;
    struct checkpoint checkpoint;
};

static bool read_request(struct sk_slice body, struct request *r)
{
    struct sk_slice line = sk_slice_split(&body, '\n'), old = SK_LIT("old ");
    if (!sk_slice_starts(line, old) || !read_number(sk_slice_from(line, old.len), &r->old)) {
        return false;
    }
    for (line = sk_slice_split(&body, '\n'); line.len; line = sk_slice_split(&body, '\n')) {
        if (r->hashes == PROOF_MOST || !read_hash(line, r->proof[r->hashes++])) {
            return false;
        }
    }
    r->note = body;
    r->text = sk_note_text(body);
    return r->text.len && read_checkpoint(r->text, &r->checkpoint) && r->old <= r->checkpoint.size;
}

/* Is the log this key's by its whole name, or by what its name begins with? */
static bool is_log_of(struct sk_slice vkey, struct sk_slice origin, bool whole)
{
    struct sk_slice name = sk_slice_split(&vkey, '+');
    return whole ? sk_slice_eq(origin, name) : sk_slice_starts(origin, name) && origin.len > name.len && origin.data[name.len] == '/';
}

/* By one of the keys that are the log's: those of its whole name, or if there is none of the beginnings of it. 0; 1 by none of them; 2 there is none; negative. */
static int verify(const struct witness *w, const struct request *r, bool whole)
{
    int result = 2;
    for (size_t i = 0; i < w->logs_count; i++) {
        struct sk_buf vkey SK_CLEANUP(sk_buf_free) = SK_BUF_INIT(1024);
        struct sk_slice text;
        if (!is_log_of(sk_slice_str(w->logs[i]), r->checkpoint.origin, whole)) {
            continue;
        }
        result = sk_note_vkey_as(sk_slice_str(w->logs[i]), r->checkpoint.origin, &vkey);
        result = result ? result : sk_note_verify(sk_buf_peek(&vkey), r->note, &text);
        if (result <= 0) {
            return result;
        }
    }
    return result;
}

static unsigned say(struct sk_buf *out, unsigned status, const char *what)
{
    return sk_buf_printf(out, "%s\n", what) ? 500 : status;
}

static unsigned say_size(struct sk_buf *out, uint64_t size)
{
    return sk_buf_printf(out, "%llu\n", (unsigned long long)size) ? 500 : 409;
}

/* Nothing else is done between the look at what was cosigned last and the word that this is: requests come one by one. */
static unsigned cosign(const struct witness *w, const struct request *r, struct sk_buf *out)
{
    struct checkpoint last;
    const struct checkpoint *is = &r->checkpoint;
    if (read_last(w, is->origin, &last)) {
        return say(out, 500, "what was cosigned of this log cannot be read");
    }
    if (r->old != last.size || (is->size == last.size && memcmp(is->root, last.root, SK_TREE_HASH) != 0)) {
        return say_size(out, last.size);
    }
    if (sk_tree_check_consistency(last.size, last.root, is->size, is->root, sk_slice(r->proof, r->hashes * SK_TREE_HASH))) {
        return say(out, 422, "the proof does not show that this checkpoint goes on from the last one");
    }
    if (write_last(w, is->origin, r->note)) {
        return say(out, 500, "the checkpoint cannot be kept");
    }
    return sk_note_cosign(w->key, sk_slice_str(w->name), r->text, sk_clock_wall() / SK_SECOND, out) ? say(out, 500, "no memory") : 200;
}

unsigned witness_add(const struct witness *w, struct sk_slice body, struct sk_buf *out)
{
    struct request r = {.old = 0};
    if (!read_request(body, &r)) {
        return say(out, 400, "not a request of add-checkpoint, or its old size is above the checkpoint's");
    }
    int known = verify(w, &r, true);
    known = known == 2 ? verify(w, &r, false) : known;
    switch (known) {
    case 0: return cosign(w, &r, out);
    case 1: return say(out, 403, "the checkpoint is not signed by the log's key");
    case 2: return say(out, 404, "this witness was not told of that log");
    default: return say(out, 500, "no memory");
    }
}
