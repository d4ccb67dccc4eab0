internal import Glibc
internal import InputFiles
internal import TLSProbe

/// The network of containers that this process may itself be in.
enum ContainerNetwork {
    /// What Docker and Podman leave in a container.
    private static let marks = ["/.dockerenv", "/run/.containerenv"]

    /// Whether a name is known here as containers know it. It is asked in a container alone: elsewhere a domain in which names
    /// are looked for might answer to any.
    static func knows(_ host: String) async -> Bool {
        guard marks.contains(where: { access($0, F_OK) == 0 }) else { return false }
        return await offPool {
            guard case .success(let addresses) = HostProbe(host: host, port: 27_017).addresses() else { return false }
            return !addresses.isEmpty
        }
    }
}
