/*
 * A journal's files for `sekisho journal show` and sekisho-verify: found, put in order, and read one after the other
 * with all that journal/reader.h can prove. Read-only; links nothing that writes.
 */
#pragma once

#include "journal/reader.h"

struct sk_files_entry {
    char *path;
    struct sk_frame_file header;
};

struct sk_files {
    struct sk_files_entry *entries;
    size_t count;
    struct sk_journal_head head; /* of a folder, as it was before its files were looked for */
    char head_path[4200];
    struct sk_keys *keys; /* NULL: records are not opened */
    char at[4200]; /* the file or folder that sk_files_add could not add */
};

/* What a reading has proved. */
struct sk_files_proof {
    struct sk_journal_state state;
    size_t files; /* read whole */
    bool complete; /* from the journal's beginning; else the first file's snapshot is taken on trust */
    uint64_t first_group, torn;
    uint64_t first_wall, last_wall; /* of groups; 0: none */
    /* Where it ended, when it ended early. */
    const char *file;
    struct sk_journal_error error;
};

/* Adds a file, or a folder's journal files. 0; 1 with `why` (of 300) and files->at filled. */
int sk_files_add(struct sk_files *files, const char *path, char *why) sk_nodiscard;
/* By number. 0; 1 with `why` filled: two have one number, or there is none. */
int sk_files_sort(struct sk_files *files, char *why) sk_nodiscard;
/*
 * The keys beside the first of them, opened with the root key in this file; and with the private recovery key in that one, NULL: without, those that were
 * left for it. 0; 1 with `why` and files->at filled.
 */
int sk_files_open(struct sk_files *files, const char *root_key, const char *recovery_key, char *why) sk_nodiscard;
void sk_files_free(struct sk_files *files);

/* Where the tenants stood before the first file, as its snapshot says: unchecked until all is read. 0 or negative. */
int sk_files_begin(const struct sk_files *files, sk_journal_stand each, void *context) sk_nodiscard;
/* Reads all, giving each record to `each`. 0; 1 damaged, with file and error set; negative, with file set. */
int sk_files_read(const struct sk_files *files, struct sk_files_proof *proof, sk_journal_each each, void *context) sk_nodiscard;
void sk_files_proof_free(struct sk_files_proof *proof);
