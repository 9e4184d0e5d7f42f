/* Configuration files under test: a folder, and texts that load or name the line where they do not. Tests
 * alone. */
#pragma once

#include "conf/conf.h"

/* A folder of its own; `name` in it; lasts for three more calls. */
const char *files_path(const char *name);
void files_put(const char *name, const char *text);
void files_begin(void);
void files_end(void);

/* A sound sekisho.yaml and tenant file of a few lines. */
extern const char files_conf[], files_tenant[];

/* `base` with the first `from` in it changed to `to`, in a static buffer. */
const char *files_with(const char *base, const char *from, const char *to);

/* Loads a text as sekisho.yaml: as sk_conf_load; fills `error`. Frees what was loaded unless `conf` is given.
 */
int files_load(const char *text, struct sk_conf **conf, struct sk_conf_error *error);
int files_load_tenant(const char *text, struct sk_conf_tenant **tenant, struct sk_conf_error *error);
