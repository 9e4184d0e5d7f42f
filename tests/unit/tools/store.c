/* gateway/store as a program: what a kernel without Landlock makes it say. */
#include "helper.h"

#include <criterion/criterion.h>
#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <linux/landlock.h>
#include <seccomp.h>
#include <stdlib.h>
#include <sys/syscall.h>
#include <unistd.h>

static char line[1024]; /* the first of its log */

static void remove_folder(const char *folder)
{
    DIR *dir = opendir(folder);
    cr_assert_not_null(dir);
    for (struct dirent *entry; (entry = readdir(dir)) != NULL;) {
        (void)(unlinkat(dirfd(dir), entry->d_name, 0) && unlinkat(dirfd(dir), entry->d_name, AT_REMOVEDIR));
    }
    (void)closedir(dir);
    cr_assert_eq(rmdir(folder), 0);
}

/* Has the store open its files in a folder of its own, and reads what it said. */
static void run(void)
{
    static const struct helper_side side = {&sk_control_interface, SK_CONTROL_FROM_CHILD};
    struct helper helper;
    struct sk_control_limits limits = {.workers = 1};
    struct sk_control_loaded loaded = {.generation = 8};
    union sk_ipc_any ready;
    char folder[] = "/tmp/sekisho-store-XXXXXX";
    int log[2];
    cr_assert_not_null(mkdtemp(folder));
    cr_assert(geteuid() != 0 || chown(folder, 65534, 65534) == 0);
    cr_assert(pipe(log) == 0 && dup2(log[1], STDERR_FILENO) == STDERR_FILENO && close(log[1]) == 0);
    helper_start(&helper, "SEKISHO_STORE", folder);
    helper_send(helper.control, &sk_control_interface, SK_CONTROL_LIMITS, &limits, NULL, 0);
    helper_send(helper.control, &sk_control_interface, SK_CONTROL_LOADED, &loaded, NULL, 0);
    cr_assert_eq(helper_receive(helper.control, &side, &ready), SK_CONTROL_READY);
    helper_stop(&helper);
    cr_assert_eq(close(STDERR_FILENO), 0); /* with the store's end: what is read now ends, too */
    cr_assert_geq(read(log[0], line, sizeof(line) - 1), 0);
    remove_folder(folder);
}

Test(store, a_kernel_without_landlock_is_said)
{
    scmp_filter_ctx ctx = seccomp_init(SCMP_ACT_ALLOW);
    cr_assert_eq(seccomp_rule_add(ctx, SCMP_ACT_ERRNO(EOPNOTSUPP), SCMP_SYS(landlock_create_ruleset), 0), 0);
    cr_assert_eq(seccomp_load(ctx), 0);
    seccomp_release(ctx);
    run();
    cr_expect_eq(strncmp(line, "{\"id\":\"SK1201\",", 15), 0, "%s", line);
    cr_expect_not_null(strstr(line, "\"lacks\":\"landlock\"}\n"), "%s", line);
}

Test(store, a_whole_sandbox_needs_no_word)
{
    if (syscall(SYS_landlock_create_ruleset, NULL, 0, LANDLOCK_CREATE_RULESET_VERSION) < 0) {
        cr_skip_test("this kernel lacks Landlock");
    }
    run();
    cr_expect_str_empty(line);
}
