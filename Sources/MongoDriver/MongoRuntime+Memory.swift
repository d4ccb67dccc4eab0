internal import CMongoC
internal import Glibc

extension MongoRuntime {
    /// Drops what libmongoc says while it is being loaded; for programs, before the libraries they are linked with begin.
    ///
    /// The library starts itself before `main`, and says on standard error where its counters have no shared memory: in a
    /// container without `/dev/shm`, or where a process of the same number was killed as it began. It goes on with memory of
    /// its own, so nobody needs to know. `start()` decides where it speaks from then on.
    package static func dropEarlyLog() { mongoc_log_set_handler(nil, nil) }

    /// Takes away the name of the shared memory that libmongoc has made for its counters before the program began. A
    /// process that ends without the library's own clean-up would leave it behind, until there is no room for another: 8 KB
    /// each. This process goes on to use what it has mapped.
    package static func forgetCounters() { _ = shm_unlink("/mongoc-\(getpid())") }

    /// Has blocks of a megabyte and more given back to the system as soon as they are free; for programs, at their start.
    ///
    /// A document may have 16 MB. By itself the C library stops giving blocks of such a size back once it has seen a few of
    /// them (mallopt(3), M_MMAP_THRESHOLD), and the holes between them add up.
    package static func giveLargeBlocksBack() { mallopt(M_MMAP_THRESHOLD, 1 << 20) }
}
