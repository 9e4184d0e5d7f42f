/* The layouts of every interface, from their tables. Every process. */
#include "ipc/auth.h"
#include "ipc/control.h"
#include "ipc/factor.h"
#include "ipc/feed.h"
#include "ipc/fetch.h"
#include "ipc/notes.h"
#include "ipc/pam.h"
#include "ipc/reader.h"
#include "ipc/serving.h"
#include "ipc/signer.h"
#include "ipc/store.h"
#include "ipc/tenant.h"

SK_IPC_DEFINE(auth, SK_AUTH_MESSAGES)
SK_IPC_DEFINE(control, SK_CONTROL_MESSAGES)
SK_IPC_DEFINE(factor, SK_FACTOR_MESSAGES)
SK_IPC_DEFINE(feed, SK_FEED_MESSAGES)
SK_IPC_DEFINE(fetch, SK_FETCH_MESSAGES)
SK_IPC_DEFINE(notes, SK_NOTES_MESSAGES)
SK_IPC_DEFINE(pam, SK_PAM_MESSAGES)
SK_IPC_DEFINE(reader, SK_READER_MESSAGES)
SK_IPC_DEFINE(serving, SK_SERVING_MESSAGES)
SK_IPC_DEFINE(signer, SK_SIGNER_MESSAGES)
SK_IPC_DEFINE(store, SK_STORE_MESSAGES)
SK_IPC_DEFINE(tenant, SK_TENANT_MESSAGES)
