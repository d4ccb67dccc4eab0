#define _GNU_SOURCE
#include "spawn_child.h"

#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/wait.h>
#include <unistd.h>

/// Puts a descriptor in the place of another, where execve keeps it open.
static int move(int from, int to) {
    if (from == to) return fcntl(to, F_SETFD, 0);
    return dup2(from, to) < 0 ? -1 : 0;
}

/// Never returns: the child has become the program, or has told why it can't.
static void become(
    const char *path, char *const arguments[], char *const environment[], const struct spawn_options *options,
    pid_t parent, int report) {
    sigset_t none;
    sigemptyset(&none);
    for (int signal_number = 1; signal_number < NSIG; signal_number++) signal(signal_number, SIG_DFL);
    sigprocmask(SIG_SETMASK, &none, NULL);
    // What lives on by itself holds nobody's folder, and doesn't mind when that is removed.
    int failed = options->has_own_session && (setsid() < 0 || chdir("/") != 0);
    if (options->parent_death_signal != 0) {
        failed = failed || prctl(PR_SET_PDEATHSIG, options->parent_death_signal) != 0;
        // The parent may have ended before the kernel knew what to do then.
        if (getppid() != parent) _exit(1);
    }
    failed = failed || move(options->input, 0) != 0 || move(options->output, 1) != 0 || move(options->error, 2) != 0;
    if (!failed) {
        alarm(options->seconds);
        execve(path, arguments, environment);
    }
    int error = errno;
    ssize_t written = write(report, &error, sizeof error);
    (void)written;
    _exit(127);
}

pid_t spawn_child(
    const char *path, char *const arguments[], char *const environment[], const struct spawn_options *options) {
    int report[2];
    if (pipe2(report, O_CLOEXEC) != 0) return -errno;
    pid_t parent = getpid();
    // A signal that comes before its handlers are gone would be handled by the parent's, in the child.
    sigset_t all, before;
    sigfillset(&all);
    sigprocmask(SIG_SETMASK, &all, &before);
    pid_t child = fork();
    int fork_error = errno;
    if (child == 0) become(path, arguments, environment, options, parent, report[1]);
    sigprocmask(SIG_SETMASK, &before, NULL);
    close(report[1]);
    if (child < 0) {
        close(report[0]);
        return -fork_error;
    }
    int error = 0;
    ssize_t count;
    do {
        count = read(report[0], &error, sizeof error);
    } while (count < 0 && errno == EINTR);
    close(report[0]);
    if (count != sizeof error) return child;
    while (waitpid(child, NULL, 0) < 0 && errno == EINTR) {}
    return -error;
}

int unnamed_file(void) { return memfd_create("output", MFD_CLOEXEC); }
