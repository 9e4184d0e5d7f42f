/*
 * Every line of the product log by its stable id, with the text that explains it. The log prints id, level and text;
 * facts follow as fields. An id is never used again for something else. The help is the operator's: what happened, what
 * the gateway does by itself, what is left to do. sekisho-events(7) is made of it; the log does not compile it in.
 */
#pragma once

/* X(name, id, level, text, help) */
#define SK_EVENTS(X)                                                                                         \
    X(STARTED, "SK1001", INFO, "program started",                                                            \
        "sekishod has started every other process, with the version and the number of workers that the line names. " \
        "The gate is still shut; SK1006 follows when it opens.")                                             \
    X(STOPPING, "SK1002", INFO, "stopping: open requests are finished, new ones refused",                    \
        "SIGTERM or SIGINT came. What is still open 5 seconds after timeouts.drain is cut off; a second signal cuts at once.") \
    X(STOPPED, "SK1003", INFO, "program stopped",                                                            \
        "Every process has ended, and sekishod ends with them.")                                             \
    X(CHILD_DIED, "SK1004", ERROR, "a process died and is started again",                                    \
        "The line names the process with the signal or the exit status that ended it; status 127: its program could " \
        "not be started; signal 14 of pam: a PAM module hung. What it was working on failed. It is started again at " \
        "once, or within a second when it lived less than 10 seconds. Once needs nothing done; more often, look at " \
        "the lines before for the reason.")                                                                  \
    X(CHILD_HELD, "SK1005", ERROR, "a process dies again and again: its next start waits",                   \
        "As SK1004, for at least the fifth time within 10 seconds of its start each. It is tried again every few " \
        "seconds, at most 5 apart, without end. Find the reason in the lines before and remove it; no restart of the " \
        "gateway is needed then.")                                                                           \
    X(READY, "SK1006", INFO, "the gate is open",                                                             \
        "Every worker, auth, store, audit and signer serve the configuration of this generation. Said after a start, after " \
        "each reload, and when one of them is back.")                                                        \
    X(SHUT, "SK1007", WARN, "the gate is shut: a process it cannot do without is away",                      \
        "The process that the line names, signer, audit, store or auth, has died. Requests that need it get 503 until it is " \
        "back; SK1006 then says so. When that takes longer than a few seconds, its own lines say why.")      \
    X(CHILD_HUNG, "SK1008", ERROR, "a process does not answer: it is killed and started again",              \
        "The process that the line names did not answer for that many seconds: 10 for worker and auth, 60 for audit, " \
        "store and factor, 120 for pam. sekishod kills it and starts it again: SK1004 with signal 9 follows. Once " \
        "needs nothing done; with audit or store look at the disk, with pam at what its modules ask.")       \
    X(CONFIG_REFUSED, "SK1101", ERROR, "configuration refused: nothing was changed",                         \
        "A file of the configuration has the mistake that the line tells, at this file and line (line 0: the file as " \
        "a whole). At a reload all goes on as it was; at the start sekishod ends. Correct it, check with sekishod " \
        "--check, reload or start again.")                                                                   \
    X(CONFIG_LOADED, "SK1102", INFO, "configuration loaded",                                                 \
        "A reload is in force. The line counts the tenants whose files are new or changed, and those that are gone.") \
    X(LISTENING, "SK1103", INFO, "listening",                                                                \
        "One line for each address that sekishod opened; sockets of systemd have none.")                     \
    X(SANDBOX_PARTIAL, "SK1201", WARN, "this kernel lacks a part of the sandbox",                            \
        "The kernel has no Landlock, or it is not switched on: processes are not kept from files that their accounts " \
        "may read. Accounts without rights and the filter of system calls hold. Run a kernel whose "         \
        "/sys/kernel/security/lsm names landlock.")                                                          \
    X(PEER_ENDED, "SK1202", INFO, "a peer process closed its channel",                                       \
        "The process at the other end has died or stops; SK1004 or SK1002 tells. It is connected again when it is " \
        "back. Nothing is left to do.")                                                                      \
    X(PEER_BAD, "SK1203", ERROR, "a peer process sent a message it may not send",                            \
        "The message was thrown away, and the connection to the sender closed; towards sekishod and audit the sender is " \
        "ended and started again. No process that works rightly does this: it is a defect, or somebody has taken the sender over. " \
        "Keep log and journal, restart the gateway, and report it.")                                         \
    X(UPSTREAM_DOWN, "SK1301", WARN, "an upstream address is out of service",                                \
        "Three attempts one after the other failed, or the health check did. Each worker finds and says this for " \
        "itself. Requests go to the app's other addresses; where there is none in service, one is tried all the " \
        "same, and 502 or 504 answered when it fails. See to the upstream at this address; it is used again by " \
        "itself.")                                                                                           \
    X(UPSTREAM_UP, "SK1302", INFO, "an upstream address is in service",                                      \
        "An attempt or the health check succeeded again, after SK1301.")                                     \
    X(FETCH_FAILED, "SK1303", WARN, "a document could not be fetched: the one that is known stays in force",      \
        "The line names the URL and why. It is tried again, at longer and longer intervals up to the usual one. Without any " \
        "document nobody gets in by it; a revocation list that is past its time lets nobody in. See to the server, or to " \
        "what the tenant file says of it.")                                                                  \
    X(FETCHED, "SK1304", INFO, "a document was fetched, and is another than before",                         \
        "A key set, a revocation list or a provider's metadata that a tenant file names by URL is new, and in force within a " \
        "second. Nothing is left to do.")                                                                    \
    X(EXCHANGE_FAILED, "SK1305", WARN, "an identity provider gave no token for somebody who signed in there",  \
        "The line names its token endpoint and why. invalid_grant: the code was used already, is too old, or somebody made it up: " \
        "one now and then is nothing. invalid_client: the client_id or the client secret of the tenant file is not the one that the " \
        "provider knows.")                                                                                    \
    X(JOURNAL_OPENED, "SK1401", INFO, "journal opened",                                                      \
        "The journal was read and goes on. The line counts the records read, and the requests whose end nobody knows, " \
        "as the gateway ended in their midst: each has now a record that says so.")                          \
    X(JOURNAL_TORN, "SK1402", WARN, "journal: an unfinished group at the end was dropped; it was never acknowledged", \
        "The gateway or the machine ended while a group of records was written. No answer had left for any of them: " \
        "nothing that passed is without a record. After a crash or a power cut nothing is left to do; without one, " \
        "look at the disk.")                                                                                 \
    X(JOURNAL_DAMAGED, "SK1403", ERROR, "journal damaged: the gate stays shut",                              \
        "A file of the journal was changed or is missing; the line names it and the place. Nothing is repaired and no " \
        "request passes; audit is started again and again, so that the gate opens when the file is right. Take a " \
        "copy of the folder, run sekisho-verify on it, and find out who or what changed it. Then bring the file back; " \
        "or stop the gateway, move the folders DATA/journal and DATA/signer away, both, keep them, and start it: a new journal begins.") \
    X(JOURNAL_FAILED, "SK1404", ERROR, "journal cannot be written: the gate is shut",                        \
        "Writing failed for the reason that the line tells. Requests get 503, and writing is tried again until it " \
        "succeeds (SK1405), in a new file where needed: make room, or mount the disk again. When the file was removed " \
        "or replaced, or the folder cannot be used, audit is started again and reads what is there: SK1401 says that " \
        "it goes on, SK1403 that a file is missing.")                                                        \
    X(JOURNAL_BACK, "SK1405", INFO, "journal is written again",                                              \
        "The end of SK1404. Records that waited are written now; requests that the shut gate refused have none.") \
    X(SIGNER_AWAY, "SK1406", ERROR, "the journal is not signed: the gate is shut",                           \
        "The signer has not answered for 10 seconds, or cannot write (SK1408). Requests get 503 until it signs again: SK1407 " \
        "says so.")                                                                                          \
    X(SIGNER_BACK, "SK1407", INFO, "the journal is signed again",                                            \
        "The end of SK1406. What was recorded before and not signed is signed within a second.")             \
    X(SIGNING_FAILED, "SK1408", ERROR, "a checkpoint could not be signed or written",                        \
        "The signer cannot use its folder, DATA/signer, for the reason that the line tells. It tries again, each second or when it is " \
        "started again; the gate is shut until it works. Make room, mount the disk again, or give the folder back to the account " \
        "that it runs as.")                                                                                  \
    X(CHECKPOINTS_DAMAGED, "SK1409", ERROR, "checkpoints damaged: the gate stays shut",                      \
        "The signer's file, DATA/signer/checkpoints, was changed, or is of another root key; the line tells which. Nothing is " \
        "signed and no request passes. Take copies of DATA/signer and DATA/journal, and find out who or what changed it. Then bring " \
        "the file back; or stop the gateway, move both folders away, keep them, and start it: a new journal begins.") \
    X(CHECKPOINTS_LOST, "SK1410", ERROR, "the journal is there and its checkpoints are not: the gate stays shut", \
        "DATA/signer holds no checkpoints, while DATA/journal holds records that were signed. What is in the journal now is not signed " \
        "anew, for nobody knows any more that it is what was. Bring the file back, and the gate opens; or stop the gateway, move " \
        "DATA/journal away, keep it as evidence, and start it: a new journal begins.")                       \
    X(TRAIL_UNREADABLE, "SK1411", ERROR, "the audit trail cannot be searched",                               \
        "The reader could not read the journal's file that the line names, at this place and for this reason; what goes through the gate " \
        "is recorded all the same. It is started again and reads from the beginning. When it says so again and again, run "  \
        "sekisho-verify on DATA/journal, and do what SK1403 says.")                                          \
    X(INDEX_UNWRITTEN, "SK1412", WARN, "an index of the audit trail could not be written: it stays in memory",  \
        "The reader cannot write into DATA/index, for the reason that the line tells. Searching goes on, and takes more memory with each " \
        "file of the journal; it is tried again each minute. Make room, or give the folder back to the account sekisho-reader.") \
    X(RETENTION_WAITS, "SK1413", WARN, "the clock jumped ahead: no record is erased for an hour",             \
        "The machine's clock went ahead by more than an hour at once, or was so between two runs, and the machine did not run for so long. Records are erased " \
        "by the clock, so that a wrong one would erase too early. See whether it is right (timedatectl); if it is not, set it right within the " \
        "hour, and nothing is lost.")                                                                        \
    X(RETENTION_FAILED, "SK1414", ERROR, "records that are due cannot be erased",                            \
        "Their keys could not be overwritten in DATA/journal/keys, or files of DATA/journal not be read or removed, for the reason that the line " \
        "tells. It is tried again every ten seconds. What is due can no longer be found, but stands on the disk until this works.") \
    X(JOURNAL_UNPACKED, "SK1415", WARN, "a full file of the journal could not be packed",                    \
        "It stays as it was written, ten times as large as it could be; the line says why. For want of room or memory it is tried again each " \
        "minute. A file that is damaged is not tried again: run sekisho-verify on DATA/journal, and do what SK1403 says.") \
    X(FEED_DOWN, "SK1306", WARN, "a feed does not reach its receiver: records wait for it",                   \
        "The line names the feed and why. It tries again, at most half a minute apart, and goes on behind the last record that the receiver " \
        "has taken: nothing is lost as long as the journal has it, and nothing else waits. See to the receiver, its certificate and ca_file.") \
    X(FEED_UP, "SK1307", INFO, "a feed reaches its receiver again",                                          \
        "The end of SK1306. Some records may come twice; each has its tenant's number.")                     \
    X(FEED_GAP, "SK1308", ERROR, "a feed goes on behind records that the journal has no more",               \
        "Its receiver was away for so long that what it had not got has been erased, or the file of its cursor is of another journal.") \
    X(FEED_REFUSED, "SK1309", ERROR, "a feed's receiver refuses records for good: they are passed over",       \
        "The line names the feed, how many, and what the receiver says of the last one: its mapping or its schema does not take the form. The journal has them; " \
        "set the receiver right, and export what it lacks (sekisho audit search).")                          \
    X(STORE_FAILED, "SK1501", ERROR, "store operation failed",                                               \
        "What was asked of the store was not done: a login fails, a session is not kept. With the operation open the " \
        "store ends, is started again, and the gate is shut. With the operation sync users and secrets of a tenant " \
        "stay as they were: reload, as its file may have changed in the midst of the last one. Else look at space, " \
        "owner and mount of DATA/store.")                                                                    \
    X(STORE_NEWER, "SK1502", ERROR, "the store was written by a newer version",                              \
        "An older version was installed over a newer one, and does not touch what it does not know: the gate, or the " \
        "tenant whose file it is, stays shut. Install the newer version again, or bring back DATA/store as it was " \
        "before the newer version ran.")                                                                     \
    X(PAM_FAILED, "SK1601", WARN, "PAM could not be asked",                                                  \
        "There is no service file, or PAM failed with the status that the line tells. The login is refused as " \
        "verification-failed. Look at /etc/pam.d/sekisho (pam_services), and at what its "                   \
        "modules ask: directory, network.")                                                                  \
    X(WITNESS_STARTED, "SK1701", INFO, "the witness cosigns",                                                \
        "sekisho-witness answers POST /add-checkpoint for the logs that it was told of. Its public key is on standard output.") \
    X(WITNESS_FAILED, "SK1702", ERROR, "a checkpoint was not cosigned",                                      \
        "The folder cannot be read or written, or a checkpoint that was kept there is damaged; the log gets status 500. Make room, or bring the folder back. " \
        "When it is lost, a witness cannot say any more what it had cosigned: make a new key under a new name, and tell those who verify.") \
    X(FATAL, "SK1901", ERROR, "fatal: the process ends",                                                     \
        "The process cannot go on, for the reason that the line tells. sekishod itself ends with status 1: remove " \
        "the reason, such as an address in use or a missing account, and start it again. Any other process is " \
        "started again by sekishod (SK1004).")

enum sk_event {
#define X(name, id, level, text, help) SK_EVENT_##name,
    SK_EVENTS(X)
#undef X
};
