extension TestDatabase {
    /// Sets `failCommand` for this database's own connections (those named ``appName``) while a closure runs.
    ///
    /// - Parameters:
    ///   - fault: What to do; its `appName` is replaced by this database's.
    ///   - mode: When to act.
    ///   - body: Runs while it is set.
    @discardableResult
    package func withFailPoint<R: Sendable>(
        _ fault: FailCommand, mode: FailPoint.Mode = .alwaysOn, _ body: (FailPoint) async throws -> R
    ) async throws -> R {
        var fault = fault
        fault.appName = appName
        return try await server.withFailPoint(fault, mode: mode, body)
    }
}
