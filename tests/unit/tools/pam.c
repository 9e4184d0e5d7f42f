/*
 * gateway/pam with Debian's own modules: each test brings a service folder, so that nothing of the machine's /etc/pam.d
 * is used or changed. Which results come, what is asked, and what ends a conversation.
 */
#include "helper.h"
#include "ipc/pam.h"

#include <criterion/criterion.h>
#include <fcntl.h>
#include <signal.h>
#include <stdlib.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

static const struct helper_side side = {&sk_pam_interface, SK_PAM_FROM_HELPER};

struct service {
    char folder[64];
    struct helper helper;
    uint64_t ticket;
    char prompts[4097]; /* of the last ASK */
};

static void write_file(const struct service *s, const char *name, const char *text, mode_t mode)
{
    char path[128];
    (void)snprintf(path, sizeof(path), "%s/%s", s->folder, name);
    int fd = open(path, O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, mode);
    cr_assert(fd >= 0 && write(fd, text, strlen(text)) == (ssize_t)strlen(text) && fchmod(fd, mode) == 0 && close(fd) == 0);
}

/* Writes the service file, "%s" standing for its folder, and starts the helper. */
static void begin(struct service *s, const char *format)
{
    char text[4096];
    size_t len = 0;
    *s = (struct service){.folder = "/tmp/sekisho-pam-XXXXXX"};
    cr_assert_not_null(mkdtemp(s->folder));
    for (const char *p = format; *p; p++) {
        bool folder = p[0] == '%' && p[1] == 's';
        int n = folder ? snprintf(text + len, sizeof(text) - len, "%s", s->folder) : snprintf(text + len, sizeof(text) - len, "%c", *p);
        len += (size_t)n;
        p += folder;
    }
    write_file(s, "sekisho", text, 0644);
    write_file(s, "other", "auth required pam_permit.so\naccount required pam_permit.so\n", 0644);
    /* Stands for a directory: takes the password on its standard input. */
    write_file(s, "check", "#!/bin/sh\nread -r p\ncase $PAM_USER:$p in taro:first | daemon:first) ;; *) exit 1 ;; esac\n", 0755);
    helper_start(&s->helper, "SEKISHO_PAM", s->folder);
}

static void clean(struct service *s)
{
    static const char *const names[] = {"sekisho", "other", "check", "hang", "access", "list", "text", "seen"};
    char path[128];
    for (size_t i = 0; i < SK_COUNT(names); i++) {
        (void)snprintf(path, sizeof(path), "%s/%s", s->folder, names[i]);
        (void)unlink(path);
    }
    (void)rmdir(s->folder);
}

static void finish(struct service *s)
{
    helper_stop(&s->helper);
    clean(s);
}

static void start(struct service *s, const char *user, const char *answer)
{
    struct sk_pam_start m = {.ticket = ++s->ticket, .user = sk_slice_str(user), .address = SK_LIT("192.0.2.7"), .answer = sk_slice_str(answer)};
    helper_send(s->helper.auth, &sk_pam_interface, SK_PAM_START, &m, NULL, 0);
}

static void tell(struct service *s, const char *answers)
{
    struct sk_pam_tell m = {.ticket = s->ticket, .answers = sk_slice_str(answers)};
    helper_send(s->helper.auth, &sk_pam_interface, SK_PAM_TELL, &m, NULL, 0);
}

static void cancel(struct service *s)
{
    struct sk_pam_cancel m = {.ticket = s->ticket};
    helper_send(s->helper.auth, &sk_pam_interface, SK_PAM_CANCEL, &m, NULL, 0);
}

/* The result, or -1 when something is asked. */
static int next(struct service *s)
{
    union sk_ipc_any message;
    uint16_t code = helper_receive(s->helper.auth, &side, &message);
    if (code == SK_PAM_ASK) {
        const struct sk_pam_ask *m = (const struct sk_pam_ask *)(void *)&message;
        cr_assert_eq(m->ticket, s->ticket);
        memcpy(s->prompts, m->prompts.data, m->prompts.len);
        s->prompts[m->prompts.len] = '\0';
        return -1;
    }
    cr_assert_eq(code, SK_PAM_END);
    cr_assert_eq(((const struct sk_pam_end *)(void *)&message)->ticket, s->ticket);
    return (int)((const struct sk_pam_end *)(void *)&message)->result;
}

static int login(struct service *s, const char *user, const char *answer)
{
    start(s, user, answer);
    return next(s);
}

#define PASSWORD "auth requisite pam_exec.so quiet expose_authtok %s/check\n"
#define PERMIT_ACCOUNT "account required pam_permit.so\n"

Test(pam, the_password_answers_the_first_hidden_prompt)
{
    struct service s;
    begin(&s, PASSWORD PERMIT_ACCOUNT);
    cr_expect_eq(login(&s, "taro", "first"), SK_PAM_RIGHT);
    cr_expect_eq(login(&s, "taro", "First"), SK_PAM_BROKEN, "pam_exec says PAM_SYSTEM_ERR of a failed command");
    cr_expect_eq(login(&s, "taro", "first"), SK_PAM_RIGHT);
    finish(&s);
}

Test(pam, a_refusal_and_an_unknown_user_are_told_apart)
{
    struct service s;
    begin(&s, "auth required pam_unix.so nodelay\n" PERMIT_ACCOUNT);
    cr_expect_eq(login(&s, "no-such-user-here", "password"), SK_PAM_UNKNOWN);
    cr_expect_eq(login(&s, "daemon", "password"), SK_PAM_WRONG);
    cr_expect_eq(login(&s, "daemon", ""), SK_PAM_WRONG);
    finish(&s);
    begin(&s, "auth required pam_deny.so\n" PERMIT_ACCOUNT);
    cr_expect_eq(login(&s, "taro", "first"), SK_PAM_WRONG);
    finish(&s);
}

Test(pam, a_second_prompt_goes_to_the_person)
{
    struct service s;
    begin(&s, PASSWORD "auth required pam_stress.so\n" PERMIT_ACCOUNT);
    cr_expect_eq(login(&s, "taro", "first"), -1);
    cr_expect(strstr(s.prompts, "hSTRESS Password:"), "%s", s.prompts);
    tell(&s, "anything");
    cr_expect_eq(next(&s), SK_PAM_RIGHT);
    finish(&s);
}

Test(pam, information_comes_with_the_next_prompt)
{
    struct service s;
    begin(&s, "auth required pam_echo.so file=%s/text\n" PASSWORD "auth required pam_stress.so\n" PERMIT_ACCOUNT);
    write_file(&s, "text", "Welcome, %u\n\tfrom %H\n\n\x01 end \xff\n", 0644);
    cr_expect_eq(login(&s, "taro", "first"), -1);
    cr_expect(strstr(s.prompts, "iWelcome, taro\nifrom 192.0.2.7\ni  end ?\n") == s.prompts, "%s", s.prompts);
    cancel(&s);
    cr_expect_eq(next(&s), SK_PAM_BROKEN);
    finish(&s);
}

Test(pam, the_account_phase_can_refuse_whom_the_password_admits)
{
    struct service s;
    begin(&s, PASSWORD "account required pam_access.so accessfile=%s/access\n");
    write_file(&s, "access", "-:daemon:192.0.2.7\n+:ALL:ALL\n", 0644);
    cr_expect_eq(login(&s, "daemon", "first"), SK_PAM_DISABLED, "PAM_RHOST is where the user is");
    write_file(&s, "access", "-:daemon:192.0.2.8\n+:ALL:ALL\n", 0644);
    cr_expect_eq(login(&s, "daemon", "first"), SK_PAM_RIGHT);
    finish(&s);
    begin(&s, PASSWORD "account required pam_listfile.so item=user sense=deny onerr=fail file=%s/list\n");
    write_file(&s, "list", "daemon\n", 0644);
    cr_expect_eq(login(&s, "daemon", "first"), SK_PAM_DISABLED, "PAM_AUTH_ERR of the account phase");
    finish(&s);
    begin(&s, PASSWORD "account required pam_debug.so acct=acct_expired\n");
    cr_expect_eq(login(&s, "daemon", "first"), SK_PAM_DISABLED);
    finish(&s);
}

Test(pam, an_expired_password_is_changed_by_prompts)
{
    struct service s;
    begin(&s, PASSWORD "account required pam_stress.so expired\npassword required pam_stress.so\n");
    cr_expect_eq(login(&s, "taro", "first"), -1);
    cr_expect_str_eq(s.prompts, "iChanging STRESS password for taro.\nhEnter new STRESS password:\nhRetype new STRESS password:\n");
    tell(&s, "another\nanother");
    cr_expect_eq(next(&s), SK_PAM_RIGHT);
    cr_expect_eq(login(&s, "taro", "first"), -1);
    tell(&s, "another\nand another");
    cr_expect_eq(next(&s), SK_PAM_EXPIRED);
    finish(&s);
}

Test(pam, a_password_that_stays_expired_admits_nobody)
{
    struct service s;
    begin(&s, PASSWORD "account required pam_debug.so acct=new_authtok_reqd\npassword required pam_deny.so\n");
    cr_expect_eq(login(&s, "taro", "first"), SK_PAM_EXPIRED);
    finish(&s);
    begin(&s, PASSWORD "account required pam_debug.so acct=authtok_expired\n");
    cr_expect_eq(login(&s, "taro", "first"), SK_PAM_EXPIRED);
    finish(&s);
}

Test(pam, every_status_has_its_result)
{
    static const struct {
        const char *line;
        enum sk_pam_result result;
    } table[] = {{"auth required pam_debug.so auth=maxtries\n", SK_PAM_WRONG}, {"auth required pam_debug.so auth=auth_err\n", SK_PAM_WRONG},
            {"auth required pam_debug.so auth=user_unknown\n", SK_PAM_UNKNOWN},
            {"auth required pam_debug.so auth=authinfo_unavail\n", SK_PAM_BROKEN},
            {"auth required pam_debug.so auth=cred_insufficient\n", SK_PAM_BROKEN},
            {"auth required pam_debug.so auth=acct_expired\n", SK_PAM_DISABLED},
            {"auth required pam_permit.so\naccount required pam_debug.so acct=user_unknown\n", SK_PAM_UNKNOWN},
            {"auth required pam_permit.so\naccount required pam_debug.so acct=perm_denied\n", SK_PAM_DISABLED},
            {"auth required pam_no_such_module.so\n", SK_PAM_BROKEN}};
    for (size_t i = 0; i < SK_COUNT(table); i++) {
        struct service s;
        begin(&s, table[i].line);
        cr_expect_eq(login(&s, "taro", "first"), (int)table[i].result, "%s", table[i].line);
        finish(&s);
    }
}

Test(pam, a_service_without_a_file_of_its_own_is_not_that_of_other)
{
    struct service s;
    char path[128];
    begin(&s, PASSWORD PERMIT_ACCOUNT);
    (void)snprintf(path, sizeof(path), "%s/sekisho", s.folder);
    cr_assert_eq(unlink(path), 0);
    cr_expect_eq(login(&s, "taro", "first"), SK_PAM_BROKEN);
    finish(&s);
}

Test(pam, the_wrong_number_of_answers_or_too_long_a_one_ends_it)
{
    static char long_answer[600];
    const char *const bad[] = {"one\ntwo", "one\n\n", long_answer};
    struct service s;
    memset(long_answer, 'x', sizeof(long_answer) - 1);
    begin(&s, PASSWORD "auth required pam_stress.so\n" PERMIT_ACCOUNT);
    for (size_t i = 0; i < SK_COUNT(bad); i++) {
        cr_expect_eq(login(&s, "taro", "first"), -1);
        tell(&s, bad[i]);
        cr_expect_eq(next(&s), SK_PAM_BROKEN);
    }
    cr_expect_eq(login(&s, "taro", "first"), -1);
    s.ticket++;
    tell(&s, "of another ticket");
    s.ticket--;
    tell(&s, "one\n");
    cr_expect_eq(next(&s), SK_PAM_RIGHT);
    finish(&s);
}

Test(pam, what_pam_need_not_be_asked_is_answered_at_once)
{
    static char password[1025];
    struct service s;
    memset(password, 'x', 600);
    begin(&s, "auth required pam_permit.so\n" PERMIT_ACCOUNT);
    cr_expect_eq(login(&s, "", "first"), SK_PAM_UNKNOWN);
    cr_expect_eq(login(&s, "ta\nro", "first"), SK_PAM_UNKNOWN);
    cr_expect_eq(login(&s, "taro", password), SK_PAM_WRONG);
    struct sk_pam_start m = {.ticket = ++s.ticket, .user = SK_LIT("taro"), .address = SK_LIT("192.0.2.7"), .answer = SK_LIT("first\0x")};
    helper_send(s.helper.auth, &sk_pam_interface, SK_PAM_START, &m, NULL, 0);
    cr_expect_eq(next(&s), SK_PAM_WRONG);
    m = (struct sk_pam_start){.ticket = ++s.ticket, .user = SK_LIT("root\0x"), .address = SK_LIT("192.0.2.7")};
    helper_send(s.helper.auth, &sk_pam_interface, SK_PAM_START, &m, NULL, 0);
    cr_expect_eq(next(&s), SK_PAM_UNKNOWN);
    m = (struct sk_pam_start){.ticket = ++s.ticket, .user = SK_LIT("taro"), .address = SK_LIT("host.example")};
    helper_send(s.helper.auth, &sk_pam_interface, SK_PAM_START, &m, NULL, 0);
    cr_expect_eq(next(&s), SK_PAM_BROKEN);
    finish(&s);
}

Test(pam, while_a_person_is_asked_another_start_is_refused)
{
    struct service s;
    begin(&s, PASSWORD "auth required pam_stress.so\n" PERMIT_ACCOUNT);
    cr_expect_eq(login(&s, "taro", "first"), -1);
    cr_expect_eq(login(&s, "taro", "first"), SK_PAM_BROKEN);
    s.ticket--;
    tell(&s, "one");
    cr_expect_eq(next(&s), SK_PAM_RIGHT);
    finish(&s);
}

Test(pam, while_a_person_is_asked_the_supervisor_is_answered)
{
    static const struct helper_side control = {&sk_control_interface, SK_CONTROL_FROM_CHILD};
    struct service s;
    union sk_ipc_any message;
    struct sk_control_loaded loaded = {.generation = 8};
    begin(&s, PASSWORD "auth required pam_stress.so\n" PERMIT_ACCOUNT);
    cr_expect_eq(login(&s, "taro", "first"), -1);
    helper_send(s.helper.control, &sk_control_interface, SK_CONTROL_LOADED, &loaded, NULL, 0);
    cr_expect_eq(helper_receive(s.helper.control, &control, &message), SK_CONTROL_READY);
    finish(&s);
}

Test(pam, the_end_of_auth_ends_the_conversation_and_a_new_one_is_served)
{
    struct service s;
    begin(&s, PASSWORD "auth required pam_stress.so\n" PERMIT_ACCOUNT);
    cr_expect_eq(login(&s, "taro", "first"), -1);
    helper_new_auth(&s.helper);
    cr_expect_eq(login(&s, "taro", "first"), -1, "no END of the old ticket comes to the new auth");
    tell(&s, "one");
    cr_expect_eq(next(&s), SK_PAM_RIGHT);
    finish(&s);
}

Test(pam, a_module_that_hangs_ends_the_process)
{
    struct service s;
    union sk_ipc_any message;
    char text[128];
    begin(&s, "auth required pam_exec.so quiet %s/hang\n" PERMIT_ACCOUNT);
    (void)snprintf(text, sizeof(text), "#!/bin/sh\necho >%s/seen\nexec sleep 15\n", s.folder);
    write_file(&s, "hang", text, 0755);
    start(&s, "taro", "first");
    (void)snprintf(text, sizeof(text), "%s/seen", s.folder);
    while (access(text, F_OK)) {
        (void)usleep(1000);
    }
    /* What the alarm of a conversation sends. */
    cr_assert_eq(kill(s.helper.pid, SIGALRM), 0);
    cr_expect_eq(helper_receive(s.helper.auth, &side, &message), 0);
    int status = helper_wait(&s.helper);
    cr_expect(WIFSIGNALED(status) && WTERMSIG(status) == SIGALRM);
    clean(&s);
}

Test(pam, a_failure_takes_as_long_as_its_modules_want)
{
    struct service s;
    struct timespec before, after;
    begin(&s, "auth optional pam_faildelay.so delay=2000000\nauth required pam_deny.so\n");
    (void)clock_gettime(CLOCK_MONOTONIC, &before);
    cr_expect_eq(login(&s, "taro", "first"), SK_PAM_WRONG);
    (void)clock_gettime(CLOCK_MONOTONIC, &after);
    cr_expect_geq((after.tv_sec - before.tv_sec) * 1000 + (after.tv_nsec - before.tv_nsec) / 1000000, 900, "libpam takes half of it to half as much again");
    finish(&s);
}

Test(pam, it_is_replaced_after_a_hundred_conversations)
{
    struct service s;
    union sk_ipc_any message;
    begin(&s, "auth required pam_permit.so\n" PERMIT_ACCOUNT);
    for (int i = 0; i < 120; i++) {
        cr_assert_eq(login(&s, "taro", "first"), SK_PAM_RIGHT, "without a rest it serves on");
    }
    cr_expect_eq(helper_receive(s.helper.auth, &side, &message), 0);
    cr_expect_eq(helper_wait(&s.helper), 0);
    clean(&s);
}

Test(pam, a_stop_ends_a_conversation_that_waits)
{
    struct service s;
    begin(&s, PASSWORD "auth required pam_stress.so\n" PERMIT_ACCOUNT);
    cr_expect_eq(login(&s, "taro", "first"), -1);
    finish(&s);
}
