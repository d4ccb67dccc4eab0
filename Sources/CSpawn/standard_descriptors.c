#include <fcntl.h>
#include <unistd.h>

/// Opens what a program has to find at the descriptors 0 to 2 where it was started without: the next file that is opened, such
/// as one of the runtime's own, would be taken for its input or output, also by its children. Runs before any other code.
///
/// What is opened can't be written: whoever prints to an output that was closed is told so, as before.
__attribute__((constructor)) static void open_standard_descriptors(void) {
    for (int descriptor = 0; descriptor <= 2; descriptor++) {
        if (fcntl(descriptor, F_GETFD) >= 0) continue;
        // The lowest descriptor that is free: this one.
        int opened = open("/dev/null", O_RDONLY);
        (void)opened;
    }
}
