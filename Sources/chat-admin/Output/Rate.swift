/// How fast something goes, over the last ten seconds.
struct Rate {
    private var samples: [(time: ContinuousClock.Instant, done: Int)] = []

    private static let window = Duration.seconds(10)
    /// A shorter time says nothing.
    private static let shortest = Duration.seconds(1)

    /// Notes how much is done at a moment.
    mutating func note(_ done: Int, at time: ContinuousClock.Instant) {
        // One sample each tenth of a second is enough.
        if let last = samples.last, time - last.time < Self.window / 100 { samples.removeLast() }
        samples.append((time, done))
        while samples.count > 2, time - samples[1].time >= Self.window { samples.removeFirst() }
    }

    /// How much is done in a second; nil where too little is known.
    var perSecond: Double? {
        guard let first = samples.first, let last = samples.last, last.time - first.time >= Self.shortest else {
            return nil
        }
        return Double(last.done - first.done) * (Duration.seconds(1) / (last.time - first.time))
    }
}
