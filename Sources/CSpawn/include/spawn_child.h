#ifndef CHAT_ADMIN_SPAWN_CHILD_H
#define CHAT_ADMIN_SPAWN_CHILD_H

#include <sys/types.h>

/// How a child process begins.
struct spawn_options {
    /// Descriptors that become the child's standard input, output and error.
    int input, output, error;
    /// Whether it gets a session of its own, without a terminal, and works in the root folder: paths are whole then.
    int has_own_session;
    /// The signal that the kernel sends it when the thread that started it ends; 0 for none (prctl(2), PR_SET_PDEATHSIG).
    int parent_death_signal;
    /// After so many seconds the kernel ends it; 0 for never (alarm(2), which execve keeps).
    unsigned int seconds;
};

/// Starts a program.
///
/// posix_spawn(3) can set neither a parent-death signal nor an alarm; and Swift can't fork. Between fork and execve nothing is
/// called but what is safe there (signal-safety(7)). The caller has the child's process number, or the negative errno with
/// which fork or execve failed: then there is no child.
pid_t spawn_child(
    const char *path, char *const arguments[], char *const environment[], const struct spawn_options *options);

/// Makes a file without a name, in memory, that children don't inherit (memfd_create(2)); negative where that fails.
int unnamed_file(void);

#endif
