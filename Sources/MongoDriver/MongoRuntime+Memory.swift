internal import CMongoC

extension MongoRuntime {
    /// Has blocks of a megabyte and more given back to the system as soon as they are free; for programs, at their start.
    ///
    /// A document may have 16 MB. By itself the C library stops giving blocks of such a size back once it has seen a few of
    /// them (mallopt(3), M_MMAP_THRESHOLD), and the holes between them add up.
    package static func giveLargeBlocksBack() { mallopt(M_MMAP_THRESHOLD, 1 << 20) }
}
